from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import gdcm
import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from msdnet.errors import InputError
from msdnet.labels import get_schema
from msdnet.scans import find_scans, read_scan, write_labels

SCHEMA = get_schema("ggo-consolidation")
WEIGHTS = {"schema": SCHEMA, "weights_name": "test", "weights_sha256": "ab" * 32}


def _recode_with_gdcm(path: Path, syntax: int) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def _recode(path: Path, syntax: Any) -> None:
    dataset = pydicom.dcmread(path)
    if syntax in (JPEGLSLossless, RLELossless):
        dataset.compress(syntax)
        dataset.save_as(path)
        return
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.astype(">i2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    pydicom.dcmwrite(path, dataset, force_encoding=True, **encoding)


SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big_endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "jpeg_ls": JPEGLSLossless,
    "rle": RLELossless,
    "jpeg_lossless": gdcm.TransferSyntax.JPEGLosslessProcess14,
    "jpeg_lossless_sv1": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    "jpeg_2000": gdcm.TransferSyntax.JPEG2000Lossless,
}


def _itk(paths: list[Path]) -> SimpleITK.Image:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(p) for p in paths])
    return reader.Execute()


def _itk_folder(folder: Path) -> SimpleITK.Image:
    return _itk([Path(n) for n in SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))])


def _assert_same_grid(ours: Path, theirs: SimpleITK.Image) -> None:
    image = SimpleITK.ReadImage(str(ours))
    assert image.GetSize() == theirs.GetSize()
    np.testing.assert_allclose(image.GetSpacing(), theirs.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(image.GetDirection(), theirs.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), theirs.GetOrigin(), atol=1e-4)


@pytest.mark.parametrize("name", SYNTAXES)
def test_every_transfer_syntax_gives_the_same_voxels_and_digest(name: str, tmp_path: Path, ct: Any) -> None:
    expected = ct.chest_hu((4, 32, 24))
    plain = read_scan(ct.write_slices(ct.make_slices(expected), tmp_path / "plain"))
    paths = ct.write_slices(ct.make_slices(expected), tmp_path / "coded")
    for path in paths:
        (_recode_with_gdcm if isinstance(SYNTAXES[name], int) else _recode)(path, SYNTAXES[name])
    scan = read_scan(paths)
    np.testing.assert_array_equal(scan.voxels, expected)
    assert scan.voxels.dtype == np.int16
    assert scan.intensity == "HU"
    assert scan.source.digest == plain.source.digest


def test_a_file_without_preamble_and_meta_is_read(tmp_path: Path, ct: Any) -> None:
    path = tmp_path / "old"
    dataset = ct.make_slices(ct.chest_hu((1, 32, 24)))[0]
    del dataset.file_meta
    dataset.save_as(path, implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_scan(path).voxels, ct.chest_hu((1, 32, 24)))


ORIENTATIONS = {
    "plain": (1, 0, 0, 0, 1, 0),
    "prone": (-1, 0, 0, 0, -1, 0),
    "upside_down": (1, 0, 0, 0, -1, 0),
    "turned": (0, 1, 0, -1, 0, 0),
    "oblique": (0.98, 0.19899748742132398, 0, -0.19899748742132398, 0.98, 0),
    "inclined": (1, 0, 0, 0, 0.97, 0.24310491562286438),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_labels_lie_on_the_grid_of_simpleitk(name: str, count: int, tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices(ct.chest_hu((count, 32, 24)), orientation=ORIENTATIONS[name])
    ct.write_slices(slices, tmp_path / "scan")
    scan = read_scan(tmp_path / "scan")
    theirs = _itk_folder(tmp_path / "scan")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(theirs), scan.voxels)
    labels = ct.some_labels(scan.voxels.shape)
    write_labels(labels, scan, tmp_path, **WEIGHTS)
    _assert_same_grid(tmp_path / "labels.nii.gz", theirs)
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "labels.nii.gz"))), labels
    )


