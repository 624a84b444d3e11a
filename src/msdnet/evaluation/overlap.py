"""Pixel counts of predicted against true labels, one row per slice and class. Every figure is made from such rows."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.errors import SchemaError
from msdnet.labels import LabelSchema

Array = np.ndarray[Any, Any]

ANY_LESION = "any_lesion"


@dataclass(frozen=True)
class SliceOverlap:
    """Pixel counts for one class on one slice.

    Attributes:
        name: The slice.
        group: What it is resampled with (patient, or group of similar slices).
        fold: Its validation fold.
        class_name: A class of the schema, or "any_lesion".
        tp, fp, fn, tn: Pixels marked rightly, wrongly, not though they should be, and rightly not.
    """

    name: str
    group: str
    fold: int
    class_name: str
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def present(self) -> bool:
        """Whether the true labels contain the class."""
        return self.tp + self.fn > 0

    @property
    def dsc(self) -> float:
        """Dice similarity coefficient 2 TP / (2 TP + FP + FN); 1 where both are empty."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else 1.0

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN); not a number where the class is absent."""
        return self.tp / (self.tp + self.fn) if self.present else float("nan")

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); not a number where every pixel is of the class."""
        return self.tn / (self.tn + self.fp) if self.tn + self.fp else float("nan")


def count_overlap(
    predicted: Array, true: Array, schema: LabelSchema, *, name: str, group: str, fold: int = 0
) -> list[SliceOverlap]:
    """The rows of one slice: each class of the schema, then any lesion.

    Shapes: predicted and true of one shape, integers.

    Raises:
        SchemaError: if the shapes differ or a value is not in the schema.
    """
    if predicted.shape != true.shape:
        raise SchemaError(
            f"slice {name}: predicted and true labels differ in size",
            got=f"{predicted.shape} and {true.shape}",
            expected="one shape",
            do="compare label maps on the same grid",
        )
    largest = max(int(predicted.max()), int(true.max()))
    if largest >= schema.num_classes:
        raise SchemaError(
            f"slice {name}: a label is not in the schema {schema.name!r}",
            got=str(largest),
            expected=f"0 to {schema.num_classes - 1}",
            do="choose the schema the labels were made with",
        )
    masks = [(c.name, predicted == c.index, true == c.index) for c in schema.classes]
    masks.append((ANY_LESION, predicted > 0, true > 0))
    rows = []
    for class_name, p, t in masks:
        tp, fp, fn = int((p & t).sum()), int((p & ~t).sum()), int((~p & t).sum())
        rows.append(SliceOverlap(name, group, fold, class_name, tp, fp, fn, p.size - tp - fp - fn))
    return rows


def write_overlaps(path: Path, overlaps: Iterable[SliceOverlap]) -> None:
    """The rows as CSV, one column per field."""
    names = [f.name for f in dataclasses.fields(SliceOverlap)]
    unfinished = path.with_suffix(".partial")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([getattr(row, n) for n in names] for row in overlaps)
    unfinished.replace(path)


def read_overlaps(path: Path) -> list[SliceOverlap]:
    """The rows of a CSV that `write_overlaps` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            SliceOverlap(
                row["name"],
                row["group"],
                int(row["fold"]),
                row["class_name"],
                *(int(row[k]) for k in ("tp", "fp", "fn", "tn")),
            )
            for row in csv.DictReader(file)
        ]


def bootstrap_interval(
    rows: Sequence[SliceOverlap], values: Sequence[float], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of the mean of `values`, one per row, when whole groups are drawn with replacement."""
    groups = sorted({r.group for r in rows})
    sums = {g: [0.0, 0] for g in groups}
    for row, value in zip(rows, values, strict=True):
        sums[row.group][0] += value
        sums[row.group][1] += 1
    totals = np.array([sums[g][0] for g in groups])
    counts = np.array([sums[g][1] for g in groups])
    drawn = np.random.default_rng(seed).integers(0, len(groups), size=(resamples, len(groups)))
    means = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
