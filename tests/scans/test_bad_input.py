from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from msdnet.errors import InputError
from msdnet.scans import dicom_files, find_scans, read_scan

Maker = Callable[[Path, Any], list[Path]]
AFFINE = np.diag([0.8, 0.8, 2.0, 1.0])


def _series(ct: Any, folder: Path, **options: Any) -> list[Path]:
    return ct.write_slices(ct.make_slices(**options), folder)


def _nifti(path: Path, array: np.ndarray) -> list[Path]:
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return [path]


def _file(path: Path, content: bytes) -> list[Path]:
    path.write_bytes(content)
    return [path]


def _picture(path: Path, pixels: np.ndarray) -> list[Path]:
    Image.fromarray(pixels).save(path)
    return [path]


def _zip(path: Path, members: dict[str, bytes]) -> list[Path]:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return [path]


def _changed(name: str, **changes: Any) -> Maker:
    def make(tmp: Path, ct: Any) -> list[Path]:
        _series(ct, tmp / "scan", **changes)
        return [tmp / "scan"]

    make.__name__ = name
    return make


def _malformed(keyword: str, kind: str, value: bytes) -> Maker:
    """A series whose header holds these bytes in an element of this kind, which no careful writer would write."""

    def make(tmp: Path, ct: Any) -> list[Path]:
        slices = ct.make_slices()
        for d in slices:
            tag = Tag(tag_for_keyword(keyword))
            d[tag] = RawDataElement(tag, kind, len(value), value, 0, False, True)
        with dicom_files.quiet_pydicom():
            ct.write_slices(slices, tmp / "scan")
        return [tmp / "scan"]

    make.__name__ = f"malformed_{keyword}"
    return make


def _nothing(tmp: Path, ct: Any) -> list[Path]:
    return []


def _missing(tmp: Path, ct: Any) -> list[Path]:
    return [tmp / "absent"]


def _empty_folder(tmp: Path, ct: Any) -> list[Path]:
    (tmp / "empty").mkdir()
    return [tmp / "empty"]


def _folder_of_text(tmp: Path, ct: Any) -> list[Path]:
    (tmp / "notes").mkdir()
    _file(tmp / "notes" / "readme.txt", b"nothing to see")
    return [tmp / "notes"]


def _empty_file(tmp: Path, ct: Any) -> list[Path]:
    return _file(tmp / "scan.nii", b"")


def _text_as_dicom(tmp: Path, ct: Any) -> list[Path]:
    return _file(tmp / "slice.dcm", b"this is text, not DICOM\n" * 20)


def _text_among_slices(tmp: Path, ct: Any) -> list[Path]:
    _series(ct, tmp / "scan")
    _file(tmp / "scan" / "zzz.dcm", b"")
    return [tmp / "scan"]


def _cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _truncated_pixels(tmp: Path, ct: Any) -> list[Path]:
    _cut(_series(ct, tmp / "scan")[3], 0.9)
    return [tmp / "scan"]


def _truncated_header(tmp: Path, ct: Any) -> list[Path]:
    _cut(_series(ct, tmp / "scan")[5], 0.3)
    return [tmp / "scan"]


def _gap(tmp: Path, ct: Any) -> list[Path]:
    _series(ct, tmp / "scan")[2].unlink()
    return [tmp / "scan"]


def _every_third(tmp: Path, ct: Any) -> list[Path]:
    return _series(ct, tmp / "scan", hu=ct.chest_hu((9, 32, 24)))[::3]


