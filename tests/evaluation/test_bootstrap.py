from __future__ import annotations

import numpy as np
import pytest

from msdnet.evaluation import bootstrap
from msdnet.evaluation.bootstrap import bootstrap_interval


def test_one_group_has_no_interval() -> None:
    assert bootstrap_interval(["g"] * 20, list(range(20))) is None
    assert bootstrap_interval([], []) is None


def test_the_interval_covers_as_the_normal_one_does_for_many_groups() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval([str(i) for i in range(400)], values)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.04)
    assert high == pytest.approx(values.mean() + half, abs=0.04)


def test_a_ratio_is_pooled_within_each_resample() -> None:
    # Groups of 1/1 and 0/9: drawn together they give 0.1, drawn twice 1 or 0.
    assert bootstrap_interval(["a", "b"], [1, 0], [1, 9]) == (0.0, 1.0)
    low, high = bootstrap_interval(["a", "b"], [1, 0], [1, 9], level=0.4)
    assert (low, high) == (0.1, 0.1)


def test_resamples_without_denominator_are_left_out() -> None:
    assert bootstrap_interval(["a", "b"], [1, 0], [2, 0]) == (0.5, 0.5)
    assert bootstrap_interval(["a", "b"], [0, 0], [0, 0]) is None


def test_pieces_of_the_draw_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).uniform(size=30)
    groups = [str(i // 2) for i in range(30)]
    whole = bootstrap_interval(groups, values)
    monkeypatch.setattr(bootstrap, "_MAX_DRAWN", 15 * 7)
    assert bootstrap_interval(groups, values) == whole
    assert bootstrap_interval(groups, values, seed=1) != whole
