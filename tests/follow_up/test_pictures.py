"""What is drawn can be read, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from msdnet.quantification.follow_up import Timepoint
from msdnet.reporting.follow_up import draw_course
from msdnet.reporting.follow_up.pictures import choose_ticks, choose_times


@pytest.mark.parametrize("days", [[0, 1, 2, 90], [0, 30, 31, 32, 89, 90], [0, 0, 400, 401, 402, 1200], [5, 5]])
def test_written_days_do_not_overlap(days: list[int], make_point, tmp_path: Path, monkeypatch) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))[1])
    draw_course([make_point(day) for day in days], tmp_path / "course.png")
    axes = drawn[0].axes[0]
    labels = [label for label in axes.get_xticklabels() if label.get_text()]
    assert {label.get_text() for label in labels} >= {str(min(days)), str(max(days))}
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert sorted(axes.get_xticks(minor=True)) == sorted(set(days) - set(choose_ticks(days)))


def test_days_with_room_are_all_written() -> None:
    assert choose_ticks([0, 8, 20]) == [0, 8, 20]
    assert choose_ticks([0, 1, 2, 90]) == [0, 90]


def test_of_many_scans_the_first_and_the_last_three_are_shown() -> None:
    assert choose_times(4) == [0, 1, 2, 3]
    assert choose_times(6) == [0, 3, 4, 5]


def test_the_legend_begins_with_all_lesions(make_point: Callable[..., Timepoint], tmp_path: Path, monkeypatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    draw_course([make_point(0), make_point(8)], tmp_path / "course.png")
    assert drawn[0].axes[0].get_legend().get_texts()[0].get_text() == "All lesions"
    assert np.isfinite(drawn[0].axes[0].get_ylim()).all()
