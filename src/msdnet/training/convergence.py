"""Whether a training had come to its end: the loss curves of the folds, read from their logs."""

from __future__ import annotations

import csv
from pathlib import Path

SHARE, FALL = 0.2, 0.02


def loss_curve(folder: Path) -> list[tuple[int, float]]:
    """Step and training loss at each checkpoint of a stage, over all its starts; what was done twice counts once."""
    found: dict[int, float] = {}
    logs = folder.glob("log/version_*/metrics.csv")
    for path in sorted(logs, key=lambda p: int(p.parent.name.removeprefix("version_"))):
        with path.open(newline="", encoding="utf-8") as file:
            found |= {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file) if row.get("loss")}
    return sorted(found.items())


def still_improving(folder: Path) -> bool:
    """Whether the mean loss over the folds fell by more than 2 % from the last fifth but one to the last fifth.

    With a schedule that ends at a small learning rate this understates what a longer schedule would gain.
    """
    curves = [c for c in map(loss_curve, sorted(folder.glob("fold-*"))) if len(c) >= 2]
    before = after = 0.0
    for curve in curves:
        length = max(1, round(SHARE * len(curve)))
        losses = [loss for _, loss in curve]
        after += sum(losses[-length:]) / length
        earlier = losses[-2 * length : -length]
        before += sum(earlier) / len(earlier)
    return bool(curves) and after < (1 - FALL) * before
