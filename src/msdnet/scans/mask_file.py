"""A label map that another program made of a scan, put onto the scan's own axes."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import SimpleITK

from msdnet.errors import ScanError
from msdnet.scans.scan import CANONICAL, Scan

Array = np.ndarray[Any, Any]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAX_SHIFT = 0.1  # of the smallest voxel side: files of one grid differ by the rounding of their headers
_MAX_SHEAR = 1e-2
_DAMAGES = (
    RuntimeError,
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    zlib.error,
    nib.filebasedimages.ImageFileError,
)
_ITK = (".nrrd", ".nhdr", ".mha", ".mhd")


def read_mask(path: Path, scan: Scan) -> Array:
    """The file's numbers, (S, H, W) int32 on canonical axes: slices to the head, rows to the back, columns to the left.

    Args:
        path: NIfTI, NRRD or MetaImage, with its axes in any order.
        scan: On whose grid it must lie; its orientation is known.

    Raises:
        ScanError: if the file is damaged, holds fractions, or lies on another grid than the scan.
    """
    array, affine = _read(path)
    largest = np.iinfo(np.int32).max
    if array.dtype.kind not in "iufb" or not np.array_equal(array, np.round(array)) or np.abs(array).max() > largest:
        kind = f"{array.dtype} with fractions or numbers that are none"
        raise _refused(path, kind, "whole numbers, one for each part", "save the mask as label map")
    try:
        volume = hd.Volume(array.astype(np.int32), affine=_straight(affine), coordinate_system="PATIENT")
    except ValueError as error:
        raise _refused(path, "axes that are not at right angles", "those of the scan", "resample it") from error
    mask, grid = volume.to_patient_orientation(CANONICAL), scan.volume.to_patient_orientation(CANONICAL)
    corners = np.array([[0, 0, 0], [n - 1 for n in grid.shape]])
    places = [v.map_indices_to_reference(corners) for v in (mask, grid)]
    reach = _MAX_SHIFT * min(float(mm) for mm in grid.spacing)
    if mask.shape != grid.shape or np.abs(places[0] - places[1]).max() > reach:
        raise _refused(
            path,
            f"{_words(mask)}; the scan has {_words(grid)}",
            "a mask on the scan's own grid",
            "make it from this very series, or resample it onto the scan (nearest neighbour)",
        )
    return np.ascontiguousarray(mask.array)


def _read(path: Path) -> tuple[Array, Array]:
    """The numbers and the affine (LPS), axes as in the file."""
    try:
        if path.suffix.lower() in _ITK:
            image = SimpleITK.ReadImage(str(path))
            affine = np.eye(4)
            affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
            affine[:3, 3] = image.GetOrigin()
            array: Array = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
        else:
            loaded: Any = nib.load(path)
            affine, array = _RAS_TO_LPS @ loaded.affine, np.asanyarray(loaded.dataobj)
            array = array.reshape(array.shape[:3]) if array.shape[3:] == (1,) * (array.ndim - 3) else array
        if array.ndim != 3:
            raise ValueError(f"{array.ndim} axes")
    except _DAMAGES as error:
        words = str(error).splitlines() or [type(error).__name__]
        raise _refused(
            path,
            words[-1].replace(str(path), path.name)[:200],
            "a NIfTI, NRRD or MetaImage label map",
            "check the path",
        ) from error
    return array, affine


def _straight(affine: Array) -> Array:
    """The affine with axes that are off a right angle by rounding set right."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing)
    if np.abs(affine[:3, :3] / spacing - left @ right).max() > _MAX_SHEAR:
        return affine
    straight = affine.copy()
    straight[:3, :3] = (left @ right) * spacing
    return straight


def _words(volume: hd.Volume) -> str:
    size = " x ".join(map(str, volume.shape))
    return f"{size} voxels of {' x '.join(f'{mm:.3g}' for mm in volume.spacing)} mm"


def _refused(path: Path, got: str, expected: str, do: str) -> ScanError:
    return ScanError(f"the mask {path.name} cannot be used", got=got, expected=expected, do=do)