@pytest.mark.parametrize(
    ("changes", "spacing_known", "orientation_known", "obstacle"),
    [
        ({}, False, True, ""),
        ({"SpacingBetweenSlices": 1.25}, True, True, ""),
        ({"SpacingBetweenSlices": 1.25, "PixelSpacing": None}, False, True, "pixel spacing"),
        ({"SpacingBetweenSlices": 1.25, "ImagePositionPatient": None}, True, False, "position"),
        ({"SpacingBetweenSlices": 1.25, "ImageOrientationPatient": None}, True, False, "orientation"),
        ({"SpacingBetweenSlices": 1.25, "FrameOfReferenceUID": None}, True, True, "frame of reference"),
    ],
)
def test_a_single_slice_has_the_grid_of_simpleitk_and_says_what_is_unknown(
    changes: dict[str, Any], spacing_known: bool, orientation_known: bool, obstacle: str, tmp_path: Path, ct: Any
) -> None:
    paths = ct.write_slices(ct.make_slices(ct.chest_hu((1, 32, 24)), **changes), tmp_path / "scan")
    scan = read_scan(paths[0])
    assert (scan.spacing_known, scan.orientation_known) == (spacing_known, orientation_known)
    assert (scan.voxel_ml is not None) == spacing_known
    assert scan.pixel_spacing_known == ("PixelSpacing" not in changes)
    assert obstacle in scan.seg_obstacle
    assert bool(obstacle) == bool(scan.seg_obstacle)
    written = write_labels(ct.some_labels(scan.voxels.shape), scan, tmp_path / "out", **WEIGHTS)
    _assert_same_grid(tmp_path / "out" / "labels.nii.gz", _itk(paths))
    assert ("segmentation" in written) == (not obstacle)
    assert written.get("segmentation_absent", "") == scan.seg_obstacle


