"""Scores against points counted by hand from the published tables."""

from __future__ import annotations

import pytest

from msdnet.quantification.scores import CTSS, LSS, ZONE_EXTENT, lobar_score, points, zone_score


@pytest.mark.parametrize(
    ("percent", "ctss", "lss", "extent"),
    [
        (0.0, 0, 0, 0),
        (0.01, 1, 1, 1),
        (4.99, 1, 1, 1),
        (5.0, 2, 1, 1),
        (24.9, 2, 1, 1),
        (25.0, 2, 1, 2),
        (25.5, 3, 2, 2),  # between the integer cut-offs 25 and 26
        (49.9, 3, 2, 2),
        (50.0, 4, 2, 2),
        (75.0, 4, 3, 3),
        (75.1, 5, 4, 4),
        (100.0, 5, 4, 4),
    ],
)
def test_points_follow_the_cut_offs(percent: float, ctss: int, lss: int, extent: int) -> None:
    assert (points(percent, CTSS), points(percent, LSS), points(percent, ZONE_EXTENT)) == (ctss, lss, extent)


def test_lobar_scores_are_sums_over_lobes() -> None:
    lobes = [0.0, 3.0, 20.0, 60.0, 90.0]
    assert lobar_score(lobes, CTSS) == 0 + 1 + 2 + 4 + 5
    assert lobar_score(lobes, LSS) == 0 + 1 + 1 + 3 + 4


def test_a_zone_counts_its_extent_times_its_predominant_density() -> None:
    zones = [
        {},  # healthy
        {"ggo": 10.0},  # 1 x hazy
        {"ggo": 20.0, "consolidation": 10.0},  # 30 % together: 2 x hazy
        {"ggo": 20.0, "consolidation": 40.0},  # 60 %: 3 x dense
        {"ggo": 40.0, "consolidation": 40.0},  # 80 %: 4 x dense, the denser of two equal parts
        {"interstitial": 5.0},  # 1 x hazy
    ]
    assert zone_score(zones) == 0 + 1 * 2 + 2 * 2 + 3 * 3 + 4 * 3 + 1 * 2
    assert zone_score([{"consolidation": 100.0}] * 6) == 72
