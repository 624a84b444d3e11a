from __future__ import annotations

import numpy as np
import pytest

from msdnet.errors import OptionError
from msdnet.evaluation.figures import detect_patients, detect_slices, estimate, false_area
from msdnet.evaluation.overlap import SliceOverlap

# Patient p: 2 / 4 and 0 / 1 marked rightly, one slice without lesion with one false pixel; q: free of lesions.
ROWS = [
    SliceOverlap("a", "p", 0, "any_lesion", 2, 0, 2, 6, 1.0),
    SliceOverlap("b", "p", 0, "any_lesion", 0, 0, 1, 9, None),
    SliceOverlap("c", "p", 0, "any_lesion", 0, 1, 0, 9, None),
    SliceOverlap("d", "q", 0, "any_lesion", 0, 0, 0, 10, None),
    SliceOverlap("e", "r", 0, "any_lesion", 6, 2, 0, 2, 4.0),
]


def test_each_convention_gives_its_own_figure() -> None:
    assert estimate(ROWS, "dsc").value == pytest.approx((4 / 6 + 0 + 12 / 14) / 3)
    assert estimate(ROWS, "dsc", "all_slices").value == pytest.approx((4 / 6 + 0 + 0 + 1 + 12 / 14) / 5)
    assert estimate(ROWS, "dsc", "patients").value == pytest.approx((4 / (4 + 1 + 3) + 12 / 14) / 2)
    assert estimate(ROWS, "dsc", "pooled").value == pytest.approx(16 / (16 + 3 + 3))
    assert estimate(ROWS, "iou", "all_slices").value == pytest.approx((2 / 4 + 0 + 0 + 1 + 6 / 8) / 5)
    assert estimate(ROWS, "sensitivity", "patients").value == pytest.approx((2 / 5 + 1) / 2)
    assert estimate(ROWS, "specificity", "patients").value == pytest.approx((24 / 25 + 1 + 1 / 2) / 3)
    assert estimate(ROWS, "precision", "pooled").value == pytest.approx(8 / 11)
    assert estimate(ROWS, "sensitivity", "all_slices").value is None


def test_precision_is_undefined_where_nothing_is_predicted() -> None:
    figure = estimate(ROWS, "precision")
    assert figure.value == pytest.approx((1 + 6 / 8) / 2)
    assert (figure.num_units, figure.num_undefined) == (2, 1)


def test_distances_are_averaged_and_the_undefined_counted() -> None:
    figure = estimate(ROWS, "hd95_mm")
    assert (figure.value, figure.num_units, figure.num_undefined) == (2.5, 2, 2)  # a, e; missed in b, false in c
    patients = estimate(ROWS, "hd95_mm", "patients")
    assert (patients.value, patients.num_units, patients.num_undefined) == (2.5, 2, 0)
    assert estimate(ROWS, "hd95_mm", "pooled").value is None


def test_spread_is_over_the_units() -> None:
    values = [4 / 6, 0, 12 / 14]
    figure = estimate(ROWS, "dsc")
    assert figure.sd == pytest.approx(np.std(values, ddof=1))
    assert figure.num_units == 3
    assert figure.interval == pytest.approx((1 / 3, 12 / 14))  # all p, or all r
    assert estimate(ROWS, "dsc", "pooled").sd is None
    one_group = [r for r in ROWS if r.group == "p"]
    assert estimate(one_group, "dsc").interval is None
    assert estimate(one_group, "dsc").value == pytest.approx(1 / 3)


def test_false_area_is_that_of_slices_without_the_class() -> None:
    assert false_area(ROWS).value == pytest.approx((1 / 10 + 0) / 2)
    assert false_area(ROWS[:2]).value is None


def test_detection_of_slices_and_patients_follows_min_pixels() -> None:
    slices, patients = detect_slices(ROWS), detect_patients(ROWS)
    assert (slices.sensitivity.value, slices.sensitivity.num_units) == (pytest.approx(2 / 3), 3)
    assert (slices.specificity.value, slices.specificity.num_units) == (0.5, 2)
    assert (patients.sensitivity.value, patients.specificity.value) == (1.0, 1.0)
    assert slices.sensitivity.sd is None
    strict = detect_slices(ROWS, min_pixels=3)
    assert (strict.sensitivity.value, strict.specificity.value) == (pytest.approx(1 / 3), 1.0)
    assert detect_patients(ROWS, min_pixels=3).sensitivity.value == 0.5
    with pytest.raises(OptionError, match="--min-pixels 0"):
        detect_slices(ROWS, min_pixels=0)
