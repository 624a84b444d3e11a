"""A study's folder is whole or absent, says what it must, and names nobody outside DICOM."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from csv import DictReader
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from msdnet import study
from msdnet.data.phantom import make_phantom
from msdnet.errors import OptionError, OutputError, ScanError
from msdnet.labels import get_schema
from msdnet.memory import held_memory_mb
from msdnet.prediction import Segmentation
from msdnet.prediction.trust import Trust
from msdnet.scans import find_scans
from msdnet.study import replaced_folder, segment_study

SECRETS = ("plantedgiven", "plantedsurname", "4711-AB", "19010203", "20200317")


class FakeSegmenter:
    """Marks a box in the scan's middle; counts its calls."""

    flips, all_slices = True, False

    def __init__(self) -> None:
        self.num_calls = 0

    def segment(self, scan, progress=None):
        self.num_calls += 1
        labels = np.zeros(scan.voxels.shape, np.uint8)
        labels[tuple(slice(size // 3, 2 * size // 3 + 1) for size in labels.shape)] = 1
        labels[tuple(size // 2 for size in labels.shape)] = 2
        if progress is not None:
            progress(1, 2)
            progress(2, 2)
        schema = get_schema("ggo-consolidation")
        note = f"A flag that quotes {scan.source.datasets[0].PatientName}." if scan.source.datasets else "A flag."
        return Segmentation(scan, labels, schema, "fake-weights", "0f" * 32, "cpu", notes=(note,))


class DoubtfulSegmenter(FakeSegmenter):
    """Does not trust its own consolidation."""

    def segment(self, scan, progress=None):
        told = (
            Trust("ggo", 0.7, (0.5, 0.9), (0.8, 1.2), False),
            Trust("consolidation", 0.2, (0.0, 0.5), (0.0, 3.0), True, "it moves"),
        )
        return dataclasses.replace(super().segment(scan, progress), trust=told)


@pytest.fixture
def nifti(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    voxels = rng.integers(-900, 100, (24, 22, 9)).astype(np.int16)
    voxels[:2] = -1000
    path = tmp_path / "chest.nii.gz"
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.5, -1.5, 3.0, 1.0])), path)
    return path


@pytest.fixture
def dicom(tmp_path) -> Path:
    """A CT series of a named patient, in a folder named after her."""
    folder = tmp_path / "Plantedgiven_Plantedsurname"
    folder.mkdir()
    rng = np.random.default_rng(1)
    study_uid, series_uid, frame_uid = generate_uid(), generate_uid(), generate_uid()
    for index in range(6):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_ = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.update(
            {
                "SOPClassUID": CTImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
                "StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "FrameOfReferenceUID": frame_uid,
                "PatientName": "Plantedsurname^Plantedgiven", "PatientID": "4711-AB", "PatientBirthDate": "19010203",
                "PatientSex": "F", "StudyDate": "20200317", "StudyTime": "101112", "StudyID": "77",
                "AccessionNumber": "", "ReferringPhysicianName": "", "Manufacturer": "", "Modality": "CT",
                "SeriesNumber": 2, "InstanceNumber": index + 1, "PositionReferenceIndicator": "",
                "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "Rows": 20, "Columns": 24,
                "PixelSpacing": [1.5, 1.5], "SliceThickness": 3, "ImagePositionPatient": [-18, -15, 3 * index],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "RescaleSlope": 1, "RescaleIntercept": -1024,
                "RescaleType": "HU", "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
                "BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0, "KVP": 120,
            }
        )  # fmt: skip
        slice_.PixelData = rng.integers(0, 1100, (20, 24)).astype(np.uint16).tobytes()
        slice_.save_as(folder / f"{index}.dcm", enforce_file_format=True)
    return folder


def scan_of(path):
    return find_scans([path])[0]


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_volume_yields_every_file_and_no_dicom(nifti, tmp_path):
    result = segment_study(scan_of(nifti), tmp_path / "out", FakeSegmenter())
    expected = ["front.png", "labels.nii.gz", "measures.csv", "measures.json", "overview.png", "preview.nii.gz"]
    expected += ["report.html", *(["report.pdf"] if "pdf" in result.files else []), "run.json", "scan.csv"]
    assert names_in(tmp_path / "out") == expected
    assert result.report == tmp_path / "out" / "report.html"
    labels = np.asarray(nib.load(tmp_path / "out" / "labels.nii.gz").dataobj)
    assert [m.voxels for m in result.measures] == [np.count_nonzero(labels == 1), np.count_nonzero(labels == 2)]
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert set(record["seconds"]) == {"read", "segment", "write", "measure", "report"}
    assert record["options"]["flips"] is True
    assert record["notes"] == ["A flag."]
    assert sorted(record["files"].values()) == expected


def test_a_chest_yields_its_lungs_on_the_scans_own_grid(tmp_path):
    phantom = make_phantom(1, shape=(20, 96, 96))
    nib.save(nib.Nifti1Image(phantom.voxels_hu.transpose(2, 1, 0), np.diag([-3.6, -3.6, 12.0, 1])), tmp_path / "a.nii")
    result = segment_study(scan_of(tmp_path / "a.nii"), tmp_path / "out", FakeSegmenter())
    assert {"lungs.nii.gz", "lungs.json", "regions.csv", "scan.csv"} <= set(names_in(tmp_path / "out"))
    sides = np.asarray(nib.load(tmp_path / "out" / "lungs.nii.gz").dataobj).transpose(2, 1, 0)
    marked = np.asarray(nib.load(tmp_path / "out" / "labels.nii.gz").dataobj).transpose(2, 1, 0) > 0
    for side in (1, 2):
        found = (sides == side) & ~marked  # the fake lesion fills the mediastinum, too
        assert np.count_nonzero(found & (phantom.lungs == side)) > 0.95 * np.count_nonzero(found)
    record = json.loads((tmp_path / "out" / "lungs.json").read_text(encoding="utf-8"))
    assert record["regions"][0]["voxels"] == np.count_nonzero(sides)
    assert result.files["lungs"] == "lungs.nii.gz"


def test_a_dicom_series_yields_a_segmentation_too(dicom, tmp_path):
    result = segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter())
    assert result.files["segmentation"] == "segmentation.dcm"
    assert (tmp_path / "out" / "segmentation.dcm").is_file()
    assert "contains DICOM with patient data" in result.report.read_text(encoding="utf-8")


def test_the_record_tells_the_site_who_and_how_and_nobody_else(dicom, tmp_path):
    for path in dicom.iterdir():
        slice_ = dcmread(path)
        slice_.ConvolutionKernel = "BONE"
        slice_.save_as(path)
    result = segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter())
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["acquisition"]["kernel"] == "BONE"
    assert set(record["subject"]) == {"key", "day"}
    assert any("sharp kernel (BONE)" in note for note in result.notes)
    segment_study(scan_of(dicom), tmp_path / "anonymous", FakeSegmenter(), anonymous=True)
    assert "subject" not in json.loads((tmp_path / "anonymous" / "run.json").read_text(encoding="utf-8"))


