"""The published severity scores, each with its cut-offs and source. Gaps between integer cut-offs are closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cutoff:
    """The points for a share of involvement up to a bound, in percent."""

    points: int
    up_to: float
    bound_included: bool


CTSS = (Cutoff(0, 0, True), Cutoff(1, 5, False), Cutoff(2, 25, True), Cutoff(3, 50, False), Cutoff(4, 75, True))
"""CT severity score of a lobe, 5 points above the last; five lobes, 0 to 25: 0 %; < 5; 5-25; 26-49; 50-75; > 75. What
lies between 25 and 26 or 49 and 50 has 3 points. Source: Pan et al., Radiology 2020, doi:10.1148/radiol.2020200370."""

LSS = (Cutoff(0, 0, True), Cutoff(1, 25, True), Cutoff(2, 50, True), Cutoff(3, 75, True))
"""Lung severity score of a lobe, 4 points above the last; five lobes, 0 to 20: 0 %; 1-25; 25-50; 50-75; 75-100. A bound
counts as the lower of its two. Source: Chaganti et al., Radiology: AI 2020, doi:10.1148/ryai.2020200048."""

ZONE_EXTENT = (Cutoff(0, 0, True), Cutoff(1, 25, False), Cutoff(2, 50, True), Cutoff(3, 75, True))
"""Extent of a zone, 4 points above the last, times its predominant density, 1 to 3; six zones, 0 to 72: 0 %; < 25;
25-50; 50-75; > 75. 50 counts as the lower. Source: Yuan et al., PLOS ONE 2020, doi:10.1371/journal.pone.0230548."""

NORMAL, HAZY, DENSE = 1, 2, 3
_HAZY, _DENSE = ("ggo", "interstitial"), ("consolidation",)


def points(percent: float, cutoffs: Sequence[Cutoff]) -> int:
    """The points for an involvement in percent."""
    for cutoff in cutoffs:
        if percent < cutoff.up_to or (cutoff.bound_included and percent == cutoff.up_to):
            return cutoff.points
    return cutoffs[-1].points + 1


def lobar_score(percent_of_lobes: Sequence[float], cutoffs: Sequence[Cutoff]) -> int:
    """`CTSS` or `LSS`, summed over the lobes.

    Args:
        percent_of_lobes: How much of each of the five lobes is opaque.
        cutoffs: Of the score.
    """
    return sum(points(percent, cutoffs) for percent in percent_of_lobes)


def zone_score(zones: Sequence[Mapping[str, float]]) -> int:
    """Extent times predominant density, summed over six zones.

    Args:
        zones: Of each zone, the percent of it that each class takes; those of no lesion are left out.
    """
    return sum(points(sum(zone.values()), ZONE_EXTENT) * _density(zone) for zone in zones)


def _density(zone: Mapping[str, float]) -> int:
    """Reading: the denser of two equal parts predominates; a class of unknown density counts as hazy."""
    dense = sum(share for name, share in zone.items() if name in _DENSE)
    hazy = sum(zone.values()) - dense
    return NORMAL if dense + hazy == 0 else DENSE if dense >= hazy else HAZY
