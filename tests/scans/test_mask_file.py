"""Masks from elsewhere land on the scan's own axes, whatever the order of theirs, or are refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from msdnet.data.phantom import make_phantom, to_scan, write_phantom_dicom
from msdnet.errors import ScanError
from msdnet.scans import find_scans, read_scan
from msdnet.scans.mask_file import read_mask

PHANTOM = make_phantom(0, shape=(12, 48, 40))
SCAN = to_scan(PHANTOM)


def _affine_ras() -> np.ndarray:
    dz, dy, dx = PHANTOM.spacing_mm
    left, back, head = PHANTOM.origin_mm
    affine = np.diag([-dx, -dy, dz, 1.0])
    affine[:3, 3] = -left, -back, head
    return affine


def _save(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nib.save(nib.Nifti1Image(array, _affine_ras() if affine is None else affine), path)
    return path


def test_a_mask_with_axes_in_another_order_is_turned(tmp_path: Path) -> None:
    path = _save(tmp_path / "m.nii.gz", PHANTOM.lungs.transpose(2, 1, 0))
    np.testing.assert_array_equal(read_mask(path, SCAN), PHANTOM.lungs)
    turned = nib.load(path).as_reoriented(nib.orientations.axcodes2ornt("SAR"))
    nib.save(turned, tmp_path / "turned.nii.gz")
    np.testing.assert_array_equal(read_mask(tmp_path / "turned.nii.gz", SCAN), PHANTOM.lungs)


def test_a_mask_of_a_dicom_series_and_one_in_nrrd(tmp_path: Path) -> None:
    write_phantom_dicom(PHANTOM, tmp_path / "ct")
    scan = read_scan(find_scans([tmp_path / "ct"])[0])
    image = SimpleITK.GetImageFromArray(PHANTOM.lungs)
    image.SetSpacing([float(mm) for mm in PHANTOM.spacing_mm[::-1]])
    image.SetOrigin([float(mm) for mm in PHANTOM.origin_mm])
    SimpleITK.WriteImage(image, str(tmp_path / "m.nrrd"))
    np.testing.assert_array_equal(read_mask(tmp_path / "m.nrrd", scan), PHANTOM.lungs)


def test_a_fourth_axis_of_length_one_and_a_grid_off_by_rounding_are_read(tmp_path: Path) -> None:
    affine = _affine_ras()
    affine[0, 1] += 0.002
    path = _save(tmp_path / "m.nii", PHANTOM.lungs.transpose(2, 1, 0)[..., None], affine)
    np.testing.assert_array_equal(read_mask(path, SCAN), PHANTOM.lungs)


def test_whole_numbers_kept_as_fractions_are_read(tmp_path: Path) -> None:
    path = _save(tmp_path / "m.nii", PHANTOM.lungs.transpose(2, 1, 0).astype(np.float32))
    np.testing.assert_array_equal(read_mask(path, SCAN), PHANTOM.lungs)
    half = _save(tmp_path / "half.nii", PHANTOM.lungs.transpose(2, 1, 0) * np.float32(0.5))
    with pytest.raises(ScanError, match="fractions"):
        read_mask(half, SCAN)


def test_a_mask_on_another_grid_or_that_is_none_is_refused(tmp_path: Path) -> None:
    moved = _affine_ras()
    moved[2, 3] += PHANTOM.spacing_mm[0]
    with pytest.raises(ScanError, match=r"m.nii cannot be used(.|\n)*scan's own grid(.|\n)*nearest neighbour"):
        read_mask(_save(tmp_path / "m.nii", PHANTOM.lungs.transpose(2, 1, 0), moved), SCAN)
    with pytest.raises(ScanError, match="the scan has 12 x 48 x 40 voxels"):
        read_mask(_save(tmp_path / "less.nii", PHANTOM.lungs.transpose(2, 1, 0)[:-1]), SCAN)
    (tmp_path / "text.nii.gz").write_text("no image")
    with pytest.raises(ScanError, match=r"text.nii.gz cannot be used"):
        read_mask(tmp_path / "text.nii.gz", SCAN)
    sheared = _affine_ras()
    sheared[0, 1] = 1.0
    with pytest.raises(ScanError, match="right angles"):
        read_mask(_save(tmp_path / "sheared.nii", PHANTOM.lungs.transpose(2, 1, 0), sheared), SCAN)
    whole = _save(tmp_path / "cut.nii.gz", PHANTOM.lungs.transpose(2, 1, 0)).read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[:300] + b"x" * 40 + whole[340:])
    with pytest.raises(ScanError, match=r"cut.nii.gz cannot be used"):
        read_mask(tmp_path / "cut.nii.gz", SCAN)
    with pytest.raises(ScanError, match="numbers that are none"):
        read_mask(_save(tmp_path / "inf.nii", np.full(PHANTOM.lungs.shape[::-1], np.inf, np.float32)), SCAN)
    with pytest.raises(ScanError, match=r"absent.nrrd cannot be used"):
        read_mask(tmp_path / "absent.nrrd", SCAN)