def test_anonymous_leaves_dicom_out_and_says_so(dicom, tmp_path):
    result = segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter(), anonymous=True)
    assert not list((tmp_path / "out").glob("*.dcm"))
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["segmentation_absent"]
    assert any("No DICOM SEG was written" in note for note in result.notes)
    assert "contains DICOM with patient data" not in result.report.read_text(encoding="utf-8")


def test_a_picture_yields_an_index_png(tmp_path):
    rng = np.random.default_rng(2)
    Image.fromarray(rng.integers(0, 255, (40, 50)).astype(np.uint8)).save(tmp_path / "slice.png")
    result = segment_study(scan_of(tmp_path / "slice.png"), tmp_path / "out", FakeSegmenter())
    with Image.open(tmp_path / "out" / "labels.png") as labels:
        assert labels.size == (50, 40)
    assert [m.volume_ml for m in result.measures] == [None, None]


def test_nothing_outside_dicom_names_the_patient(dicom, tmp_path):
    result = segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter(), in_subfolder=True)
    assert result.name == json.loads((result.folder / "run.json").read_text())["input"]["sha256"][:12]
    assert result.folder == tmp_path / "out" / result.name
    uids = {str(scan_of(dicom).paths[0])}
    for path in result.folder.iterdir():
        assert not any(secret.casefold() in path.name.casefold() for secret in SECRETS)
        if path.suffix == ".dcm":
            continue
        content = path.read_bytes()
        if path.suffix == ".gz":
            assert content[3] & 0x08 == 0  # no file name in the gzip header
            content = nib.load(path).header.binaryblock
        text = content.decode("latin-1").casefold()
        for secret in (*SECRETS, *uids, str(tmp_path), "1.2.826.0.1.3680043"):
            assert secret.casefold() not in text, f"{path.name} holds {secret}"


