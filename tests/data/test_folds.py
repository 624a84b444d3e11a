from __future__ import annotations

import pytest

from msdnet.data.covid_semiseg import TrainingSlice
from msdnet.data.folds import assign_folds
from msdnet.errors import DatasetError


def test_a_group_never_spans_two_folds_and_every_slice_has_one(drawn_slices: list[TrainingSlice]) -> None:
    folds = assign_folds(drawn_slices, 3, seed=0)
    assert set(folds) == {0, 1, 2}
    for group in {s.group for s in drawn_slices}:
        assert len({f for s, f in zip(drawn_slices, folds, strict=True) if s.group == group}) == 1


def test_the_seed_decides(drawn_slices: list[TrainingSlice]) -> None:
    assert assign_folds(drawn_slices, 3, seed=0) == assign_folds(drawn_slices, 3, seed=0)
    assert any(assign_folds(drawn_slices, 3, seed=0) != assign_folds(drawn_slices, 3, seed=s) for s in range(1, 6))


def test_more_folds_than_groups_are_refused(drawn_slices: list[TrainingSlice]) -> None:
    with pytest.raises(DatasetError, match="6 groups"):
        assign_folds(drawn_slices, 7, seed=0)
