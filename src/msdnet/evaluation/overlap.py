"""Pixel counts of predicted against true labels, one row per slice and class. Every figure is made from such rows."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.errors import SchemaError
from msdnet.evaluation.surface_distance import hausdorff95_mm
from msdnet.files import whole_file
from msdnet.labels import ANY_LESION, LabelSchema

Array = np.ndarray[Any, Any]

MEASURES = ("dsc", "iou", "sensitivity", "specificity", "precision", "hd95_mm")


class PixelMeasures:
    """The measures that follow from pixel counts. Not a number where the denominator is 0, but for DSC and IoU: 1."""

    tp: int
    fp: int
    fn: int
    tn: int
    hd95_mm: float | None

    @property
    def present(self) -> bool:
        """Whether the true labels contain the class."""
        return self.tp + self.fn > 0

    @property
    def predicted(self) -> bool:
        """Whether the predicted labels contain the class."""
        return self.tp + self.fp > 0

    @property
    def dsc(self) -> float:
        """Dice similarity coefficient 2 TP / (2 TP + FP + FN); 1 where both are empty."""
        return self.measure("dsc")

    @property
    def iou(self) -> float:
        """Intersection over union TP / (TP + FP + FN), the Jaccard index; 1 where both are empty."""
        return self.measure("iou")

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN); not a number where the class is absent."""
        return self.measure("sensitivity")

    @property
    def specificity(self) -> float:
        """TN / (TN + FP); not a number where every pixel is of the class."""
        return self.measure("specificity")

    @property
    def precision(self) -> float:
        """TP / (TP + FP); not a number where nothing is predicted."""
        return self.measure("precision")

    def measure(self, name: str) -> float:
        """The value of one of `MEASURES`; not a number where it is undefined."""
        if name == "hd95_mm":
            return float("nan") if self.hd95_mm is None else self.hd95_mm
        top, bottom = self.fraction(name)
        return top / bottom if bottom else 1.0 if name in ("dsc", "iou") else float("nan")

    def fraction(self, name: str) -> tuple[int, int]:
        """Numerator and denominator of a measure, so that they can be summed over slices."""
        return {
            "dsc": (2 * self.tp, 2 * self.tp + self.fp + self.fn),
            "iou": (self.tp, self.tp + self.fp + self.fn),
            "sensitivity": (self.tp, self.tp + self.fn),
            "specificity": (self.tn, self.tn + self.fp),
            "precision": (self.tp, self.tp + self.fp),
        }[name]


@dataclass(frozen=True)
class SliceOverlap(PixelMeasures):
    """Pixel counts for one class on one slice.

    Attributes:
        name: The slice.
        group: What it is resampled with (patient, or group of similar slices).
        fold: Its validation fold.
        class_name: A class of the schema, or "any_lesion".
        tp, fp, fn, tn: Pixels marked rightly, wrongly, not though they should be, and rightly not.
        hd95_mm: 95 % Hausdorff distance; None where prediction or truth is empty, or the spacing is not known.
    """

    name: str
    group: str
    fold: int
    class_name: str
    tp: int
    fp: int
    fn: int
    tn: int
    hd95_mm: float | None = None


@dataclass(frozen=True)
class GroupOverlap(PixelMeasures):
    """Pixel counts for one class on all slices of one group (patient) together.

    Attributes:
        group: The group.
        class_name: A class of the schema, or "any_lesion".
        num_slices: Slices of the group.
        num_slices_with_class: Those whose true labels contain the class.
        tp, fp, fn, tn: Pixels, summed over the slices.
        hd95_mm: Mean of the slices' distances; None where no slice has one.
    """

    group: str
    class_name: str
    num_slices: int
    num_slices_with_class: int
    tp: int
    fp: int
    fn: int
    tn: int
    hd95_mm: float | None = None


def count_overlap(
    predicted: Array,
    true: Array,
    schema: LabelSchema,
    *,
    name: str,
    group: str,
    fold: int = 0,
    spacing_mm: tuple[float, float] | None = None,
) -> list[SliceOverlap]:
    """The rows of one slice: each class of the schema, then any lesion.

    Shapes: predicted and true of one shape, integers. With `spacing_mm` (row, column) the rows have `hd95_mm`.

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
    smallest, largest = min(int(predicted.min()), int(true.min())), max(int(predicted.max()), int(true.max()))
    if smallest < 0 or largest >= schema.num_classes:
        raise SchemaError(
            f"slice {name}: a label is not in the schema {schema.name!r}",
            got=str(smallest if smallest < 0 else largest),
            expected=f"0 to {schema.num_classes - 1}",
            do="choose the schema the labels were made with",
        )
    masks = [(c.name, predicted == c.index, true == c.index) for c in schema.classes]
    masks.append((ANY_LESION, predicted > 0, true > 0))
    rows = []
    for class_name, p, t in masks:
        tp = int(np.count_nonzero(p & t))
        fp, fn = int(np.count_nonzero(p)) - tp, int(np.count_nonzero(t)) - tp
        hd95_mm = None if spacing_mm is None else hausdorff95_mm(p, t, spacing_mm)
        rows.append(SliceOverlap(name, group, fold, class_name, tp, fp, fn, p.size - tp - fp - fn, hd95_mm))
    return rows


def pool_groups(overlaps: Sequence[SliceOverlap]) -> list[GroupOverlap]:
    """The slices' counts summed within each group and class, in the order in which these first occur."""
    members: dict[tuple[str, str], list[SliceOverlap]] = {}
    for row in overlaps:
        members.setdefault((row.group, row.class_name), []).append(row)
    pooled = []
    for (group, class_name), rows in members.items():
        distances = [r.hd95_mm for r in rows if r.hd95_mm is not None]
        pooled.append(
            GroupOverlap(
                group,
                class_name,
                len(rows),
                sum(r.present for r in rows),
                sum(r.tp for r in rows),
                sum(r.fp for r in rows),
                sum(r.fn for r in rows),
                sum(r.tn for r in rows),
                sum(distances) / len(distances) if distances else None,
            )
        )
    return pooled


def write_overlaps(
    path: Path, overlaps: Iterable[SliceOverlap] | Iterable[GroupOverlap], *, with_measures: bool = False
) -> None:
    """The rows as CSV, one column per field; hd95_mm only where a row has one.

    Args:
        path: The file.
        overlaps: The rows.
        with_measures: Adds a column for each measure that follows from the counts, for people; empty where undefined.
    """
    rows: list[SliceOverlap | GroupOverlap] = list(overlaps)
    names = [f.name for f in dataclasses.fields(type(rows[0]) if rows else SliceOverlap)]
    if all(row.hd95_mm is None for row in rows):
        names.remove("hd95_mm")
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        measures = MEASURES[:-1] if with_measures else ()
        writer.writerow([*names, *measures])
        for row in rows:
            values = [row.measure(m) for m in measures]
            writer.writerow([*(getattr(row, n) for n in names), *("" if math.isnan(v) else v for v in values)])


def read_overlaps(path: Path) -> list[SliceOverlap]:
    """The rows of a CSV of slices that `write_overlaps` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            SliceOverlap(
                row["name"],
                row["group"],
                int(row["fold"]),
                row["class_name"],
                int(row["tp"]),
                int(row["fp"]),
                int(row["fn"]),
                int(row["tn"]),
                float(row["hd95_mm"]) if row.get("hd95_mm") else None,
            )
            for row in csv.DictReader(file)
        ]