def test_an_earlier_result_is_replaced_as_a_whole(nifti, dicom, tmp_path):
    segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter())
    assert "segmentation.dcm" in names_in(tmp_path / "out")
    segment_study(scan_of(nifti), tmp_path / "out", FakeSegmenter())
    assert "segmentation.dcm" not in names_in(tmp_path / "out")
    assert [name for name in names_in(tmp_path) if name.startswith("out")] == ["out"]


def test_foreign_files_are_never_touched(nifti, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    segmenter = FakeSegmenter()
    with pytest.raises(OptionError, match=r"thesis\.txt"):
        segment_study(scan_of(nifti), out, segmenter)
    assert segmenter.num_calls == 0
    assert names_in(out) == ["thesis.txt"]


def test_a_file_added_to_an_earlier_result_is_never_touched(nifti, tmp_path):
    out = tmp_path / "out"
    segment_study(scan_of(nifti), out, FakeSegmenter())
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match=r"notes\.txt"):
        segment_study(scan_of(nifti), out, FakeSegmenter())
    assert (out / "notes.txt").read_text() == "mine"


def test_a_record_that_claims_foreign_files_does_not_reach_outside(nifti, tmp_path):
    out = tmp_path / "out"
    segment_study(scan_of(nifti), out, FakeSegmenter())
    (out / "sub").mkdir()
    (out / "sub" / "mine.txt").write_text("mine")
    record = json.loads((out / "run.json").read_text())
    record["files"]["sub"] = "sub"
    (out / "run.json").write_text(json.dumps(record))
    with pytest.raises(OptionError, match="sub"):
        segment_study(scan_of(nifti), out, FakeSegmenter())
    assert (out / "sub" / "mine.txt").is_file()


@pytest.mark.parametrize("target", ["out", "out/deeper"])
def test_an_output_that_is_a_file_is_refused(nifti, tmp_path, target):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OptionError, match="not a folder"):
        segment_study(scan_of(nifti), tmp_path / target, FakeSegmenter())
    assert (tmp_path / "out").read_text() == "mine"


def test_the_working_folder_can_be_the_output(nifti, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    for _ in range(2):
        segment_study(scan_of(nifti), Path(), FakeSegmenter())
        assert "run.json" in names_in(out)
        assert not [name for name in names_in(out) if "unfinished" in name]
    assert out.samefile(Path.cwd())


@pytest.mark.parametrize("step", ["write_labels", "draw_overview", "write_report", "write_run_record"])
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failure_at_any_step_leaves_the_output_as_it_was(nifti, tmp_path, monkeypatch, step, error):
    out = tmp_path / "out"
    segment_study(scan_of(nifti), out, FakeSegmenter())
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*arguments, **keywords):
        raise error

    monkeypatch.setattr(study, step, fail)
    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        segment_study(scan_of(nifti), out, FakeSegmenter())
    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        segment_study(scan_of(nifti), tmp_path / "new", FakeSegmenter())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert names_in(tmp_path) == ["chest.nii.gz", "out"]


