"""Fits the embedded weights' trust anew from the rows of their cross-validation, and draws how well it holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from msdnet.evaluation.pictures.reliability import draw_reliability
from msdnet.evaluation.trust import fit_trust, judge_trust, trust_table
from msdnet.evaluation.trust_rows import read_trust_rows
from msdnet.weights.folders import find_weights
from msdnet.weights.store import load_weights, save_weights

DOCS = Path(__file__).parent.parent / "docs"

if __name__ == "__main__":
    network, card = load_weights()
    rows = read_trust_rows(DOCS / "results" / f"{card.name}-trust-per-slice.csv")
    models = [dataclasses.asdict(model) for model in fit_trust(rows)]
    save_weights(find_weights(None), network, dataclasses.replace(card, trust=models))
    picture, _ = draw_reliability(judge_trust(rows), card.label_schema, DOCS / "images", "trust")
    (DOCS / "images" / picture).unlink()  # the drawing is kept
    print(trust_table(rows, card.label_schema).markdown())