def _duplicate(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices()
    again = ct.make_slices()[2]
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ct.write_slices([*slices, again], tmp / "scan")
    return [tmp / "scan"]


def _four_dimensional_series(tmp: Path, ct: Any) -> list[Path]:
    second = ct.make_slices()
    for d in second:
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID + ".2"
    ct.write_slices([*ct.make_slices(), *second], tmp / "scan")
    return [tmp / "scan"]


def _uneven(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices()
    slices[-1].ImagePositionPatient[2] += 0.8
    ct.write_slices(slices, tmp / "scan")
    return [tmp / "scan"]


def _tilt_in_geometry(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices(orientation=(1, 0, 0, 0, float(np.cos(0.2)), -float(np.sin(0.2))))
    for k, d in enumerate(slices):
        d.ImagePositionPatient = [-20.0, -30.0, 40.0 + 2.5 * k]
    ct.write_slices(slices, tmp / "scan")
    return [tmp / "scan"]


def _multi_frame(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices(hu=ct.chest_hu((1, 32, 24)), SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=3)
    slices[0].PixelData *= 3
    return ct.write_slices(slices, tmp / "scan")


def _two_series(tmp: Path, ct: Any) -> list[Path]:
    _series(ct, tmp / "scan" / "a")
    _series(ct, tmp / "scan" / "b", series=2)
    return [tmp / "scan"]


def _sizes(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices()
    slices[3] = ct.make_slices(hu=ct.chest_hu((6, 16, 24)))[3]
    ct.write_slices(slices, tmp / "scan")
    return [tmp / "scan"]


def _patients(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices()
    slices[3].PatientID = "another"
    ct.write_slices(slices, tmp / "scan")
    return [tmp / "scan"]


def _orientations(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices()
    slices[3].ImageOrientationPatient = [-1, 0, 0, 0, 1, 0]
    ct.write_slices(slices, tmp / "scan")
    return [tmp / "scan"]


def _colour_dicom(tmp: Path, ct: Any) -> list[Path]:
    slices = ct.make_slices(hu=ct.chest_hu((1, 32, 24)), SamplesPerPixel=3, PhotometricInterpretation="RGB")
    return ct.write_slices(slices, tmp / "scan")


def _nan(tmp: Path, ct: Any) -> list[Path]:
    array = ct.chest_hu((16, 16, 8)).astype(np.float32)
    array[3, 4, 5] = np.nan
    return _nifti(tmp / "scan.nii.gz", array)


def _not_hu(tmp: Path, ct: Any) -> list[Path]:
    return _nifti(tmp / "scan.nii.gz", np.arange(2048, dtype=np.int16).reshape(16, 16, 8))


def _time_points(tmp: Path, ct: Any) -> list[Path]:
    return _nifti(tmp / "scan.nii.gz", ct.chest_hu((8, 8, 4, 3)))


def _huge_header(tmp: Path, ct: Any) -> list[Path]:
    _nifti(tmp / "huge.nii", ct.chest_hu((16, 16, 8)))
    content = (tmp / "huge.nii").read_bytes()
    return _file(tmp / "huge.nii", content[:42] + np.full(3, 30_000, "<i2").tobytes() + content[48:])


def _two_axes(tmp: Path, ct: Any) -> list[Path]:
    return _nifti(tmp / "scan.nii", ct.chest_hu((16, 16)))


def _truncated_gzip(tmp: Path, ct: Any) -> list[Path]:
    _cut(_nifti(tmp / "scan.nii.gz", ct.chest_hu((16, 16, 8)))[0], 0.6)
    return [tmp / "scan.nii.gz"]


def _truncated_meta_image(tmp: Path, ct: Any) -> list[Path]:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct.chest_hu((8, 16, 16))), str(tmp / "scan.mha"))
    _cut(tmp / "scan.mha", 0.6)
    return [tmp / "scan.mha"]


def _sheared(tmp: Path, ct: Any) -> list[Path]:
    affine = AFFINE.copy()
    affine[1, 2] = 0.6
    nib.save(nib.Nifti1Image(ct.chest_hu((16, 16, 8)), affine), tmp / "scan.nii")
    return [tmp / "scan.nii"]


def _wrong_extension(tmp: Path, ct: Any) -> list[Path]:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(buffer, "PNG")
    return _file(tmp / "scan.nii", buffer.getvalue())


def _gzip_in_name_only(tmp: Path, ct: Any) -> list[Path]:
    nib.save(nib.Nifti1Image(ct.chest_hu((16, 16, 8)), AFFINE), tmp / "a.nii")
    return _file(tmp / "scan.nii.gz", (tmp / "a.nii").read_bytes())


def _unknown_extension(tmp: Path, ct: Any) -> list[Path]:
    return _file(tmp / "scan.xyz", b"something else")


def _wide_png(tmp: Path, ct: Any) -> list[Path]:
    return _picture(tmp / "slice.png", np.arange(1024, dtype=np.uint16).reshape(32, 32))


def _colour_png(tmp: Path, ct: Any) -> list[Path]:
    return _picture(tmp / "photo.png", np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))


def _truncated_png(tmp: Path, ct: Any) -> list[Path]:
    _cut(_picture(tmp / "cut.png", np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8))[0], 0.5)
    return [tmp / "cut.png"]


def _two_pages(tmp: Path, ct: Any) -> list[Path]:
    pages = [Image.fromarray(np.full((16, 16), v, np.uint8)) for v in (3, 4)]
    pages[0].save(tmp / "pages.tif", save_all=True, append_images=pages[1:])
    return [tmp / "pages.tif"]


def _outside_zip(tmp: Path, ct: Any) -> list[Path]:
    return _zip(tmp / "scan.zip", {"../outside.dcm": b"x"})


def _zip_without_images(tmp: Path, ct: Any) -> list[Path]:
    return _zip(tmp / "scan.zip", {"readme.txt": b"nothing"})


def _broken_zip(tmp: Path, ct: Any) -> list[Path]:
    _cut(_zip(tmp / "scan.zip", {"readme.txt": b"nothing" * 100})[0], 0.5)
    return [tmp / "scan.zip"]


def _broken_member(tmp: Path, ct: Any) -> list[Path]:
    with zipfile.ZipFile(tmp / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(_series(ct, tmp / "scan")[0], "slice.dcm")
    content = (tmp / "scan.zip").read_bytes()
    return _file(tmp / "scan.zip", content[:60] + b"\xff" * 60 + content[120:])


def _zip_bomb(tmp: Path, ct: Any) -> list[Path]:
    with zipfile.ZipFile(tmp / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("slice.dcm", bytes(3_000_000))
    return [tmp / "scan.zip"]


def _same_names(tmp: Path, ct: Any) -> list[Path]:
    black = np.zeros((32, 32), np.uint8)
    return _picture(tmp / "slice.png", black) + _picture(tmp / "slice.tif", black)


def _volumes_and_pictures(tmp: Path, ct: Any) -> list[Path]:
    (tmp / "mixed").mkdir()
    _nifti(tmp / "mixed" / "a.nii", ct.chest_hu((16, 16, 8)))
    _picture(tmp / "mixed" / "b.png", np.zeros((32, 32), np.uint8))
    return [tmp / "mixed"]


def _grey_png(tmp: Path, ct: Any) -> list[Path]:
    return _picture(tmp / "grey.png", np.zeros((32, 32), np.uint8))


def _wide_colour_png(tmp: Path, ct: Any) -> list[Path]:
    """16 bits in each of three channels, which Pillow reads but does not write."""
    pixels = np.random.default_rng(0).integers(0, 4096, (32, 32, 1)).repeat(3, 2).astype(">u2")
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    written = b"".join(struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks)
    return _file(tmp / "wide.png", b"\x89PNG\r\n\x1a\n" + written)


def _tiny_png(tmp: Path, ct: Any) -> list[Path]:
    return _picture(tmp / "tiny.png", np.zeros((2000, 1), np.uint8))


def _metres(tmp: Path, ct: Any) -> list[Path]:
    nib.save(nib.Nifti1Image(ct.chest_hu((16, 16, 8)), np.diag([7e-4, 7e-4, 2e-3, 1])), tmp / "scan.nii")
    return [tmp / "scan.nii"]


CASES: list[tuple[Maker, dict[str, Any], str]] = [
    (_nothing, {}, "no input was given"),
    (_missing, {}, "does not exist"),
    (_empty_folder, {}, "no file at all"),
    (_folder_of_text, {}, "no DICOM file, volume or picture"),
    (_empty_file, {}, "scan.nii is empty"),
    (_text_as_dicom, {}, "slice.dcm is not a DICOM file"),
    (_text_among_slices, {}, "zzz.dcm is not a DICOM file"),
    (_truncated_pixels, {}, "the pixel data of .* cannot be read"),
    (_truncated_header, {}, "breaks off within its header"),
    (_gap, {}, "1 slice missing in 1 place"),
    (_every_third, {}, "whose numbers jump by 3"),
    (_duplicate, {}, "has duplicate slices"),
    (_four_dimensional_series, {}, "2 slices at each of 6 positions"),
    (_uneven, {}, "unevenly spaced"),
    (_tilt_in_geometry, {}, "shift sideways by 11.5 degrees"),
    (_changed("tilt_in_header", GantryDetectorTilt=-17.5), {}, "a stated tilt of 17.5 degrees"),
    (_changed("mr", Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), {}, "modality MR instead of CT"),
    (_multi_frame, {}, "multi-frame or 4D DICOM object"),
    (_changed("localiser", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), {}, "holds a localiser and no CT slices"),
    (_changed("reformat", orientation=(0, 1, 0, 0, 0, -1)), {}, "a sagittal reformat"),
    (_two_series, {}, "2 CT series that could be meant"),
    (_two_series, {"series": "9.9.9"}, "does not hold the series asked for"),
    (_grey_png, {"series": "9.9.9"}, "--series needs DICOM input"),
    (_sizes, {}, "have different sizes"),
    (_patients, {}, "different patients or studies"),
    (_orientations, {}, "differ in orientation"),
    (_changed("no_positions", ImagePositionPatient=None), {}, "cannot be put in order"),
    (_colour_dicom, {}, "a colour image"),
    (_nan, {}, "values that are not numbers"),
    (_not_hu, {}, "do not look like HU"),
    (_not_hu, {"grey": True}, "are not grey from 0 to 255"),
    (_not_hu, {"window": (400.0, -1000.0)}, "the window cannot be used"),
    (_not_hu, {"window": (0.0, 100.0), "grey": True}, "exclude each other"),
    (_time_points, {}, "scan.nii.gz is 4D"),
    (_two_axes, {}, "2 axes of sizes 16 x 16"),
    (_huge_header, {}, "3 axes of sizes 30000 x 30000 x 30000"),
    (_truncated_gzip, {}, "scan.nii.gz cannot be read as a volume"),
    (_truncated_meta_image, {}, "scan.mha cannot be read as a volume"),
    (_sheared, {}, "is sheared"),
    (_wrong_extension, {}, "scan.nii is not what its extension says"),
    (_gzip_in_name_only, {}, "scan.nii.gz is not what its extension says"),
    (_unknown_extension, {}, "of no kind that can be read"),
    (_wide_png, {}, "slice.png do not look like HU"),
    (_colour_png, {}, "colour: channels that differ"),
    (_truncated_png, {}, "cut.png cannot be read as a picture"),
    (_two_pages, {}, "2 pages"),
    (_outside_zip, {}, "points outside the archive"),
    (_zip_without_images, {}, "holds no DICOM image"),
    (_broken_zip, {}, "the archive scan.zip cannot be read"),
    (_broken_member, {}, "slice.dcm: Error -3 while decompressing"),
    (_zip_bomb, {}, "unpacks to too much"),
    (_same_names, {}, "two inputs have the same name"),
    (_volumes_and_pictures, {}, "holds volumes and pictures"),
    (_changed("hu"), {"window": (-1000.0, 400.0)}, "DICOM slices that state HU"),
    (_grey_png, {"window": (0.0, 100.0)}, "an 8-bit picture"),
    (_malformed("RescaleSlope", "DS", b"abc "), {}, "RescaleSlope: not a single number"),
    (_changed("slope_zero", RescaleSlope=0), {}, "RescaleSlope: 0"),
    (_malformed("RescaleIntercept", "DS", b"0\\-1024 "), {}, "RescaleIntercept: not a single number"),
    (_malformed("NumberOfFrames", "IS", b"one "), {}, "NumberOfFrames: not a single number"),
    (_malformed("ImageOrientationPatient", "DS", b"1,0\\0\\0\\0\\1\\0"), {}, "without ImagePositionPatient or Image"),
    (_wide_colour_png, {}, "16 bits in each channel of RGB"),
    (_tiny_png, {}, "1 x 2000 pixels"),
    (_metres, {}, "voxels of 0.0007 x 0.0007 x 0.002 mm"),
]


IDS = [make.__name__.strip("_") + "".join(f"-{k}" for k in options) for make, options, _ in CASES]


def _read_all(paths: list[Path], options: dict[str, Any]) -> None:
    for found in find_scans(paths, series=options.get("series")):
        read_scan(found, window=options.get("window"), grey=options.get("grey", False))


@pytest.mark.parametrize(("make", "options", "message"), CASES, ids=IDS)
def test_bad_input_is_refused_with_its_own_error(
    make: Maker,
    options: dict[str, Any],
    message: str,
    tmp_path: Path,
    ct: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(dicom_files, "MAX_MEMBER_BYTES", 1_000_000)
    paths = make(tmp_path, ct)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=message) as caught:
        _read_all(paths, options)
    assert caught.value.exit_code == 2
    assert all((caught.value.what, caught.value.got, caught.value.expected, caught.value.do))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def _dicom_by_name(folder: Path, ct: Any) -> None:
    _file(folder / "part" / "x.dcm", b"text")


def _truncated(folder: Path, ct: Any) -> None:
    _cut(_series(ct, folder / "part")[3], 0.9)


def _damaged_volume(folder: Path, ct: Any) -> None:
    _nifti(folder / "part" / "x.nii", ct.chest_hu((16, 16, 8)))
    _cut(folder / "part" / "x.nii", 0.6)


def _damaged_itk_volume(folder: Path, ct: Any) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct.chest_hu((8, 16, 16))), str(folder / "part" / "x.mha"))
    _cut(folder / "part" / "x.mha", 0.6)


def _empty_volume(folder: Path, ct: Any) -> None:
    _file(folder / "part" / "x.nii", b"")


def _colour_picture(folder: Path, ct: Any) -> None:
    _picture(folder / "part" / "x.png", np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "make", [_dicom_by_name, _truncated, _damaged_volume, _damaged_itk_volume, _empty_volume, _colour_picture]
)
def test_a_file_in_a_subfolder_is_named_by_its_place_in_the_input(
    make: Callable[[Path, Any], None], tmp_path: Path, ct: Any
) -> None:
    (tmp_path / "scan" / "part").mkdir(parents=True)
    make(tmp_path / "scan", ct)
    with pytest.raises(InputError, match=r"(?<![\w/])part/\w+\.\w+") as caught:
        _read_all([tmp_path / "scan"], {})
    assert str(tmp_path) not in str(caught.value)


def test_every_kind_of_bad_input_has_a_message_of_its_own() -> None:
    messages = [message for _, _, message in CASES]
    assert len(set(messages)) == len(messages) >= 20