def test_padding_is_air_and_rescaling_is_applied(tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices(ct.chest_hu((3, 32, 24)), RescaleSlope=0.5, RescaleIntercept=-500)
    stored = slices[1].pixel_array.copy()
    stored[:4] = -6000
    slices[1].PixelData = stored.tobytes()
    scan = read_scan(ct.write_slices(slices, tmp_path / "scan"))
    np.testing.assert_array_equal(scan.voxels[1][:4], -1024)
    np.testing.assert_array_equal(scan.voxels[1][4:], np.rint(stored[4:] * 0.5 - 500))


def test_unused_high_bits_do_not_reach_the_voxels(tmp_path: Path, ct: Any) -> None:
    expected = ct.chest_hu((2, 32, 24))
    slices = ct.make_slices(expected, BitsStored=12, HighBit=11, PixelRepresentation=0)
    for d in slices:
        d.PixelData = (np.frombuffer(d.PixelData, "<u2") | 0x1000).tobytes()
    np.testing.assert_array_equal(read_scan(ct.write_slices(slices, tmp_path / "scan")).voxels, expected)


def test_values_that_the_file_does_not_call_hu_need_an_option(tmp_path: Path, ct: Any) -> None:
    hu = np.clip(ct.chest_hu((2, 32, 24)), -1000, None) + 1024
    slices = ct.make_slices(hu, RescaleIntercept=None, RescaleSlope=None, RescaleType=None)
    for d, pixels in zip(slices, hu, strict=True):
        d.PixelData = pixels.astype("<i2").tobytes()
    paths = ct.write_slices(slices, tmp_path / "scan")
    with pytest.raises(InputError, match="do not look like HU"):
        read_scan(paths)
    scan = read_scan(paths, window=(0, 1100))
    assert scan.intensity == "grey"
    np.testing.assert_array_equal(scan.voxels, np.rint(np.clip(hu / 1100 * 255, 0, 255)))


def test_localisers_reformats_and_derived_series_are_left_out_and_named(tmp_path: Path, ct: Any) -> None:
    folder = tmp_path / "study"
    ct.write_slices(ct.make_slices(), folder / "deep" / "axial")
    scout = ct.make_slices(ct.chest_hu((1, 40, 40)), series=2, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    ct.write_slices(scout, folder)
    ct.write_slices(ct.make_slices(series=3, orientation=(1, 0, 0, 0, 0, -1)), folder / "deep" / "coronal")
    ct.write_slices(ct.make_slices(series=4, ImageType=["DERIVED", "SECONDARY", "AXIAL"]), folder, prefix="derived")
    ct.write_slices(ct.make_slices(series=5, ImageType=["DERIVED", "SECONDARY", "MPR"]), folder, prefix="thick")
    ct.write_slices(ct.make_slices(series=6, Modality="PT"), folder, prefix="pet")
    scan = read_scan(folder)
    assert str(scan.source.datasets[0].SeriesInstanceUID).endswith(".1")
    assert scan.source.name == "study"
    notes = " ".join(scan.notes)
    for found in ("a localiser", "a coronal reformat", "derived", "an axial reformat (MPR)", "modality PT"):
        assert found in notes
    assert "1.2.826" not in notes
    other = read_scan(folder, series=str(ct.make_slices(series=3)[0].SeriesInstanceUID))
    assert other.volume.get_closest_patient_orientation()[0].value in ("A", "P")


def test_a_series_of_the_chest_goes_before_one_of_another_part(tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(BodyPartExamined="ABDOMEN"), tmp_path / "scan")
    ct.write_slices(ct.make_slices(series=2, BodyPartExamined="CHESTABDPELVIS"), tmp_path / "scan", prefix="chest")
    scan = read_scan(tmp_path / "scan")
    assert scan.source.datasets[0].SeriesNumber == 2
    assert scan.notes == ("Left out: series 1 (6 files), another part of the body.",)


def test_a_localiser_within_the_series_is_left_out_and_named(tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices()
    scout = ct.make_slices(ct.chest_hu((7, 40, 40)), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[6:]
    ct.write_slices([*slices, *scout], tmp_path / "scan")
    scan = read_scan(tmp_path / "scan")
    assert len(scan.voxels) == 6
    assert "Left out: 1 localiser within series 1" in " ".join(scan.notes)


def test_one_of_two_series_is_read_when_asked_for(tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(), tmp_path / "scan")
    ct.write_slices(ct.make_slices(series=2), tmp_path / "scan", prefix="other")
    uid = str(ct.make_slices(series=2)[0].SeriesInstanceUID)
    scan = read_scan(tmp_path / "scan", series=uid)
    assert {str(d.SeriesInstanceUID) for d in scan.source.datasets} == {uid}


def test_files_given_one_by_one_are_grouped_by_series(tmp_path: Path, ct: Any) -> None:
    first = ct.write_slices(ct.make_slices(), tmp_path / "all", prefix="first")
    second = ct.write_slices(ct.make_slices(series=2), tmp_path / "all", prefix="second")
    mixed = [p for pair in zip(first, second, strict=True) for p in pair]
    found = find_scans(mixed)
    assert [f.name for f in found] == [first[0].stem, second[0].stem]
    assert [len(f.paths) for f in found] == [6, 6]
    assert [len(read_scan(f).voxels) for f in found] == [6, 6]


def test_zipped_and_copied_input_has_the_same_digest_and_changed_input_another(tmp_path: Path, ct: Any) -> None:
    paths = ct.write_slices(ct.make_slices(), tmp_path / "scan" / "deep")
    shutil.make_archive(str(tmp_path / "packed.v1"), "zip", tmp_path / "scan")
    folder, packed = read_scan(tmp_path / "scan"), read_scan(tmp_path / "packed.v1.zip")
    assert packed.source.name == "packed.v1"
    assert packed.source.digest == folder.source.digest == read_scan(list(reversed(paths))).source.digest
    np.testing.assert_array_equal(packed.voxels, folder.voxels)
    ct.write_slices(ct.make_slices(spacing=(2.4, 0.7, 0.8)), tmp_path / "scan" / "deep")
    assert read_scan(tmp_path / "scan").source.digest != folder.source.digest


def test_a_zip_is_never_unpacked_to_disk(tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ct.write_slices(ct.make_slices(), tmp_path / "scan")
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "scan")
    monkeypatch.setattr(zipfile.ZipFile, "extract", None)
    monkeypatch.setattr(zipfile.ZipFile, "extractall", None)
    before = sorted(tmp_path.rglob("*"))
    assert len(read_scan(tmp_path / "scan.zip").voxels) == 6
    assert sorted(tmp_path.rglob("*")) == before


def test_hidden_files_and_other_files_beside_the_slices_do_no_harm(tmp_path: Path, ct: Any) -> None:
    ct.write_slices(ct.make_slices(), tmp_path / "scan")
    (tmp_path / "scan" / "._slice.dcm").write_bytes(b"resource fork")
    (tmp_path / "scan" / "readme.txt").write_text("a note")
    (tmp_path / "scan" / "thumb.png").write_bytes(b"no picture")
    nib.save(nib.Nifti1Image(ct.chest_hu((8, 8, 4)), np.eye(4)), tmp_path / "scan" / "other.nii")
    scan = read_scan(tmp_path / "scan")
    assert len(scan.voxels) == 6
    assert scan.notes == ("Left out: 2 other images or volumes in the folder.",)


def test_nothing_of_the_pixels_is_kept_twice(tmp_path: Path, ct: Any) -> None:
    slices = ct.make_slices()
    for d in slices:
        d.add_new(0x00091010, "LO", "private")
    scan = read_scan(ct.write_slices(slices, tmp_path / "scan"))
    for d in scan.source.datasets:
        assert "PixelData" not in d
        assert 0x00091010 not in d


def test_reading_does_not_warn_about_odd_values(tmp_path: Path, ct: Any, caplog: pytest.LogCaptureFixture) -> None:
    paths = ct.write_slices(ct.make_slices(), tmp_path / "scan")
    for path in paths:  # a birth date and a name that no validator accepts
        path.write_bytes(
            path.read_bytes().replace(b"20200102", b"2020-1-2").replace(b"Sample^Quintus", b"Sample^^^^^^^^")
        )
    scan = read_scan(paths)
    write_labels(ct.some_labels(scan.voxels.shape), scan, tmp_path / "out", **WEIGHTS)
    assert not caplog.records
