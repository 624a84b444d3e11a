from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from msdnet.errors import OptionError, SchemaError
from msdnet.quantification.follow_up import find_changes, read_timepoints

DATES = (datetime.date(2024, 3, 1), datetime.date(2024, 3, 9))


def _spoil(folder: Path, **values: object) -> Path:
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        record[key] = value
    path.write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_figures_are_those_of_the_results(results, phantoms) -> None:
    first, second = read_timepoints(results, same_person=True, dates=DATES)
    assert (first.day, second.day) == (0, 8)
    for point, phantom in zip((first, second), phantoms, strict=True):
        truth = phantom.labels_in("ggo-consolidation")
        voxel_ml = phantom.spacing_mm[0] * phantom.spacing_mm[1] * phantom.spacing_mm[2] / 1000
        assert point.figures["scan", "ggo", "volume_ml"] == pytest.approx((truth == 1).sum() * voxel_ml, rel=1e-4)
        assert point.figures["scan", "any_lesion", "volume_ml"] == pytest.approx((truth > 0).sum() * voxel_ml, rel=1e-4)
        assert point.lungs_ml == pytest.approx((phantom.lungs > 0).sum() * voxel_ml, rel=0.05)
        assert point.sd == pytest.approx(dict.fromkeys(("ggo", "consolidation", "any_lesion"), 0.03), abs=1e-3)
        assert point.num_looks == 4
    assert first.acquisition["slice_spacing_mm"] == pytest.approx(10.0)


def test_the_order_is_that_of_time(results) -> None:
    points = read_timepoints(results, same_person=True, dates=DATES[::-1])
    assert [point.folder for point in points] == [results[1], results[0]]
    assert [point.day for point in points] == [0, 8]


def test_without_a_subject_the_user_must_say_who_and_when(results) -> None:
    with pytest.raises(OptionError, match="--same-person"):
        read_timepoints(results, dates=DATES)
    with pytest.raises(OptionError, match="--dates"):
        read_timepoints(results, same_person=True)
    with pytest.raises(OptionError, match="1 date for 2 results"):
        read_timepoints(results, same_person=True, dates=DATES[:1])


def test_subjects_tell_who_and_when(copy_of) -> None:
    first = _spoil(copy_of(0), subject={"key": "a", "day": 700})
    second = _spoil(copy_of(1), subject={"key": "a", "day": 712})
    assert [point.day for point in read_timepoints([first, second])] == [0, 12]
    _spoil(second, subject={"key": "b", "day": 712})
    with pytest.raises(OptionError, match="different people"):
        read_timepoints([first, second], dates=DATES)


def test_what_cannot_be_compared_is_refused(results, copy_of, tmp_path) -> None:
    with pytest.raises(OptionError, match="two or more"):
        read_timepoints([results[0], results[0]], same_person=True, dates=DATES)
    with pytest.raises(OptionError, match="no result of msdnet"):
        read_timepoints([results[0], tmp_path], same_person=True, dates=DATES)
    other = _spoil(copy_of(1), schema={"name": "infection", "labels": {}})
    with pytest.raises(SchemaError, match="different label schemas"):
        read_timepoints([results[0], other], same_person=True, dates=DATES)
    spacing = {"slice": None, "row": 1.0, "column": 1.0}
    flat = _spoil(copy_of(0), input={"spacing_mm": spacing, "sha256": "0"})
    with pytest.raises(OptionError, match="spacing is unknown"):
        read_timepoints([results[1], flat], same_person=True, dates=DATES)


def test_a_damaged_result_is_told_by_its_folder(copy_of, results) -> None:
    others = {"same_person": True, "dates": DATES}
    folder = copy_of(1)
    kept = (folder / "measures.json").read_text(encoding="utf-8")
    for content in ("[]", '[{"class": "ggo"}]', "{", None):
        if content is None:
            (folder / "measures.json").unlink()
        else:
            (folder / "measures.json").write_text(content, encoding="utf-8")
        with pytest.raises(OptionError, match="segment that scan again") as caught:
            read_timepoints([results[0], folder], **others)
        assert folder.name in str(caught.value)
    (folder / "measures.json").write_text(kept, encoding="utf-8")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["input"]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(OptionError, match="an incomplete run"):
        read_timepoints([results[0], folder], **others)


def test_dates_that_contradict_the_scans_are_refused(copy_of) -> None:
    first = _spoil(copy_of(0), subject={"key": "a", "day": 700})
    second = _spoil(copy_of(1), subject={"key": "a", "day": 712})
    with pytest.raises(OptionError, match="leave --dates out"):
        read_timepoints([first, second], dates=DATES)
    right = DATES[0], DATES[0] + datetime.timedelta(days=12)
    assert [point.day for point in read_timepoints([first, second], dates=right)] == [0, 12]


def test_a_class_that_no_further_look_shows_is_not_the_steadiest(copy_of, results) -> None:
    folder = copy_of(1)
    looks = json.loads((folder / "repeatability.json").read_text(encoding="utf-8"))
    looks[1] |= {"sd_log_area": 0.0, "plain": [0, 0, 0, 0], "again": [0, 0, 0, 0]}
    (folder / "repeatability.json").write_text(json.dumps(looks), encoding="utf-8")
    points = read_timepoints([results[0], folder], same_person=True, dates=DATES)
    assert set(points[1].sd) == {"ggo", "any_lesion"}
    changes = {c.class_name: c for c in find_changes(*points) if (c.region, c.measure) == ("scan", "volume_ml")}
    assert (changes["consolidation"].half_width, changes["consolidation"].band_absent) == (None, "unsteady")
    assert changes["ggo"].half_width is not None


def test_scans_of_one_day_are_told_apart_by_letters(results, copy_of) -> None:
    third = copy_of(0)
    dates = (DATES[0], DATES[1], DATES[0])
    points = read_timepoints([*results, third], same_person=True, dates=dates)
    assert [point.name for point in points] == ["0a", "0b", "8"]
    assert [point.folder for point in points] == [results[0], third, results[1]]


def test_two_keys_are_one_person_by_the_users_word(copy_of) -> None:
    first = _spoil(copy_of(0), subject={"key": "a", "day": 700})
    second = _spoil(copy_of(1), subject={"key": "b", "day": 3})
    with pytest.raises(OptionError, match="add --same-person"):
        read_timepoints([first, second], dates=DATES)
    points = read_timepoints([first, second], same_person=True, dates=DATES)
    assert [point.key for point in points] == ["a", "b"]
