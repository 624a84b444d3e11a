"""Figures from rows: a mean with its spread and interval, under a convention that is always named.

A figure without its convention says little: on slices without the class the overlap is undefined, and each way around
that gives another number. The conventions are described in docs/measures.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from msdnet.errors import OptionError
from msdnet.evaluation.bootstrap import bootstrap_interval
from msdnet.evaluation.overlap import GroupOverlap, SliceOverlap, pool_groups

Convention = Literal["slices_with_class", "all_slices", "patients", "pooled"]


@dataclass(frozen=True)
class Estimate:
    """A figure over slices, patients or pixels.

    Attributes:
        value: The mean, or the ratio of pooled pixels; None where nothing gives the figure.
        sd: Standard deviation over the units (n - 1); None for fewer than two and for shares.
        interval: 95 % bootstrap interval over whole groups; None for fewer than two groups.
        num_units: Slices, patients or, pooled, slices that it is made from.
        num_undefined: Units left out because the measure does not exist there, though one of the two has the class.
    """

    value: float | None = None
    sd: float | None = None
    interval: tuple[float, float] | None = None
    num_units: int = 0
    num_undefined: int = 0


def estimate(rows: Sequence[SliceOverlap], measure: str, convention: Convention = "slices_with_class") -> Estimate:
    """A measure of one class under a convention.

    slices_with_class: mean over the slices whose truth has the class; specificity over all slices; hd95_mm over the
    slices where truth and prediction have it (those where one of them has it are counted as undefined).
    all_slices: mean over all slices, 1 where truth and prediction are both empty; DSC and IoU only.
    patients: pixels pooled within each patient (for hd95_mm the mean of its slices), then the mean over the patients
    whose truth has the class; specificity over all patients.
    pooled: one ratio from the pixels of all slices; not for hd95_mm.

    Args:
        rows: Of one class.
        measure: One of `overlap.MEASURES`.
        convention: See above.
    """
    if convention == "pooled":
        return _pooled(rows, measure)
    if measure == "hd95_mm":  # not where both are empty, nor where the spacing is not known
        rows = [r for r in rows if r.hd95_mm is not None or r.present != r.predicted]
    units: Sequence[SliceOverlap | GroupOverlap] = pool_groups(rows) if convention == "patients" else rows
    if convention == "all_slices":
        units = units if measure in ("dsc", "iou") else []
    elif measure not in ("specificity", "hd95_mm"):
        units = [u for u in units if u.present]
    values = [u.measure(measure) for u in units]
    defined = [(u.group, v) for u, v in zip(units, values, strict=True) if not math.isnan(v)]
    return mean_of([g for g, _ in defined], [v for _, v in defined], num_undefined=len(values) - len(defined))


def false_area(rows: Sequence[SliceOverlap]) -> Estimate:
    """The share of a slice's pixels that is marked, over the slices without the class: FP / (FP + TN)."""
    absent = [r for r in rows if not r.present]
    return mean_of([r.group for r in absent], [r.fp / (r.fp + r.tn) for r in absent])


def mean_of(groups: Sequence[str], values: Sequence[float], *, num_undefined: int = 0) -> Estimate:
    """The mean of the values with its SD and the interval over groups."""
    if not values:
        return Estimate(num_undefined=num_undefined)
    return Estimate(
        float(np.mean(values)),
        float(np.std(values, ddof=1)) if len(values) > 1 else None,
        bootstrap_interval(groups, values),
        len(values),
        num_undefined,
    )


@dataclass(frozen=True)
class Detection:
    """How often the presence of a class is told rightly; shares of the slices, or patients, with and without it."""

    sensitivity: Estimate
    specificity: Estimate


def detect_slices(rows: Sequence[SliceOverlap], *, min_pixels: int = 1) -> Detection:
    """Detection on slices: a slice counts as positive where at least `min_pixels` of it are predicted.

    A slice is truly positive where the truth has one pixel of the class.

    Raises:
        OptionError: if min_pixels is less than 1.
    """
    found = _found(rows, min_pixels)
    return _detection([r.group for r in rows], [r.present for r in rows], found)


def detect_patients(rows: Sequence[SliceOverlap], *, min_pixels: int = 1) -> Detection:
    """Detection on patients: one is positive, truly or as predicted, where at least one of the slices is.

    Raises:
        OptionError: if min_pixels is less than 1.
    """
    truth: dict[str, bool] = {}
    found: dict[str, bool] = {}
    for row, positive in zip(rows, _found(rows, min_pixels), strict=True):
        truth[row.group] = truth.get(row.group, False) or row.present
        found[row.group] = found.get(row.group, False) or positive
    return _detection(list(truth), list(truth.values()), list(found.values()))


def _pooled(rows: Sequence[SliceOverlap], measure: str) -> Estimate:
    if measure == "hd95_mm" or not rows:
        return Estimate()
    fractions = [r.fraction(measure) for r in rows]
    tops, bottoms = [t for t, _ in fractions], [b for _, b in fractions]
    if not sum(bottoms):
        return Estimate(1.0 if measure in ("dsc", "iou") else None, num_units=len(rows))
    interval = bootstrap_interval([r.group for r in rows], tops, bottoms)
    return Estimate(sum(tops) / sum(bottoms), None, interval, len(rows))


def check_min_pixels(min_pixels: int) -> None:
    """Refuses a number of pixels from which no slice can be told positive.

    Raises:
        OptionError: if it is less than 1.
    """
    if min_pixels < 1:
        raise OptionError(
            "the smallest number of pixels cannot be used",
            got=f"--min-pixels {min_pixels}",
            expected="a whole number of at least 1",
            do="leave it at 1, where a single pixel makes a slice positive",
        )


def _found(rows: Sequence[SliceOverlap], min_pixels: int) -> list[bool]:
    check_min_pixels(min_pixels)
    return [r.tp + r.fp >= min_pixels for r in rows]


def _detection(groups: Sequence[str], truth: Sequence[bool], found: Sequence[bool]) -> Detection:
    def share(of: bool) -> Estimate:
        kept = [(g, float(f == of)) for g, t, f in zip(groups, truth, found, strict=True) if t == of]
        mean = mean_of([g for g, _ in kept], [v for _, v in kept])
        return Estimate(mean.value, None, mean.interval, mean.num_units)

    return Detection(share(True), share(False))
