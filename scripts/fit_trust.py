"""Fits the embedded weights' trust anew from the rows of their cross-validation, for another choice of features."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from msdnet.evaluation.trust import fit_trust, trust_table
from msdnet.evaluation.trust_rows import read_trust_rows
from msdnet.weights.folders import find_weights
from msdnet.weights.store import load_weights, save_weights

RESULTS = Path(__file__).parent.parent / "docs" / "results"

if __name__ == "__main__":
    network, card = load_weights()
    rows = read_trust_rows(RESULTS / f"{card.name}-trust-per-slice.csv")
    models = [dataclasses.asdict(model) for model in fit_trust(rows)]
    save_weights(find_weights(None), network, dataclasses.replace(card, trust=models))
    print(trust_table(rows, card.label_schema).markdown())
