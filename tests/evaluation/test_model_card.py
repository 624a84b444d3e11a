"""docs/model-card.md is what the embedded weights' card and the committed rows make of it."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

from msdnet.evaluation.model_card import model_card
from msdnet.evaluation.overlap import read_overlaps
from msdnet.evaluation.rendering import Column, Table
from msdnet.weights import read_card

ROOT = Path(__file__).parent.parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "document_weights.py"))
PAGE = (ROOT / "docs" / "model-card.md").read_text(encoding="utf-8")


def test_the_page_is_made_from_the_card_and_the_rows() -> None:
    assert SCRIPT["page"]() == PAGE, "write it anew: python scripts/document_weights.py"


def test_it_says_what_a_user_must_know() -> None:
    card = read_card()
    for words in (
        card.sha256,
        card.limits,
        card.intended_use,
        card.terms,
        "| `window_hu` | -1100.0, 250.0 |",
        "| `training.steps` | 1200 |",
        "| Ground-glass opacity | 48 of 50 | 0.585 (0.208) | 0.520 to 0.646 |",
        "patients not known",
    ):
        assert words in PAGE
    worst = PAGE.split("## The worst slices")[1].split("## ")[0]
    assert worst.count("\n| ") == 11  # a head and ten slices


def test_names_of_slices_stay_out_unless_asked_for() -> None:
    rows = [
        dataclasses.replace(r, name=f"planted-{r.name}")
        for r in read_overlaps(ROOT / "docs" / "results" / "resnet18-v3-per-slice.csv")
    ]
    assert "planted" not in model_card(read_card(), rows)
    assert "| planted-33 |" in model_card(read_card(), rows, with_names=True)


def test_trust_has_a_section_where_it_was_calibrated() -> None:
    rows = read_overlaps(ROOT / "docs" / "results" / "resnet18-v3-per-slice.csv")
    table = Table((Column("class", "class"),), (("Any lesion",),))
    assert "## Trust\n\n| class |" in model_card(read_card(), rows, trust=table)
    assert "## Trust" not in model_card(read_card(), rows)
