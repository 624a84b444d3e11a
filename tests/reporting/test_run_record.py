"""run.json says how a result was made, and of whom nothing."""

from __future__ import annotations

import json

import pytest

from msdnet.files import read_run_record
from msdnet.reporting import write_run_record


def test_the_record_names_what_a_figure_depends_on(make_segmentation, tmp_path):
    segmentation = make_segmentation(skipped=(3,))
    write_run_record(
        segmentation,
        tmp_path,
        files={"labels": "labels.nii.gz"},
        seconds={"read": 1.23456, "segment": 2.0},
        options={"window": None, "flips": True},
        notes=("A finding.",),
        absences={"segmentation": "there is no frame of reference", "pdf": ""},
    )
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert record["weights"] == {"name": "test-weights", "sha256": "cd34" * 16}
    assert record["input"]["sha256"] == "ab12" * 16
    assert record["input"]["shape"] == {"slice": 20, "row": 60, "column": 80}
    assert record["input"]["spacing_mm"] == {"slice": 2.0, "row": 1.5, "column": 0.75}
    assert record["schema"]["labels"] == {"0": "background", "1": "ggo", "2": "consolidation"}
    assert record["seconds"] == {"read": 1.235, "segment": 2.0}
    assert record["device"] == "cpu"
    assert record["engine"] == {"engine": "torch", "precision": "f32"}
    assert record["options"] == {"window": None, "flips": True}
    assert record["files"] == {"labels": "labels.nii.gz", "run": "run.json"}
    assert record["segmentation_absent"] == "there is no frame of reference"
    assert record["skipped_slices"] == [3]
    assert record["notes"] == ["A finding."]
    assert record["version"]
    assert record["python"]
    assert record["libraries"]["torch"]
    text = json.dumps(record).casefold()
    for secret in ("plantedgiven", "plantedsurname", "4711", "20200317", "1.2.826", str(tmp_path).casefold()):
        assert secret not in text


def test_only_records_of_msdnet_are_recognised(make_segmentation, tmp_path):
    assert read_run_record(tmp_path) is None
    (tmp_path / "run.json").write_text('{"tool": "another"}', encoding="utf-8")
    assert read_run_record(tmp_path) is None
    (tmp_path / "run.json").write_text("not json", encoding="utf-8")
    assert read_run_record(tmp_path) is None
    write_run_record(make_segmentation(), tmp_path, files={}, seconds={}, options={})
    assert read_run_record(tmp_path) is not None


@pytest.mark.parametrize("orientation", ["LPH", "RFA", "PHL"])
def test_size_and_spacing_go_by_the_axes_of_the_report_in_any_grid(make_segmentation, tmp_path, orientation):
    write_run_record(make_segmentation(orientation=orientation), tmp_path, files={}, seconds={}, options={})
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert record["input"]["shape"] == {"slice": 20, "row": 60, "column": 80}
    assert record["input"]["spacing_mm"] == {"slice": 2.0, "row": 1.5, "column": 0.75}


@pytest.mark.parametrize(
    ("pixels", "expected"), [(False, (None, None, None)), (True, (None, 1.5, 0.75))], ids=["nothing", "pixels"]
)
def test_a_spacing_that_is_not_stated_is_null(make_segmentation, tmp_path, pixels, expected):
    segmentation = make_segmentation(spacing_known=False, pixel_spacing_stated=pixels)
    write_run_record(segmentation, tmp_path, files={}, seconds={}, options={})
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert tuple(record["input"]["spacing_mm"].values()) == expected
