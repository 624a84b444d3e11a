from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from msdnet.errors import InputError
from msdnet.labels import get_schema
from msdnet.scans import Scan, find_scans, read_scan, write_labels

WEIGHTS = {"schema": get_schema("ggo-consolidation"), "weights_name": "test", "weights_sha256": "ab" * 32}
ORIENTATIONS = [
    "".join(axes) for order in permutations(range(3)) for axes in product(*[("LR", "AP", "IS")[a] for a in order])
]


def _affine(axcodes: str) -> np.ndarray:
    """A RAS affine with three different spacings for array axes that point as named."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, code in enumerate(axcodes):
        row = {"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}[code]
        affine[row, axis] = (0.7, 0.9, 2.5)[axis] * (1 if code in "RAS" else -1)
    affine[:3, 3] = (-11.5, 23.25, 104.0)
    return affine


def _write(path: Path, scan: Scan, ct: Any) -> np.ndarray:
    labels: np.ndarray = ct.some_labels(scan.voxels.shape)
    assert write_labels(labels, scan, path, **WEIGHTS) == {"labels": "labels.nii.gz"}
    return labels


def test_there_are_48_orientations() -> None:
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_nifti_in_any_orientation_keeps_its_affine_and_voxel_order(axcodes: str, tmp_path: Path, ct: Any) -> None:
    hu = ct.chest_hu((12, 10, 8))
    nib.save(nib.Nifti1Image(hu, _affine(axcodes)), tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz")
    np.testing.assert_array_equal(scan.voxels, hu)
    np.testing.assert_allclose(scan.volume.affine, np.diag([-1, -1, 1, 1]) @ _affine(axcodes), atol=1e-5)
    found = "".join(str(c.value) for c in scan.volume.get_closest_patient_orientation())
    assert found.replace("H", "S").replace("F", "I") == axcodes
    labels = _write(tmp_path / "out", scan, ct)
    image = nib.load(tmp_path / "out" / "labels.nii.gz")
    np.testing.assert_allclose(image.affine, _affine(axcodes), atol=1e-5)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), labels)
    assert image.get_data_dtype() == np.uint8


def test_labels_keep_both_forms_of_the_input_s_affine_and_nothing_of_its_text(tmp_path: Path, ct: Any) -> None:
    source = nib.Nifti2Image(ct.chest_hu((12, 10, 8)), None)
    source.set_qform(_affine("LAS"), code=1)
    source.set_sform(_affine("LAS") + np.eye(4, k=3), code=2)
    source.header["descrip"], source.header["aux_file"] = b"Sample Quintus", b"Sample"
    source.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Sample Quintus"))
    source.header.set_slope_inter(1, 0)
    nib.save(source, tmp_path / "scan.nii")
    _write(tmp_path / "out", read_scan(tmp_path / "scan.nii"), ct)
    image = nib.load(tmp_path / "out" / "labels.nii.gz")
    assert isinstance(image, nib.Nifti2Image)
    for form in ("get_qform", "get_sform"):
        ours, theirs = (getattr(i, form)(coded=True) for i in (image, nib.load(tmp_path / "scan.nii")))
        assert ours[1] == theirs[1]
        np.testing.assert_array_equal(ours[0], theirs[0])
    assert image.header["descrip"].item() == image.header["aux_file"].item() == b""
    assert len(image.header.extensions) == 0


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint16, np.float32, np.float64])
def test_scaled_and_unscaled_numbers_of_any_type_become_hu(dtype: Any, tmp_path: Path, ct: Any) -> None:
    hu = ct.chest_hu((12, 10, 8))
    stored = hu.astype(np.float64)
    intercept = 0.0
    if dtype == np.uint16:
        stored, intercept = stored + 1024, -1024.0
    image = nib.Nifti1Image(stored.astype(dtype), _affine("LAS"))
    image.header.set_slope_inter(1, intercept)
    nib.save(image, tmp_path / "scan.nii")
    read = read_scan(tmp_path / "scan.nii")
    np.testing.assert_array_equal(read.voxels, hu)
    assert read.voxels.dtype == np.int16


def test_the_overshoot_of_interpolation_is_air(tmp_path: Path, ct: Any) -> None:
    hu = ct.chest_hu((12, 10, 8)).astype(np.float32)
    hu[0, 0, 0], hu[1, 0, 0], hu[2, 0, 0] = -3600.4, -1024.2, 40_000
    nib.save(nib.Nifti1Image(hu, _affine("LAS")), tmp_path / "scan.nii")
    assert list(read_scan(tmp_path / "scan.nii").voxels[:3, 0, 0]) == [-1024, -1024, 32767]


def test_a_trailing_axis_of_one_is_kept_in_the_labels(tmp_path: Path, ct: Any) -> None:
    nib.save(nib.Nifti1Image(ct.chest_hu((12, 10, 8, 1)), _affine("LAS")), tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    assert scan.voxels.shape == (12, 10, 8)
    _write(tmp_path / "out", scan, ct)
    assert nib.load(tmp_path / "out" / "labels.nii.gz").shape == (12, 10, 8, 1)


def test_a_volume_without_geometry_has_no_spacing_and_no_orientation(tmp_path: Path, ct: Any) -> None:
    image = nib.Nifti1Image(ct.chest_hu((12, 10, 8)), None)
    nib.save(image, tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    assert not scan.spacing_known
    assert not scan.orientation_known
    assert scan.voxel_ml is None
    _write(tmp_path / "out", scan, ct)


@pytest.mark.parametrize("extension", [".nrrd", ".mha"])
def test_nrrd_and_meta_image_labels_lie_on_the_input_s_grid(extension: str, tmp_path: Path, ct: Any) -> None:
    hu = ct.chest_hu((8, 10, 12))
    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-11.5, 23.25, 104.0))
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    SimpleITK.WriteImage(image, str(tmp_path / f"scan{extension}"))
    scan = read_scan(tmp_path / f"scan{extension}")
    np.testing.assert_array_equal(scan.voxels, hu.transpose(2, 1, 0))
    assert scan.spacing_known
    assert scan.orientation_known
    labels = _write(tmp_path / "out", scan, ct)
    ours = SimpleITK.ReadImage(str(tmp_path / "out" / "labels.nii.gz"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(ours), labels.transpose(2, 1, 0))
    np.testing.assert_allclose(ours.GetSpacing(), image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(ours.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(ours.GetDirection(), image.GetDirection(), atol=1e-6)


def test_a_volume_in_grey_or_with_a_window_is_read_as_grey(tmp_path: Path) -> None:
    values = np.arange(2000, dtype=np.int16).reshape(20, 10, 10)
    nib.save(nib.Nifti1Image(values, _affine("LAS")), tmp_path / "wide.nii")
    nib.save(nib.Nifti1Image((values % 256).astype(np.uint8), _affine("LAS")), tmp_path / "grey.nii")
    windowed = read_scan(tmp_path / "wide.nii", window=(100, 1375))
    assert windowed.intensity == "grey"
    np.testing.assert_array_equal(windowed.voxels, np.rint(np.clip((values - 100) / 5, 0, 255)))
    np.testing.assert_array_equal(read_scan(tmp_path / "grey.nii", grey=True).voxels, values % 256)
    with pytest.raises(InputError, match="do not look like HU"):
        read_scan(tmp_path / "grey.nii")


def test_an_option_given_to_hu_is_refused(tmp_path: Path, ct: Any) -> None:
    nib.save(nib.Nifti1Image(ct.chest_hu((12, 10, 8)), _affine("LAS")), tmp_path / "scan.nii")
    with pytest.raises(InputError, match="which look like HU"):
        read_scan(tmp_path / "scan.nii", window=(-1000, 400))


def test_the_digest_depends_on_voxels_and_geometry_but_not_on_packing(tmp_path: Path, ct: Any) -> None:
    hu = ct.chest_hu((12, 10, 8))
    changed = hu.copy()
    changed[5, 5, 5] += 1
    for name, array, axcodes in (
        ("a.nii", hu, "LAS"),
        ("b.nii.gz", hu, "LAS"),
        ("c.nii", changed, "LAS"),
        ("d.nii", hu, "RAS"),
    ):
        nib.save(nib.Nifti1Image(array, _affine(axcodes)), tmp_path / name)
    a, b, c, d = (read_scan(f).source.digest for f in find_scans(sorted(tmp_path.iterdir())))
    assert a == b
    assert len({a, c, d}) == 3


NRRD_FIELDS = "type: short\ndimension: 3\nsizes: 8 10 12\nendian: little\nencoding: raw\n"
META_FIELDS = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 8 10 12\n"
DIRECTIONS = "space directions: (0.8,0,0) (0,0.8,0) (0,0,2)\n"


@pytest.mark.parametrize(
    ("extension", "fields", "spacing_known", "orientation_known"),
    [
        ("nrrd", "", False, False),
        ("nrrd", "spacings: 0.8 0.8 2\n", True, False),
        ("nrrd", "space: left-posterior-superior\n" + DIRECTIONS, True, True),
        ("nrrd", "space: RAS\n" + DIRECTIONS, True, True),
        ("nrrd", "space dimension: 3\n" + DIRECTIONS, True, False),
        ("nrrd", "# space: RAS\nspace dimension: 3\n" + DIRECTIONS, True, False),
        ("nrrd", "space: scanner-xyz\n" + DIRECTIONS, True, False),
        ("mha", "", False, False),
        ("mha", "ElementSpacing = 0.8 0.8 2\n", True, False),
        ("mha", "ElementSpacing = 0.8 0.8 2\nTransformMatrix = 1 0 0 0 1 0 0 0 1\n", True, True),
        ("mha", "ElementSpacing = 1 1 1\nOrientation = 1 0 0 0 1 0 0 0 1\n", True, True),
    ],
)
def test_spacing_and_orientation_are_known_only_where_the_header_states_them(
    extension: str, fields: str, spacing_known: bool, orientation_known: bool, tmp_path: Path, ct: Any
) -> None:
    hu = ct.chest_hu((12, 10, 8))
    if extension == "nrrd":
        head = "NRRD0004\n" + NRRD_FIELDS + fields + "\n"
    else:
        head = META_FIELDS + fields + "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    path = tmp_path / f"scan.{extension}"
    path.write_bytes(head.encode() + hu.astype("<i2").tobytes())
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.voxels, hu.transpose(2, 1, 0))
    assert (scan.spacing_known, scan.orientation_known) == (spacing_known, orientation_known)
