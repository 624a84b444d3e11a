from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from msdnet.errors import OutputError
from msdnet.labels import SCHEMAS
from msdnet.scans import Scan, read_scan, write_labels
from msdnet.scans.dicom_files import quiet_pydicom
from msdnet.scans.dicom_seg import check_segmentation

THICKNESS = Tag("SliceThickness")
WEIGHTS = {"weights_name": "test", "weights_sha256": "ab" * 32}


@pytest.fixture
def scan(tmp_path: Path, ct: Any) -> Scan:
    slices = ct.make_slices(PatientBirthDate=None, PatientSex=None, AccessionNumber=None, StudyID=None)
    ct.write_slices(slices, tmp_path / "scan")
    return read_scan(tmp_path / "scan")


def _write(scan: Scan, labels: np.ndarray, folder: Path, schema: str = "ggo-consolidation") -> Any:
    written = write_labels(labels, scan, folder, schema=SCHEMAS[schema], **WEIGHTS)
    assert written == {"labels": "labels.nii.gz", "segmentation": "segmentation.dcm"}
    return pydicom.dcmread(folder / "segmentation.dcm")


def _errors(program: str, path: Path) -> list[str]:
    run = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]


def _labels(kind: str, shape: tuple[int, ...], ct: Any) -> np.ndarray:
    labels = np.zeros(shape, dtype=np.uint8)
    if kind == "both":
        return ct.some_labels(shape)
    if kind == "one_class":
        labels[2:4, 3:9, 4:7] = 2
    if kind == "one_slice":
        labels[3, 3:9, 4:7] = 1
    if kind == "far_slices":
        labels[0, 3:9, 4:7] = 1
        labels[-1, 1:9, 4:7] = 1
    return labels


KINDS = ["both", "one_class", "one_slice", "far_slices", "none"]


def test_segments_are_coded_and_name_their_source(scan: Scan, tmp_path: Path, ct: Any) -> None:
    dataset = _write(scan, ct.some_labels(scan.voxels.shape), tmp_path / "out", "msdnet-paper")
    assert dataset.SegmentationType == "BINARY"
    codes = [s.SegmentedPropertyTypeCodeSequence[0] for s in dataset.SegmentSequence]
    assert [(c.CodeValue, c.CodingSchemeDesignator) for c in codes] == [
        ("112120", "DCM"),
        ("112121", "DCM"),
        ("9656002", "SCT"),
    ]
    schemes = {s.CodingSchemeDesignator: s.CodingSchemeUID for s in dataset.CodingSchemeIdentificationSequence}
    assert schemes == {"DCM": "1.2.840.10008.2.16.4", "SCT": "2.16.840.1.113883.6.96"}
    assert dataset.PatientName == "Sample^Quintus"
    assert dataset.PatientBirthDate == dataset.PatientSex == dataset.StudyID == ""


