"""The paper's tables with ours beside them, and why they differ; for patients and the paper's recipe alone."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import torch

from msdnet.config import Experiment
from msdnet.data.class_table import class_table
from msdnet.data.manifest import Manifest
from msdnet.labels import LabelSchema, get_schema
from msdnet.training.paper import FIGURES, NUM_PATIENTS, NUM_SLICES
from msdnet.training.precision import usable_precision

MEASURES = {"dsc": "DSC", "sensitivity": "sensitivity", "specificity": "specificity"}
PAPER_SCHEMA = "msdnet-paper"


def slices_beside(manifest: Manifest) -> str:
    """Table 1 as Markdown: slices that show each class, in the paper's data and in ours."""
    lines = []
    for row in class_table(manifest).split("\n\n")[0].splitlines()[2:]:
        title, ours = (cell.strip() for cell in row.split("|")[1:3])
        paper = NUM_SLICES.get(title)
        lines.append([title, *_beside(paper, int(ours), "d")])
    return _markdown(["slices with", "paper", "ours", "difference"], lines)


def figures_beside(comparison: Path) -> str:
    """Table 4 as Markdown, from the CSV table of the comparison: each network and each of the paper's classes."""
    with comparison.open(encoding="utf-8", newline="") as file:
        ours = {(row["network"], row["class"]): row for row in csv.DictReader(file)}
    titles = {c.name: c.title for c in get_schema(PAPER_SCHEMA).classes}
    lines = []
    for network, classes in FIGURES.items():
        for name, paper in classes.items():
            row = ours.get((network, titles[name]), {})
            pairs = zip(paper, (float(row[m]) if row.get(m) else None for m in MEASURES), strict=True)
            lines.append([network, titles[name], *(cell for pair in pairs for cell in _beside(*pair, ".4f"))])
    head = [f"{title}, {whose}" for title in MEASURES.values() for whose in ("paper", "ours", "difference")]
    return _markdown(["network", "class", *head], lines)


def reasons(manifest: Manifest, experiments: Sequence[Experiment], device: torch.device) -> str:
    """Markdown table of what is not the same: what, in the paper, here."""
    first, schema, paper = experiments[0], get_schema(manifest.schema), get_schema(PAPER_SCHEMA)
    groups = "patients" if manifest.patients_known else "groups of near-duplicates; patients not known"
    training, size = first.training, first.preprocessing.size
    length = f"{training.epochs} epochs" if training.epochs else f"{training.steps} steps"
    return _markdown(
        ["what differs", "paper", "here"],
        [
            ["data", "private", "other scans, of other patients, labelled by other people"],
            [
                "number of slices",
                f"{NUM_SLICES['All']} of {NUM_PATIENTS} patients",
                f"{len(manifest.rows)} of {len({row.group for row in manifest.rows})} {groups}",
            ],
            ["classes", _titles(paper), _titles(schema)],
            ["folds", "over slices: neighbours of one patient on both sides", f"over {groups}"],
            [
                "recipe",
                "number of epochs not given",
                f"{length} in batches of {training.num_labelled}, {usable_precision(first.precision, device.type)}",
            ],
            ["size", "512 x 512", f"{size} x {size}"],
            ["device", "GTX 1080 Ti", torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"],
            ["slices without a class", "not said how they count", "left out of DSC and sensitivity"],
            ["p-values", "of a test that is not named", "paired Wilcoxon signed-rank test, Holm's correction"],
        ],
    )


def _titles(schema: LabelSchema) -> str:
    return ", ".join(c.title for c in schema.classes)


def _beside(paper: float | None, ours: float | None, form: str) -> list[str]:
    cells = ["-" if value is None else format(value, form) for value in (paper, ours)]
    return [*cells, "-" if paper is None or ours is None else format(ours - paper, f"+{form}")]


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))