def test_an_unreadable_scan_leaves_nothing(tmp_path):
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b" + b"nothing" * 20)
    with pytest.raises(ScanError):
        segment_study(scan_of(tmp_path / "broken.nii.gz"), tmp_path / "out", FakeSegmenter())
    assert names_in(tmp_path) == ["broken.nii.gz"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_killed_process_leaves_no_output(tmp_path):
    out = tmp_path / "out"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with replaced_folder(out) as folder:
            (folder / "labels.nii.gz").write_bytes(b"half")
            os.write(writing, b"half-way")
            time.sleep(60)
        os._exit(0)
    assert os.read(reading, 8) == b"half-way"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert not out.exists()
    (leftover,) = names_in(tmp_path)
    assert leftover.startswith("out.unfinished-")
    with replaced_folder(out) as folder:
        (folder / "whole").touch()
    assert names_in(out) == ["whole"]
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize(
    "name", ["out.unfinished-0123", "out.unfinished-0123456789", "other.unfinished-01234567", "out-1"]
)
def test_only_leftovers_of_the_same_output_are_removed(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "out.unfinished-89abcdef").mkdir()
    (tmp_path / "out.unfinished-00000000").write_text("a file")
    with replaced_folder(tmp_path / "out"):
        pass
    assert names_in(tmp_path) == sorted(["out", name, "out.unfinished-00000000"])


def test_the_unfinished_folder_of_a_run_that_goes_on_is_left_alone(tmp_path):
    with replaced_folder(tmp_path / "out") as first:
        (first / "half").touch()
        with replaced_folder(tmp_path / "out") as second:
            (second / "whole").touch()
        assert (first / "half").is_file()
        assert names_in(tmp_path / "out") == ["whole"]
    assert names_in(tmp_path / "out") == ["half"]


def test_a_leftover_in_the_working_folder_does_not_bar_the_next_run(nifti, tmp_path, monkeypatch):
    out = tmp_path / "out"
    (out / "out.unfinished-89abcdef").mkdir(parents=True)
    monkeypatch.chdir(out)
    segment_study(scan_of(nifti), Path(), FakeSegmenter())
    assert "run.json" in names_in(out)
    assert not [name for name in names_in(out) if "unfinished" in name]


def test_progress_rises_from_nothing_to_everything(nifti, tmp_path):
    told = []
    segment_study(
        scan_of(nifti), tmp_path / "out", FakeSegmenter(), progress=lambda stage, share: told.append((stage, share))
    )
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["read", "segment", "write", "measure", "report"]
    shares = [share for _, share in told]
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1)
    assert shares == sorted(shares)


def test_a_doubtful_result_asks_for_a_review_everywhere_a_reader_looks(nifti, tmp_path):
    result = segment_study(find_scans([nifti])[0], tmp_path / "out", DoubtfulSegmenter())
    sentence = "Review consolidation: it moves."
    assert sentence in result.notes
    assert sentence in result.report.read_text(encoding="utf-8")
    assert sentence in json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["notes"]
    ggo, consolidation = json.loads((tmp_path / "out" / "measures.json").read_text(encoding="utf-8"))
    assert (ggo["review"], consolidation["review"]) == (False, True)
    assert ggo["volume_high_ml"] == pytest.approx(1.2 * ggo["volume_ml"], abs=1e-3)


def test_identify_names_the_patient_in_the_report_and_nowhere_else(dicom, tmp_path):
    result = segment_study(scan_of(dicom), tmp_path / "out", FakeSegmenter(), identify=True)
    page = result.report.read_text(encoding="utf-8")
    for words in ("Plantedsurname Plantedgiven", "4711-AB", "1901-02-03", "2020-03-17", "name the patient"):
        assert words in page
    assert "no patient&#39;s name" not in page
    for name in ("run.json", "measures.json", "scan.csv"):
        text = (result.folder / name).read_text(encoding="utf-8").casefold()
        assert not any(secret.casefold() in text for secret in SECRETS)


def test_the_words_of_the_pdf_name_nobody_unless_asked_to(dicom, tmp_path, require_tool):
    pytest.importorskip("weasyprint")
    program = require_tool("pdftotext")
    for identify in (False, True):
        result = segment_study(scan_of(dicom), tmp_path / f"{identify}", FakeSegmenter(), identify=identify)
        command = [program, str(result.folder / result.files["pdf"]), "-"]
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "COVID-19 lesions" in words
        found = [secret for secret in SECRETS[:3] if secret.casefold() in words.casefold()]
        assert len(found) == (3 if identify else 0)


def test_a_scan_of_nobody_cannot_be_identified(nifti, tmp_path):
    segmenter = FakeSegmenter()
    with pytest.raises(OptionError, match="leave out --identify"):
        segment_study(scan_of(nifti), tmp_path / "out", segmenter, identify=True)
    assert segmenter.num_calls == 0


@pytest.fixture
def memory(monkeypatch):
    """What the system tells: before, while and after; free."""

    def tell(held: int | None, free: int | None) -> None:
        study._held_before.cache_clear()
        monkeypatch.setattr(study, "held_memory_mb", lambda: held)
        monkeypatch.setattr(study, "peak_memory_mb", lambda: held)
        monkeypatch.setattr(study, "free_memory_mb", lambda: free)

    yield tell
    study._held_before.cache_clear()


def _expected_mb(folder: Path) -> int | None:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))["expected_memory_mb"]


