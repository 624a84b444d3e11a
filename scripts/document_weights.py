"""Writes docs/model-card.md anew, from the embedded weights' card and the rows of their cross-validation."""

from __future__ import annotations

from pathlib import Path

from msdnet.evaluation.model_card import model_card
from msdnet.evaluation.overlap import read_overlaps
from msdnet.training.data import PATIENTS_NOT_KNOWN
from msdnet.weights import read_card

DOCS = Path(__file__).parent.parent / "docs"


def page() -> str:
    """The model card of the default weights."""
    card = read_card()
    rows = read_overlaps(DOCS / "results" / f"{card.name}-per-slice.csv")
    return model_card(card, rows, notes=[PATIENTS_NOT_KNOWN], with_names=True)


if __name__ == "__main__":
    (DOCS / "model-card.md").write_text(page(), encoding="utf-8")
