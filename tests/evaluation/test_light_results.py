"""The figures of docs/results.md on the light runs are those of the rows kept beside it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from msdnet.evaluation.overlap import SliceOverlap, read_overlaps

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
CLASSES = {"Ground-glass opacity": "ggo", "Consolidation": "consolidation", "Any lesion": "any_lesion"}
TITLES = {
    "msdnet": "MSD-Net, ResNet-18",
    "unet": "U-Net",
    "unetplusplus": "U-Net++",
    "unet_cbam": "U-Net + CBAM",
    "attention_unet": "Attention U-Net",
}


def _folds(folder: Path) -> list[list[SliceOverlap]]:
    return [read_overlaps(folder / f"fold-{fold}" / "per_slice.csv") for fold in range(5)]


def _dsc(rows: list[SliceOverlap], class_name: str) -> list[float]:
    return [r.dsc for r in rows if r.class_name == class_name and r.present]


@pytest.mark.parametrize("runs", ["light", "light-ablation"])
def test_a_kept_comparison_is_that_of_its_rows(runs: str) -> None:
    with (RESULTS / runs / "comparison.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 * {"light": 5, "light-ablation": 4}[runs]
    for line in lines:
        rows = [row for fold in _folds(RESULTS / runs / line["network"]) for row in fold]
        of_class = [r for r in rows if r.class_name == CLASSES[line["class"]]]
        values = _dsc(rows, CLASSES[line["class"]])
        assert (float(line["dsc"]), float(line["dsc_sd"])) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
        tp, fp, fn = (sum(getattr(r, key) for r in of_class) for key in ("tp", "fp", "fn"))
        assert float(line["dsc_pooled"]) == pytest.approx(2 * tp / (2 * tp + fp + fn))
        specificity = [r.tn / (r.tn + r.fp) for r in of_class if r.tn + r.fp]
        assert float(line["specificity"]) == pytest.approx(np.mean(specificity))
        without = [r.fp / (r.fp + r.tn) for r in of_class if not r.present]
        assert (float(line["false_area"]) if without else line["false_area"]) == (
            pytest.approx(np.mean(without)) if without else ""
        )


@pytest.mark.parametrize("runs", ["light", "light-ablation"])
def test_the_page_shows_the_kept_comparison(runs: str) -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    with (RESULTS / runs / "comparison.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for network in dict.fromkeys(line["network"] for line in lines):
        of_network = [line for line in lines if line["network"] == network]
        figures = [
            f"{float(n['dsc']):.3f} ({float(n['dsc_sd']):.3f}) [{float(n['dsc_low']):.3f}, {float(n['dsc_high']):.3f}]"
            for n in of_network
        ]
        [row] = [text for text in page.splitlines() if figures[0] in text]
        assert row.startswith(f"| {TITLES.get(network, network)} |")
        assert re.findall(r"\d\.\d{3} \(\d\.\d{3}\) \[.*?\]", row) == figures


def test_the_page_says_how_far_one_experiment_differs_from_itself() -> None:
    page = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    pairs = zip(_folds(RESULTS / "light/msdnet"), _folds(RESULTS / "light-ablation/RRB + CAB + PCB"), strict=True)
    apart = np.max(
        [[abs(np.mean(_dsc(a, c)) - np.mean(_dsc(b, c))) for c in CLASSES.values()] for a, b in pairs], axis=0
    )
    ggo, consolidation, any_lesion = (f"{value:.3f}" for value in apart)
    assert f"{ggo} for ground-glass opacity, {consolidation} for consolidation and {any_lesion} for any lesion" in page


def test_the_page_says_where_msdnet_is_the_worst_of_the_five() -> None:
    page = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    with (RESULTS / "light" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        found = {(line["network"], line["class"]): line for line in csv.DictReader(file)}

    def figures(class_title: str, key: str) -> tuple[float, float, float]:
        own = float(found["msdnet", class_title][key])
        others = [
            float(line[key]) for (network, title), line in found.items() if title == class_title and network != "msdnet"
        ]
        return own, min(others), max(others)

    own, least, most = figures("Consolidation", "dsc_pooled")
    assert own < least
    assert f"({own:.3f}; the others {least:.3f} to {most:.3f})" in page
    for title, words in (
        ("Ground-glass opacity", "{0:.3f} of the slice for ground-glass opacity (the others {1:.3f} to {2:.3f};"),
        ("Consolidation", "{0:.3f} for consolidation ({1:.3f} to {2:.3f};"),
    ):
        own, least, most = figures(title, "false_area")
        assert own > most
        assert words.format(own, least, most) in page