def test_a_scan_that_needs_more_memory_than_it_may_take_is_refused_before_it_is_segmented(
    nifti, tmp_path, memory
) -> None:
    memory(1000, 5000)
    segmenter = FakeSegmenter()
    [scan_input] = find_scans([nifti])
    with pytest.raises(ScanError, match=r"9 x 22 x 24 voxels, about 1,280 MB(.|\n)*at most 1,100 MB, what --memory"):
        segment_study(scan_input, tmp_path / "out", segmenter, memory_gb=1.1)
    assert segmenter.num_calls == 0
    assert not (tmp_path / "out").exists()
    segment_study(scan_input, tmp_path / "out", segmenter, memory_gb=1.4)  # as the message advises
    assert _expected_mb(tmp_path / "out") == 1280


def test_a_mask_of_the_lungs_takes_memory_for_each_voxel(nifti, tmp_path, memory) -> None:
    memory(1000, 5000)
    [scan_input] = find_scans([nifti])
    scan = study.read_scan(scan_input)
    volume = hd.Volume(np.zeros((100, 100, 100), np.int16), affine=np.eye(4), coordinate_system="PATIENT")
    scan = dataclasses.replace(scan, volume=volume)
    given = study.GivenLungs(mask=nifti, scheme="binary")
    assert study._check_memory(scan, study.GivenLungs(), FakeSegmenter(), None) == 1000 + 280 + 7
    assert study._check_memory(scan, given, FakeSegmenter(), None) == 1000 + 280 + 39


def test_slices_that_are_seen_at_once_and_the_engine_take_memory_too(nifti, tmp_path, memory) -> None:
    memory(1000, 5000)
    [scan_input] = find_scans([nifti])
    scan = study.read_scan(scan_input)
    volume = hd.Volume(np.zeros((1000, 1000, 3), np.int16), affine=np.eye(4), coordinate_system="PATIENT")
    scan = dataclasses.replace(scan, volume=volume)
    segmenter = FakeSegmenter()
    segmenter.slices_at_once, segmenter.engine_memory_mb = 2, 500
    assert study._check_memory(scan, study.GivenLungs(), segmenter, None) == 1000 + 280 + 20 + 2 * 64 + 500


def test_without_a_limit_it_is_refused_where_the_machine_has_less(nifti, tmp_path, memory) -> None:
    [scan_input] = find_scans([nifti])
    memory(1000, 150)
    with pytest.raises(ScanError, match=r"about 1,280 MB(.|\n)*at most 1,150 MB, what is free here(.|\n)*--memory 1.4"):
        segment_study(scan_input, tmp_path / "out", FakeSegmenter())
    memory(1000, 281)
    segment_study(scan_input, tmp_path / "out", FakeSegmenter())


def test_a_second_scan_is_not_charged_for_what_the_first_one_left(nifti, tmp_path, memory, monkeypatch) -> None:
    [scan_input] = find_scans([nifti])
    memory(1000, 5000)
    segment_study(scan_input, tmp_path / "first", FakeSegmenter())
    monkeypatch.setattr(study, "held_memory_mb", lambda: 1260)
    segment_study(scan_input, tmp_path / "second", FakeSegmenter())
    assert _expected_mb(tmp_path / "second") == _expected_mb(tmp_path / "first") == 1280


def test_a_limit_that_cannot_be_kept_is_refused(nifti, tmp_path, memory) -> None:
    [scan_input] = find_scans([nifti])
    memory(None, None)
    with pytest.raises(OptionError, match="leave --memory out"):
        segment_study(scan_input, tmp_path / "out", FakeSegmenter(), memory_gb=4.0)
    segment_study(scan_input, tmp_path / "out", FakeSegmenter())
    assert _expected_mb(tmp_path / "out") is None


@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (2_400, 3_200)])
def test_a_picture_takes_no_more_memory_than_is_expected(rows: int, columns: int, tmp_path: Path) -> None:
    if held_memory_mb() is None:
        pytest.skip("the system does not tell what a process holds")
    grey = np.random.default_rng(0).integers(0, 255, (rows // 16, columns // 16), np.uint8)  # blotches: some are marked
    Image.fromarray(grey).resize((columns, rows), Image.Resampling.BICUBIC).save(tmp_path / "slice.png")
    command = [sys.executable, "-m", "msdnet", "segment", tmp_path / "slice.png", "-o", tmp_path / "out", "--quiet"]
    subprocess.run(command, check=True)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["peak_memory_mb"] <= record["expected_memory_mb"] + 30  # so much it moves from run to run
    csv = (tmp_path / "out" / "measures.csv").read_text(encoding="utf-8")
    assert any(int(line["voxels"]) for line in DictReader(csv.splitlines()))