def test_each_frame_references_and_lies_on_its_source_slice(scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    dataset = _write(scan, labels, tmp_path / "out")
    position = {str(d.SOPInstanceUID): list(d.ImagePositionPatient) for d in scan.source.datasets}
    slice_of = {uid: k for k, uid in enumerate(position)}
    frames = dataset.pixel_array
    assert len(frames) == sum(np.any(labels[k] == c) for k in range(len(labels)) for c in (1, 2))
    for frame, groups in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        uid = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        segment = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert list(groups.PlanePositionSequence[0].ImagePositionPatient) == position[uid]
        np.testing.assert_array_equal(frame, labels[slice_of[uid]] == segment)


@pytest.mark.parametrize("kind", KINDS)
def test_highdicom_reads_the_same_voxels_back(kind: str, scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = _labels(kind, scan.voxels.shape, ct)
    _write(scan, labels, tmp_path / "out")
    segmentation = hd.seg.segread(tmp_path / "out" / "segmentation.dcm")
    read = segmentation.get_pixels_by_source_instance(
        [d.SOPInstanceUID for d in scan.source.datasets],
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )
    np.testing.assert_array_equal(read, labels)


@pytest.mark.parametrize("schema", ["ggo-consolidation", "infection"])
@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(
    kind: str, schema: str, scan: Scan, tmp_path: Path, ct: Any, require_tool: Callable[[str], str]
) -> None:
    program = require_tool("dciodvfy")
    labels = np.minimum(_labels(kind, scan.voxels.shape, ct), SCHEMAS[schema].num_classes - 1)
    _write(scan, labels, tmp_path / "out", schema)
    assert _errors(program, tmp_path / "out" / "segmentation.dcm") == []


def _counts_by_dcmqi(program: str, path: Path, folder: Path) -> dict[int, int]:
    folder.mkdir()
    command = [program, "--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nii"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    images = {int(p.name.split(".")[0]): np.asanyarray(nib.load(p).dataobj) for p in folder.glob("*.nii.gz")}
    return {number: int(np.count_nonzero(image)) for number, image in images.items()}


def _dcmqi(require_tool: Callable[[str], str]) -> str:
    beside = Path(sys.executable).parent / "segimage2itkimage"
    return str(beside) if beside.is_file() else require_tool("segimage2itkimage")


@pytest.mark.parametrize("kind", KINDS)
def test_dcmqi_reads_the_same_counts_back(
    kind: str, scan: Scan, tmp_path: Path, ct: Any, require_tool: Callable[[str], str]
) -> None:
    labels = _labels(kind, scan.voxels.shape, ct)
    _write(scan, labels, tmp_path / "out")
    found = _counts_by_dcmqi(_dcmqi(require_tool), tmp_path / "out" / "segmentation.dcm", tmp_path / "dcmqi")
    for index in (1, 2):
        assert found.get(index, 0) == np.count_nonzero(labels == index)


def test_uids_repeat_for_the_same_input_and_change_with_labels_and_weights(scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    first, again = (_write(scan, labels, tmp_path / n) for n in "ab")
    assert first.SOPInstanceUID == again.SOPInstanceUID
    assert first.SeriesInstanceUID == again.SeriesInstanceUID
    changed = labels.copy()
    changed[0, 0, 0] = 0
    assert _write(scan, changed, tmp_path / "c").SOPInstanceUID != first.SOPInstanceUID
    write_labels(
        labels, scan, tmp_path / "d", schema=SCHEMAS["ggo-consolidation"], weights_name="test", weights_sha256="cd" * 32
    )
    assert pydicom.dcmread(tmp_path / "d" / "segmentation.dcm").SOPInstanceUID != first.SOPInstanceUID


def test_anonymous_leaves_the_segmentation_out(scan: Scan, tmp_path: Path, ct: Any) -> None:
    written = write_labels(
        ct.some_labels(scan.voxels.shape),
        scan,
        tmp_path / "out",
        schema=SCHEMAS["ggo-consolidation"],
        anonymous=True,
        **WEIGHTS,
    )
    assert set(written) == {"labels", "segmentation_absent"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["labels.nii.gz"]


def test_a_frame_on_the_wrong_slice_is_noticed_on_reading_back(scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    dataset = _write(scan, labels, tmp_path / "out")
    groups = dataset.PerFrameFunctionalGroupsSequence
    groups[0].PlanePositionSequence, groups[1].PlanePositionSequence = (
        groups[1].PlanePositionSequence,
        groups[0].PlanePositionSequence,
    )
    dataset.save_as(tmp_path / "moved.dcm")
    with pytest.raises(OutputError, match="references another"):
        check_segmentation(tmp_path / "moved.dcm", scan, labels)


def test_a_mirrored_frame_is_noticed_on_reading_back(scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    dataset = _write(scan, labels, tmp_path / "out")
    orientation = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    orientation.ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
    dataset.save_as(tmp_path / "mirrored.dcm")
    with pytest.raises(OutputError, match="lies on no slice"):
        check_segmentation(tmp_path / "mirrored.dcm", scan, labels)


@pytest.mark.parametrize("change", ["a voxel", "a whole class"])
def test_labels_that_a_segmentation_lacks_are_noticed_on_reading_back(
    change: str, scan: Scan, tmp_path: Path, ct: Any
) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    _write(scan, np.where(labels == 2, 0, labels).astype(np.uint8) if change == "a whole class" else labels, tmp_path)
    if change == "a voxel":
        place = tuple(np.argwhere(labels)[0])
        labels[place] = 0
    with pytest.raises(OutputError, match="differs from what was predicted"):
        check_segmentation(tmp_path / "segmentation.dcm", scan, labels)


@pytest.mark.parametrize("value", [b"2.5mm ", b"", None])
def test_a_thickness_that_is_no_number_does_not_stand_in_the_way(value: bytes | None, tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices(SliceThickness=None)
    for d in slices:
        if value is not None:
            d[THICKNESS] = RawDataElement(THICKNESS, "DS", len(value), value, 0, False, True)
    with quiet_pydicom():
        ct.write_slices(slices, tmp_path / "scan")
    scan = read_scan(tmp_path / "scan")
    dataset = _write(scan, ct.some_labels(scan.voxels.shape), tmp_path / "out")
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == pytest.approx(2.5)


def test_headers_that_make_a_seg_impossible_leave_the_other_results(scan: Scan, tmp_path: Path, ct: Any) -> None:
    scan.source.datasets[0].SpecificCharacterSet = "NO SUCH SET"
    labels = ct.some_labels(scan.voxels.shape)
    written = write_labels(labels, scan, tmp_path / "out", schema=SCHEMAS["ggo-consolidation"], **WEIGHTS)
    assert set(written) == {"labels", "segmentation_absent"}
    assert "not valid in DICOM" in written["segmentation_absent"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["labels.nii.gz"]


@pytest.mark.parametrize("character_set", [["", "ISO 2022 IR 87"], ["ISO 2022 IR 13", "ISO 2022 IR 87"]])
def test_names_in_several_scripts_stay_what_they_are(character_set: list[str], tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices(SpecificCharacterSet=character_set, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")
    ct.write_slices(slices, tmp_path / "scan")
    scan = read_scan(tmp_path / "scan")
    dataset = _write(scan, ct.some_labels(scan.voxels.shape), tmp_path / "out")
    assert dataset.PatientName.ideographic == "山田^太郎"
    assert dataset.PatientName.phonetic == "やまだ^たろう"
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
