"""Paired tests between networks on the same slices: the patient is the unit, p-values are corrected, effects are shown.

Slices of one patient are alike, so a test over slices finds differences that are not there; its p-value is kept beside
the other, marked. Folds are never the unit: five pairs cannot reach p < 0.0625. No p-value here covers how much a
network changes when it is trained anew with another seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation.figures import Estimate, mean_of
from msdnet.evaluation.overlap import SliceOverlap

Array = np.ndarray[Any, Any]

MIN_PAIRS = 6
TOO_FEW, NO_DIFFERENCE = "too few pairs", "no difference"
DEFAULT_MEASURES = ("dsc", "sensitivity", "specificity")
_MAX_EXACT = 50
_DIGITS = 12  # differences that agree to so many digits are ties, not rounding


@dataclass(frozen=True)
class SignedRank:
    """The paired Wilcoxon signed-rank test of one set of differences.

    Attributes:
        p: Two-sided; None where there is a reason.
        reason: "too few pairs" (fewer than six that differ), "no difference" (all pairs are equal), or empty.
        rank_biserial: (R+ - R-) / (R+ + R-), from -1 to 1; None where no pair differs.
        num_pairs: All pairs.
        num_zero: Pairs without a difference; they are left out of the ranks.
    """

    p: float | None
    reason: str
    rank_biserial: float | None
    num_pairs: int
    num_zero: int


@dataclass(frozen=True)
class PairedTest:
    """A network against the reference, for one class and measure.

    Attributes:
        network: The network compared.
        class_name: A class of the schema, or "any_lesion".
        measure: One of `overlap.MEASURES`.
        difference: Network minus reference: mean over groups of the mean over the group's slices, with SD and interval.
        test: Over groups (patients).
        p_holm: The same p-value after Holm's correction over all tests shown.
        over_slices: Over slices: anti-conservative wherever a group has several.
    """

    network: str
    class_name: str
    measure: str
    difference: Estimate
    test: SignedRank
    p_holm: float | None
    over_slices: SignedRank


def compare_networks(
    networks: Mapping[str, Sequence[SliceOverlap]],
    class_names: Sequence[str],
    *,
    reference: str,
    measures: Sequence[str] = DEFAULT_MEASURES,
) -> list[PairedTest]:
    """Each network but the reference against it, for every class and measure; Holm over all of them.

    A slice counts where the measure is defined for both networks and, but for specificity, the truth has the class.

    Args:
        networks: Name and per-slice rows of each network.
        class_names: Classes to compare.
        reference: Name of the network that the others are compared with.
        measures: Names in `overlap.MEASURES`.

    Raises:
        OptionError: if the reference is not among the networks.
        DatasetError: if the networks were not measured on the same slices, groups and truth; all faults at once.
    """
    if reference not in networks:
        raise OptionError(
            f"the reference network {reference!r} is not among the networks",
            got=reference,
            expected="one of " + ", ".join(networks),
            do="name one of these as the reference",
        )
    tables = {name: {(r.name, r.class_name): r for r in rows} for name, rows in networks.items()}
    _check_same_slices(networks, tables, reference)
    tests = [
        _compare(name, tables[name], tables[reference], class_name, measure)
        for name in networks
        if name != reference
        for class_name in class_names
        for measure in measures
    ]
    adjusted = holm([t.test.p for t in tests])
    return [replace(t, p_holm=p) for t, p in zip(tests, adjusted, strict=True)]


def signed_rank(differences: Sequence[float]) -> SignedRank:
    """The two-sided Wilcoxon signed-rank test that the differences lie symmetrically about zero.

    Pairs without a difference are left out (Wilcoxon's own rule). Up to 50 pairs the p-value is exact, also with ties;
    beyond that it is scipy's normal approximation with tie correction.

    Source: Wilcoxon, Biometrics Bulletin 1945, doi:10.2307/3001968; effect size: Kerby, Comprehensive Psychology 2014,
    doi:10.2466/11.IT.3.1.
    """
    rounded = np.round(np.asarray(differences, dtype=float), _DIGITS)
    kept = rounded[rounded != 0]
    num_zero = len(rounded) - len(kept)
    ranks = stats.rankdata(np.abs(kept))
    effect = float((ranks * np.sign(kept)).sum() / ranks.sum()) if kept.size else None
    if len(kept) < MIN_PAIRS:
        reason = NO_DIFFERENCE if len(rounded) >= MIN_PAIRS and not kept.size else TOO_FEW
        return SignedRank(None, reason, effect, len(rounded), num_zero)
    if len(kept) <= _MAX_EXACT:
        p = _exact_p(ranks, kept > 0)
    else:
        p = float(stats.wilcoxon(kept, method="asymptotic").pvalue)
    return SignedRank(p, "", effect, len(rounded), num_zero)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values after Holm's step-down correction.

    None, a test that gave no p-value, stays None and counts as a test that found nothing.

    Source: Holm, Scandinavian Journal of Statistics 1979, 6:65-70.
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[i] = largest
    return adjusted


def _exact_p(ranks: Array, positive: Array) -> float:
    """Two-sided: the share of all 2^n sign patterns whose rank sum is as far out, twice the smaller side, 1 at most.

    scipy's exact method ignores ties, and trying the patterns one by one is slow: here the rank sums are convolved.
    """
    doubled = np.rint(2 * ranks).astype(int)  # tied ranks end in a half
    shares = np.zeros(doubled.sum() + 1)
    shares[0] = 1.0
    for r in doubled:
        shares[r:] = (shares[r:] + shares[:-r]) / 2
        shares[:r] /= 2
    observed = int(doubled[positive].sum())
    return min(1.0, 2 * float(min(shares[: observed + 1].sum(), shares[observed:].sum())))


def _compare(
    name: str,
    rows: Mapping[tuple[str, str], SliceOverlap],
    reference: Mapping[tuple[str, str], SliceOverlap],
    class_name: str,
    measure: str,
) -> PairedTest:
    by_group: dict[str, list[float]] = {}
    for key, row in rows.items():
        if row.class_name != class_name or (measure != "specificity" and not row.present):
            continue
        difference = row.measure(measure) - reference[key].measure(measure)
        if not math.isnan(difference):
            by_group.setdefault(row.group, []).append(difference)
    means = [sum(values) / len(values) for values in by_group.values()]
    return PairedTest(
        network=name,
        class_name=class_name,
        measure=measure,
        difference=mean_of(list(by_group), means),
        test=signed_rank(means),
        p_holm=None,
        over_slices=signed_rank([v for values in by_group.values() for v in values]),
    )


def _check_same_slices(
    networks: Mapping[str, Sequence[SliceOverlap]],
    tables: Mapping[str, Mapping[tuple[str, str], SliceOverlap]],
    reference: str,
) -> None:
    faults = []
    expected = tables[reference]
    for name, table in tables.items():
        if len(table) < len(networks[name]):
            faults.append(f"{name} has {len(networks[name]) - len(table)} rows twice")
        missing = sorted({slice_name for slice_name, _ in expected.keys() ^ table.keys()})
        if missing:
            faults.append(f"{name} and {reference} do not share {len(missing)} slices: {_some(missing)}")
        shared = [(key, row, expected[key]) for key, row in table.items() if key in expected]
        others = sorted({k[0] for k, a, b in shared if (a.tp + a.fn, a.fp + a.tn) != (b.tp + b.fn, b.fp + b.tn)})
        if others:
            faults.append(f"{name} and {reference} have another truth on {len(others)} slices: {_some(others)}")
        regrouped = sorted({k[0] for k, a, b in shared if a.group != b.group})
        if regrouped:
            faults.append(f"{name} and {reference} group {len(regrouped)} slices differently: {_some(regrouped)}")
    if faults:
        raise DatasetError(
            "the networks were not measured on the same slices",
            got="; ".join(faults),
            expected="one row per slice and class for each network, with the same truth and group",
            do="measure all networks on the same labels",
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
