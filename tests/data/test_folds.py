from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from msdnet.data.covid_semiseg import TrainingSlice
from msdnet.data.folds import assign_folds, check_classes, folds_for, read_folds, training_part
from msdnet.data.manifest import Manifest
from msdnet.errors import DatasetError
from msdnet.labels import get_schema


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


def _manifest(sha256: str = "ab" * 32) -> Manifest:
    return Manifest(Path("manifest.csv"), (), "ggo-consolidation", "grey", {0: 0, 1: 1, 2: 2}, sha256=sha256)


def _draw(path: Path, slices: list[TrainingSlice]) -> tuple[int, ...]:
    return folds_for(_manifest(), slices, path, num_folds=3, seed=0).folds


def test_folds_are_drawn_once_and_then_read(tmp_path: Path, drawn_slices: list[TrainingSlice]) -> None:
    path = tmp_path / "runs" / "folds.csv"
    drawn = _draw(path, drawn_slices)
    assert list(drawn) == assign_folds(drawn_slices, 3, seed=0)
    kept = path.read_text().replace(f",g1,{drawn[2]}", f",g1,{(drawn[2] + 1) % 3}")
    path.write_text(kept)
    assert _draw(path, drawn_slices)[2] == (drawn[2] + 1) % 3  # what the file says, not what would be drawn
    assert _draw(path, drawn_slices[::-1])[9] == (drawn[2] + 1) % 3
    assert path.read_text() == kept


def test_folds_of_a_data_set_that_changed_are_refused(tmp_path: Path, drawn_slices: list[TrainingSlice]) -> None:
    _draw(tmp_path / "folds.csv", drawn_slices)
    with pytest.raises(DatasetError, match="has changed since the folds"):
        folds_for(_manifest("cd" * 32), drawn_slices, tmp_path / "folds.csv", num_folds=3, seed=0)


def test_folds_drawn_otherwise_are_refused(tmp_path: Path, drawn_slices: list[TrainingSlice]) -> None:
    _draw(tmp_path / "folds.csv", drawn_slices)
    with pytest.raises(DatasetError, match="others than asked for"):
        folds_for(_manifest(), drawn_slices, tmp_path / "folds.csv", num_folds=3, seed=1)


def test_a_damaged_file_of_folds_is_refused_with_all_its_faults(
    tmp_path: Path, drawn_slices: list[TrainingSlice]
) -> None:
    path = tmp_path / "folds.csv"
    drawn = _draw(path, drawn_slices)
    lines = path.read_text().splitlines()
    lines[2] = f"s0,g0,{(drawn[0] + 1) % 3}"  # s1 of the same patient stays where it is
    lines[4] = "s2,g7,0"
    lines[7] = "s5,g2,3"
    lines.append("s99,g99,0")
    path.write_text("\n".join(lines))
    with pytest.raises(DatasetError) as refused:
        read_folds(path, _manifest(), drawn_slices)
    for told in (
        "a group (patient) in two folds: g0",
        "another group than in the data set: s2",
        "fold '3', which is none: s5",
        "a slice without fold: s5",
        "a slice that does not take part: s99",
    ):
        assert told in str(refused.value)


@pytest.mark.parametrize("text", ["", "slice,group,fold\ns0,g0,1\n"])
def test_a_file_without_the_data_set_s_name_is_refused(
    tmp_path: Path, drawn_slices: list[TrainingSlice], text: str
) -> None:
    (tmp_path / "folds.csv").write_text(text)
    with pytest.raises(DatasetError, match="no file of folds"):
        read_folds(tmp_path / "folds.csv", _manifest(), drawn_slices)


def test_a_class_of_one_patient_alone_is_refused_and_nothing_written(
    tmp_path: Path, drawn_slices: list[TrainingSlice]
) -> None:
    for s in drawn_slices:
        if s.labels is not None:
            s.labels[s.labels == 2] = 0 if s.group != "g3" else 2
            s.labels[s.labels == 1] = 0 if s.group != "g4" else 1
    with pytest.raises(DatasetError) as refused:
        _draw(tmp_path / "folds.csv", drawn_slices)
    assert "no slice with ggo in the training part of" in str(refused.value)
    assert "no slice with consolidation in the training part of" in str(refused.value)
    assert not (tmp_path / "folds.csv").exists()


def test_a_class_missing_from_validation_alone_is_a_note(drawn_slices: list[TrainingSlice]) -> None:
    folds = [int(s.group[1]) // 2 for s in drawn_slices]
    for s in drawn_slices[8:]:
        if s.labels is not None:
            s.labels[s.labels == 2] = 0
    schema = get_schema("ggo-consolidation")
    assert check_classes(drawn_slices, folds, schema) == [
        "No slice with consolidation in the validation part of: fold 2"
    ]


def test_the_training_part_has_nothing_of_the_held_back_patients(drawn_slices: list[TrainingSlice]) -> None:
    folds = assign_folds(drawn_slices, 3, seed=0)
    unlabelled = [dataclasses.replace(s, name=f"u-{s.name}", labels=None) for s in drawn_slices]
    held_back = {s.group for s, f in zip(drawn_slices, folds, strict=True) if f == 1}
    part = training_part(drawn_slices, folds, 1, unlabelled)
    assert len(part) == 2 * sum(f != 1 for f in folds)
    assert not held_back & {s.group for s in part}
