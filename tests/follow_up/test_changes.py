from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from msdnet.labels import get_schema
from msdnet.quantification.follow_up import Change, Timepoint, find_changes
from msdnet.quantification.follow_up.changes import lungs_changed, reach_of


def _point(ml: float, *, sd: float = 0.03, lungs_ml: float = 4000.0, weights: str = "w", looks: int = 4) -> Timepoint:
    record = {"weights": {"sha256": weights}, "options": {"flips": False}}
    figures = {
        ("scan", "ggo", "volume_ml"): ml,
        ("lungs", "ggo", "percent"): 100 * ml / lungs_ml,
        ("right", "ggo", "volume_ml"): ml / 2,
    }
    told = {"lungs_ml": lungs_ml, "sd": {"ggo": sd}, "num_looks": looks}
    return Timepoint(Path(), 0, get_schema("infection"), record, figures, **told)


def _volume(before: Timepoint, after: Timepoint) -> Change:
    return next(c for c in find_changes(before, after) if (c.region, c.measure) == ("scan", "volume_ml"))


def test_a_change_and_its_band_are_those_computed_by_hand() -> None:
    change = _volume(_point(100.0), _point(130.0, sd=0.04))
    half = 2.30600 * math.sqrt((0.03**2 + 0.04**2) / 2)  # t of 8 degrees of freedom at 97.5 %, times the mean spread
    assert (change.change, change.change_percent) == pytest.approx((30.0, 30.0))
    assert change.half_width == pytest.approx(half, rel=1e-4)
    assert change.band_percent == pytest.approx((100 * math.expm1(-half), 100 * math.expm1(half)), rel=1e-4)
    error = math.hypot(half, 1.95996 * 0.2 * math.log(1.3))
    low, high = change.interval_percent or (0, 0)
    assert (low, high) == pytest.approx((130 * math.exp(-error) - 100, 130 * math.exp(error) - 100), rel=1e-4)
    assert change.is_beyond_band is True
    assert _volume(_point(100.0), _point(106.0)).is_beyond_band is False
    assert _volume(_point(100.0), _point(94.0)).is_beyond_band is False
    assert _volume(_point(100.0), _point(80.0)).is_beyond_band is True


def test_few_looks_that_agree_do_not_make_a_scan_steady() -> None:
    half_width = _volume(_point(100.0, sd=0.0), _point(100.0, sd=0.001)).half_width
    assert half_width == pytest.approx(2.30600 * 0.028, rel=1e-4)
    one_steady = _volume(_point(100.0, sd=0.0), _point(100.0, sd=0.05)).half_width
    assert one_steady == pytest.approx(2.30600 * 0.05 / math.sqrt(2), rel=1e-4)  # not each one's floor


def test_the_scan_that_was_looked_at_more_often_counts_more() -> None:
    half_width = _volume(_point(100.0, sd=0.06), _point(100.0, sd=0.03, looks=12)).half_width
    assert half_width == pytest.approx(2.11991 * math.sqrt((4 * 0.06**2 + 12 * 0.03**2) / 16), rel=1e-4)


def test_bars_of_two_scans_are_the_band_between_them_but_for_the_number_of_looks() -> None:
    point = _point(100.0, sd=0.04)
    half_width = _volume(point, point).half_width or 0
    assert reach_of(point, "ggo") == pytest.approx(half_width / math.sqrt(2) * 2.77645 / 2.30600, rel=1e-4)
    assert reach_of(_point(100.0, sd=0.001), "ggo") == pytest.approx(2.77645 * 0.028 / math.sqrt(2), rel=1e-4)
    assert reach_of(point, "consolidation") is None


def test_there_is_no_band_where_it_is_not_known() -> None:
    for before, after in (
        (_point(0.0), _point(5.0)),
        (_point(5.0), _point(0.0)),
        (_point(5.0), _point(6.0, weights="other")),
        (_point(5.0), _point(6.0, looks=0)),
    ):
        change = _volume(before, after)
        assert (change.half_width, change.band_percent, change.is_beyond_band) == (None, None, None)
    assert _volume(_point(0.0), _point(5.0)).change_percent is None
    right = next(c for c in find_changes(_point(5.0), _point(6.0)) if c.region == "right")
    assert (right.half_width, right.change) == (None, 0.5)


def test_lungs_that_are_cut_off_have_no_band() -> None:
    whole, cut = _point(100.0), dataclasses.replace(_point(60.0), cut=("lower",))
    assert all(change.half_width is None for change in [*find_changes(whole, cut), *find_changes(cut, whole)])
    assert _volume(whole, whole).half_width is not None


@pytest.mark.parametrize("options", [{"flips": True}, {"all_slices": True}, {"window": [-1000, 200]}, {"grey": True}])
def test_other_options_give_no_band(options: dict[str, object]) -> None:
    before = _point(100.0)
    record = {**before.record, "options": {**before.record["options"], **options}}
    assert _volume(before, dataclasses.replace(before, record=record)).half_width is None


def test_lungs_found_in_another_way_leave_a_band_to_the_scan_alone() -> None:
    before = dataclasses.replace(_point(100.0), figures={**_point(100.0).figures, ("lungs", "ggo", "mass_g"): 30.0})
    record = {**before.record, "options": {"flips": False, "lung_scheme": "binary", "lung_mask_sha256": "a"}}
    bands = {c.region: c.half_width for c in find_changes(before, dataclasses.replace(before, record=record))}
    assert bands["lungs"] is None
    assert bands["scan"] is not None


def test_another_breath_flags_percentages_alone() -> None:
    before, after = _point(100.0), _point(100.0, lungs_ml=3500.0)
    assert lungs_changed(before, after)
    assert {c.measure: c.breath for c in find_changes(before, after)} == {"volume_ml": False, "percent": True}
    assert not lungs_changed(before, _point(100.0, lungs_ml=4300.0))
    assert not any(c.breath for c in find_changes(before, _point(100.0, lungs_ml=4300.0)))


def test_a_cut_scan_is_cut_and_not_breathed_otherwise() -> None:
    whole, cut = _point(100.0), dataclasses.replace(_point(60.0, lungs_ml=2500.0), cut=("lower",))
    changes = find_changes(whole, cut)
    assert not lungs_changed(whole, cut)
    assert {(c.breath, c.cut) for c in changes} == {(False, True)}
    assert {c.band_absent for c in changes} == {"cut", "percent", "part"}
    assert not any(c.cut for c in find_changes(whole, whole))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (_point(0.0), _point(5.0), "nothing"),
        (_point(5.0), _point(6.0, weights="other"), "weights"),
        (_point(5.0), _point(6.0, looks=0), "looks"),
        (_point(5.0), dataclasses.replace(_point(6.0), sd={}), "unsteady"),
        (_point(5.0), _point(6.0), ""),
    ],
)
def test_why_there_is_no_band_is_told(before: Timepoint, after: Timepoint, reason: str) -> None:
    change = _volume(before, after)
    assert change.band_absent == reason
    assert (change.half_width is None) == bool(reason)


def test_int8_at_one_time_alone_gives_no_band() -> None:
    points = {
        precision: dataclasses.replace(
            _point(100.0), record={**_point(100.0).record, "engine": {"engine": "torch", "precision": precision}}
        )
        for precision in ("f32", "bf16", "int8")
    }
    assert _volume(points["f32"], points["bf16"]).half_width is not None
    assert _volume(points["int8"], points["int8"]).half_width is not None
    assert _volume(points["f32"], points["int8"]).band_absent == "precision"
