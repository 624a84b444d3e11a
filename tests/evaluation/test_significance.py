from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.significance import NO_DIFFERENCE, TOO_FEW, compare_networks, holm, signed_rank


def row(name: str, group: str, tp: int, *, positives: int = 100, class_name: str = "ggo", fp: int = 0) -> SliceOverlap:
    return SliceOverlap(name, group, 0, class_name, tp, fp, positives - tp, 1000 - positives - fp)


def test_holm_agrees_with_a_hand_computed_example() -> None:
    # Sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and never less than the one before: .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.1, None, 0.6]) == [pytest.approx(0.3), None, 1.0]  # what gave no p-value is a test all the same
    assert holm([]) == []


def test_six_differences_of_one_sign_have_the_known_exact_p() -> None:
    result = signed_rank([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert result.p == pytest.approx(2 / 2**6)
    assert result.rank_biserial == 1.0
    # One of the ten, the smallest, goes the other way: rank sums 54 and 1, two of 2^10 sign patterns on each side.
    result = signed_rank([-0.1, *(0.1 * k for k in range(2, 11))])
    assert result.p == pytest.approx(2 * 2 / 2**10)
    assert result.rank_biserial == pytest.approx((54 - 1) / 55)


@pytest.mark.parametrize("num", [8, 30, 120])
def test_p_is_that_of_scipy(num: int) -> None:
    differences = np.random.default_rng(num).normal(0.2, 1, num)
    method = "exact" if num <= 50 else "asymptotic"
    assert signed_rank(differences).p == pytest.approx(stats.wilcoxon(differences, method=method).pvalue)


def test_p_with_ties_is_that_of_scipys_permutations() -> None:
    differences = np.random.default_rng(9).integers(-3, 6, 11).astype(float)
    kept = differences[differences != 0]
    assert len(np.unique(np.abs(kept))) < len(kept)
    assert signed_rank(differences).p == pytest.approx(stats.wilcoxon(kept, method="auto").pvalue)


def test_ties_are_told_from_rounding_and_counted_exactly() -> None:
    # 0.3 - 0.1 and 0.2 differ in the last bit; six equal differences, five up: P = 2 (1 + 6) / 2^6.
    result = signed_rank([0.3 - 0.1, 0.2, 0.2, 0.2, 0.2, -0.2])
    assert result.p == pytest.approx(2 * 7 / 2**6)
    assert result.rank_biserial == pytest.approx(4 / 6)


def test_pairs_without_difference_are_left_out_and_counted() -> None:
    result = signed_rank([0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert (result.p, result.num_pairs, result.num_zero) == (pytest.approx(2 / 2**6), 8, 2)


def test_too_few_pairs_give_a_reason_and_no_p() -> None:
    five = signed_rank([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (five.p, five.reason, five.rank_biserial) == (None, TOO_FEW, 1.0)
    mostly_zero = signed_rank([0.0] * 20 + [0.1] * 5)
    assert (mostly_zero.p, mostly_zero.reason, mostly_zero.num_zero) == (None, TOO_FEW, 20)
    equal = signed_rank([0.0] * 20)
    assert (equal.p, equal.reason, equal.rank_biserial) == (None, NO_DIFFERENCE, None)
    assert signed_rank([]).reason == TOO_FEW


def test_the_unit_is_the_patient_and_slices_alone_exaggerate() -> None:
    rng = np.random.default_rng(4)
    ours, theirs = [], []
    for patient in range(8):
        shift = int(rng.normal(4, 10))
        for i in range(20):
            tp = int(rng.integers(40, 60))
            ours.append(row(f"{patient}-{i}", f"p{patient}", tp))
            theirs.append(row(f"{patient}-{i}", f"p{patient}", tp + shift))
    (test,) = compare_networks({"a": ours, "b": theirs}, ["ggo"], reference="a", measures=["sensitivity"])
    expected = {}
    for a, b in zip(ours, theirs, strict=True):
        expected.setdefault(a.group, []).append((b.tp - a.tp) / 100)
    means = [np.mean(v) for v in expected.values()]
    assert test.test.num_pairs == 8
    assert test.over_slices.num_pairs == 160
    assert test.difference.value == pytest.approx(np.mean(means))
    assert test.difference.interval[0] < np.mean(means) < test.difference.interval[1]
    assert test.test.p == pytest.approx(stats.wilcoxon(np.round(means, 12)).pvalue)
    assert test.over_slices.p < test.test.p / 10


def test_holm_runs_over_networks_classes_and_measures() -> None:
    rng = np.random.default_rng(5)

    def rows(shift: int) -> list[SliceOverlap]:
        return [
            row(str(i), str(i), int(rng.integers(20, 40)) + shift, class_name=c, fp=int(rng.integers(1, 50)))
            for i in range(12)
            for c in ("ggo", "consolidation")
        ]

    networks = {"a": rows(0), "b": rows(8), "c": rows(30)}
    tests = compare_networks(networks, ["ggo", "consolidation"], reference="a")
    assert [(t.network, t.class_name) for t in tests[::3]] == [
        (n, c) for n in "bc" for c in ("ggo", "consolidation")
    ]  # fmt: skip
    assert len(tests) == 2 * 2 * 3
    smallest = min(tests, key=lambda t: t.test.p)
    assert smallest.p_holm == pytest.approx(12 * smallest.test.p)
    assert [t.p_holm for t in tests] == holm([t.test.p for t in tests])


def test_slices_without_the_class_count_for_specificity_only() -> None:
    a = [row(str(i), str(i), 0, positives=0, fp=i) for i in range(10)]
    b = [row(str(i), str(i), 0, positives=0, fp=2 * i + 1) for i in range(10)]
    dsc, precision, specificity = compare_networks(
        {"a": a, "b": b}, ["ggo"], reference="a", measures=["dsc", "precision", "specificity"]
    )
    assert (dsc.test.num_pairs, dsc.test.reason, dsc.difference.value) == (0, TOO_FEW, None)
    assert precision.test.num_pairs == 0
    assert specificity.test.num_pairs == 10
    assert specificity.test.p == pytest.approx(2 / 2**10)
    assert specificity.test.rank_biserial == -1.0


def test_networks_on_other_slices_are_refused_with_every_fault() -> None:
    a = [row(str(i), str(i), 50) for i in range(4)]
    missing = a[:-1]
    other_truth = [*a[:-1], row("3", "3", 50, positives=90)]
    regrouped = [dataclasses.replace(r, group="x") for r in a]
    with pytest.raises(DatasetError) as error:
        compare_networks(
            {"a": a, "b": missing, "c": other_truth, "d": regrouped, "e": [*a, a[0]]}, ["ggo"], reference="a"
        )
    for words in ("b and a do not share 1 slices: 3", "c and a have another truth on 1 slices: 3",
                  "d and a group 4 slices differently", "e has 1 rows twice"):  # fmt: skip
        assert words in error.value.got
    with pytest.raises(OptionError, match="reference"):
        compare_networks({"a": a}, ["ggo"], reference="b")
