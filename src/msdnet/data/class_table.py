"""How many slices and groups show each class: the first table of a study, for any data set with a manifest.

Source: table 1 of the MSD-Net paper, which lists the slices with each kind of infection.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from msdnet.data.manifest import Manifest
from msdnet.data.slice_reader import Stack, read_label_map
from msdnet.files import whole_file
from msdnet.labels import LabelSchema, get_schema


@dataclass(frozen=True)
class Shown:
    """What one slice shows: class numbers without background, or None where it has no labels."""

    group: str
    split: str
    classes: frozenset[int] | None


def class_table(manifest: Manifest) -> str:
    """Markdown: slices and groups (patients, where they are known) by class and split; see `table_of`."""
    return table_of(read_classes(manifest), get_schema(manifest.schema))


def read_classes(manifest: Manifest) -> list[Shown]:
    """What every slice shows, from the label files alone."""
    shown = []
    kept: tuple[Path, Stack] | None = None
    for row in manifest.rows:
        if row.labels is None:
            shown.append(Shown(row.group, row.split, None))
            continue
        if kept is None or kept[0] != row.labels:
            kept = row.labels, read_label_map(row.labels)
        values = np.unique(kept[1].array[row.slice or 0]).tolist()
        shown.append(Shown(row.group, row.split, frozenset(manifest.label_values[v] for v in values) - {0}))
    return shown


def table_of(shown: Sequence[Shown], schema: LabelSchema) -> str:
    """Markdown table: one line per class, for any lesion, for none, for unlabelled slices and for all."""
    lines: list[tuple[str, Callable[[Shown], bool]]] = [(c.title, _showing(c.index)) for c in schema.classes]
    lines += [
        ("Any lesion", lambda s: bool(s.classes)),
        ("No lesion", lambda s: s.classes is not None and not s.classes),
        ("Without labels", lambda s: s.classes is None),
        ("All", lambda s: True),
    ]
    splits = list(dict.fromkeys(s.split for s in shown))
    parts = [("all", list(shown))]
    if len(splits) > 1:
        parts += [(split or "(no split)", [s for s in shown if s.split == split]) for split in splits]
    table = ["| slices with | " + " | ".join(f"{name}: slices | {name}: groups" for name, _ in parts) + " |"]
    table.append("|---|" + "---:|" * (2 * len(parts)))
    for title, holds in lines:
        cells = []
        for _, part in parts:
            found = [s for s in part if holds(s)]
            groups = {s.group for s in found}
            if title == "No lesion":
                groups -= {s.group for s in part if s.classes}
            cells += [str(len(found)), str(len(groups))]
        table.append(f"| {title} | " + " | ".join(cells) + " |")
    table.append("")
    table.append(
        "A slice counts for every class it shows. A group is a patient, or the slices that may show one; it has no"
        " lesion if none of its labelled slices has."
    )
    return "\n".join(table) + "\n"


def write_groups(shown: Sequence[Shown], schema: LabelSchema, path: Path) -> None:
    """CSV, one line for each group: its slices, those with labels, those without lesion, those that show each class."""
    groups: dict[str, list[Shown]] = {}
    for s in shown:
        groups.setdefault(s.group, []).append(s)
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["group", "slices", "labelled", "no_lesion", *schema.names])
        for group, of_group in groups.items():
            labelled = [s.classes for s in of_group if s.classes is not None]
            counts = [sum(c.index in classes for classes in labelled) for c in schema.classes]
            writer.writerow([group, len(of_group), len(labelled), sum(not c for c in labelled), *counts])


def _showing(index: int) -> Callable[[Shown], bool]:
    return lambda s: s.classes is not None and index in s.classes
