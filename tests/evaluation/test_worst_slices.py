from __future__ import annotations

import pytest

from msdnet.errors import OptionError
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.worst_slices import worst_slices


def _slice(name: str, ggo: tuple[int, int, int], consolidation: tuple[int, int, int], lesion: tuple[int, int, int]):
    """Rows of a slice of 1,000 pixels from (tp, fp, fn) of each class."""
    counts = {"ggo": ggo, "consolidation": consolidation, "any_lesion": lesion}
    return [SliceOverlap(name, name, 0, c, *v, 1000 - sum(v)) for c, v in counts.items()]


ROWS = [
    *_slice("good", (90, 10, 10), (0, 0, 0), (90, 10, 10)),
    *_slice("missed", (20, 0, 80), (0, 0, 0), (20, 0, 80)),
    *_slice("false", (50, 150, 0), (0, 0, 0), (50, 150, 0)),
    *_slice("confused", (10, 0, 80), (0, 80, 0), (90, 0, 0)),
    *_slice("healthy", (0, 9, 0), (0, 0, 0), (0, 9, 0)),
]


def test_the_worst_come_first_and_healthy_slices_are_not_among_them() -> None:
    assert [bad.name for bad in worst_slices(ROWS)] == ["missed", "false", "good", "confused"]
    assert [bad.name for bad in worst_slices(ROWS, 2)] == ["missed", "false"]
    with pytest.raises(OptionError, match="no slice to choose"):
        worst_slices(ROWS, 0)


def test_each_fault_is_named() -> None:
    faults = {bad.name: bad.faults for bad in worst_slices(ROWS)}
    assert faults == {
        "missed": ("80 % of the lesion missed",),
        "false": ("75 % of the marks on tissue without lesion",),
        "good": (),
        "confused": ("89 % of the lesion that is found given another class",),
    }


def test_shares_and_dsc_are_those_of_the_counts() -> None:
    missed = worst_slices(ROWS, 1)[0]
    assert (missed.true_share, missed.marked_share) == (0.1, 0.02)
    assert missed.dsc == pytest.approx({"ggo": 40 / 120, "any_lesion": 40 / 120})  # no consolidation there or marked
