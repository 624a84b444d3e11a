from __future__ import annotations

import pytest

from msdnet.errors import DatasetError
from msdnet.evaluation.comparison import comparison_table
from msdnet.evaluation.figures import estimate
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.seeds import average_seeds, seeds_table
from msdnet.labels import get_schema

INFECTION = get_schema("infection")


def _rows(*hits: int) -> list[SliceOverlap]:
    """Slices with ten pixels of the class each, of which so many are found, and nothing else is marked."""
    return [
        SliceOverlap(f"s{i}", f"g{i}", 0, name, tp, 0, 10 - tp, 90)
        for i, tp in enumerate(hits)
        for name in ("infection", "any_lesion")
    ]


def test_measures_are_means_over_seeds_and_counts_sums() -> None:
    first, *_ = average_seeds([_rows(10, 5), _rows(5, 5)])
    assert first.measure("sensitivity") == pytest.approx(0.75)
    assert first.dsc == pytest.approx((1.0 + 10 / 15) / 2)  # not the DSC of the summed counts, 30 / 35
    assert (first.tp, first.fn, first.tn) == (15, 5, 180)
    assert first.present


def test_distances_are_means_over_the_seeds_that_have_one() -> None:
    seeds = [[SliceOverlap("s0", "g0", 0, "infection", 5, 0, 5, 90, mm)] for mm in (2.0, 4.0, None)]
    assert estimate(average_seeds(seeds), "hd95_mm").value == pytest.approx(3.0)


def test_a_slice_where_no_seed_defines_the_measure_does_not_count() -> None:
    nothing = [SliceOverlap("s0", "g0", 0, "infection", 0, 0, 10, 90)]
    precision = estimate(average_seeds([nothing, nothing]), "precision")
    assert (precision.value, precision.num_undefined) == (None, 1)


def test_the_table_gives_each_seed_their_mean_and_spread() -> None:
    table = seeds_table({"a": {0: _rows(10, 5), 1: _rows(5, 5)}}, INFECTION)
    row = next(r for r in table.rows if r[2] == "sensitivity")
    assert row[3:] == pytest.approx((0.625, 0.75 / 6 * 2**0.5, 0.75, 0.5))
    pooled = next(r for r in table.rows if r[2] == "DSC, pooled")
    rows = [_rows(10, 5), _rows(5, 5)]
    values = [2 * sum(r.tp for r in o) / sum(2 * r.tp + r.fp + r.fn for r in o) for o in rows]
    assert pooled[5:] == pytest.approx(values)


def test_networks_are_compared_by_their_averages() -> None:
    ours, theirs = (average_seeds([_rows(*hits), _rows(*hits[::-1])]) for hits in ((9,) * 8, (1, 2, 3, 4, 4, 3, 2, 1)))
    table = comparison_table({"ours": ours, "theirs": theirs}, INFECTION, reference="ours", measures=("sensitivity",))
    assert [r[0] for r in table.rows] == ["ours", "theirs"]
    assert table.rows[1][-1] == pytest.approx(2 / 2**8)  # all of 8 pairs point one way


def test_seeds_measured_on_other_slices_are_refused() -> None:
    with pytest.raises(DatasetError, match="same slices"):
        average_seeds([_rows(1, 2), _rows(1)])
