from __future__ import annotations

import dataclasses
import json
import math

import pytest

from msdnet.errors import WeightsError
from msdnet.prediction.steadiness import Steadiness
from msdnet.prediction.trust import (
    AREA_ALONE,
    AREA_FLOOR,
    Line,
    TrustModel,
    estimate_trust,
    features_of,
    read_trust_models,
)

# DSC = agreement - 0.1 .. + 0.2; true area = marked area x 1.5 x (1/2 .. 2), the floor aside
MODEL = TrustModel(
    "ggo",
    means=(0.8, 0.9),
    scales=(0.1, 0.1),
    dsc=Line(0.8, (0.1, 0.0), -0.1, 0.2),
    log_ratio=Line(math.log(1.5), (0.0, 0.0), math.log(0.5), math.log(2)),
    review_below=0.6,
    num_slices=40,
)


def _steadiness(agreement: float, name: str = "ggo") -> Steadiness:
    return Steadiness(name, 10_000, 100, (100,), (round(100 * agreement),), 90.0, 80.0)


def test_the_features_are_those_named() -> None:
    assert features_of(_steadiness(0.7)) == pytest.approx((0.7, 0.8))
    assert features_of(_steadiness(0.7), AREA_ALONE) == pytest.approx((math.log(0.01 + 1e-4),))


def test_a_steady_result_is_trusted() -> None:
    [trust] = estimate_trust([MODEL], [_steadiness(0.7)])
    assert trust.predicted_dsc == pytest.approx(0.7)
    assert trust.dsc_interval == pytest.approx((0.6, 0.9))
    with_floor = 0.01 + AREA_FLOOR  # 1 % of the picture is marked
    least, most = 0.75 * with_floor - AREA_FLOOR, 3 * with_floor - AREA_FLOOR
    assert trust.ratio_interval == pytest.approx((least / 0.01, most / 0.01))
    assert not trust.review
    assert trust.reason == ""


def test_an_unsteady_one_asks_for_a_review_and_says_why() -> None:
    [trust] = estimate_trust([MODEL], [_steadiness(0.55)])
    assert trust.review
    assert "0.55" in trust.reason
    assert "0.60" in trust.reason
    assert "other marks" in trust.reason


def test_a_doubtful_one_is_not_called_unsteady() -> None:
    by_confidence = dataclasses.replace(MODEL, dsc=Line(0.8, (0.1, 0.4), -0.1, 0.2))
    [trust] = estimate_trust([by_confidence], [_steadiness(0.95)])  # 0.8 is below the usual confidence, 0.9
    assert trust.review
    assert "mean probability 0.80" in trust.reason
    assert "other marks" not in trust.reason


def test_shares_stay_between_0_and_1() -> None:
    [low] = estimate_trust([MODEL], [_steadiness(0.0)])
    [high] = estimate_trust([MODEL], [_steadiness(1.0)])
    assert (low.predicted_dsc, low.dsc_interval[0]) == (0.0, 0.0)
    assert (high.predicted_dsc, high.dsc_interval[1]) == (1.0, 1.0)


def test_nothing_is_told_of_what_is_not_marked_or_was_not_fitted() -> None:
    empty = dataclasses.replace(_steadiness(0.5), area=0)
    assert estimate_trust([MODEL], [empty, _steadiness(0.5, "consolidation")]) == []


def test_a_card_keeps_a_model_whole() -> None:
    stored = json.loads(json.dumps([dataclasses.asdict(MODEL)]))
    assert read_trust_models(stored) == [MODEL]


@pytest.mark.parametrize(
    "change",
    [
        {"means": [0.5]},
        {"dsc": {}},
        {"extra": 1},
        {"review_below": None},
        {"scales": [float("nan")] * 2},
        {"features": ["agreement", "spread"]},
        {"looks": ["zoom 2"]},
        {"area_floor": 0.05},
    ],
)
def test_a_model_that_is_damaged_or_of_other_looks_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(WeightsError, match="the card's trust"):
        read_trust_models([{**dataclasses.asdict(MODEL), **change}])


@pytest.mark.parametrize("key", ["features", "looks", "area_floor"])
def test_a_model_that_does_not_say_what_it_was_fitted_on_is_refused(key: str) -> None:
    entry = dataclasses.asdict(MODEL)
    del entry[key]
    with pytest.raises(WeightsError, match=key):
        read_trust_models([entry])
