"""NIfTI, NRRD and MetaImage -> Scan on the file's own grid; NIfTI through nibabel, the others through SimpleITK."""

from __future__ import annotations

import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import highdicom as hd
import nibabel as nib
import numpy as np
import SimpleITK

from msdnet.errors import ScanError
from msdnet.scans.hu import read_values
from msdnet.scans.itk_header import read_itk_header
from msdnet.scans.messages import name_within
from msdnet.scans.scan import Scan, Source

Array = np.ndarray[Any, Any]

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAX_SHEAR = 1e-2
_MAX_VOXELS = 1 << 31
_SPACING_MM = 0.05, 100.0  # a chest in voxels outside this range is a header in another unit
_NRRD_OR_META = (".nrrd", ".nhdr", ".mha", ".mhd")


def read_volume(
    path: Path,
    name: str,
    *,
    given: Path | None = None,
    window: tuple[float, float] | None = None,
    grey: bool = False,
) -> Scan:
    """The scan in a volume file, array axes and affine as the file has them (first index fastest, as in NIfTI).

    Values are HU or grey by the rule of `hu.read_values`.

    Args:
        path: The file.
        name: See `Source.name`.
        given: The folder it was found in, for messages.
        window: LOW, HIGH of a grey window.
        grey: Whether the values are grey already.

    Raises:
        ScanError: if the file is damaged, has not three axes (4D is refused), holds no single numbers, has a grid that
            is sheared, or values that do not look like HU where no option is given.
        OptionError: for a window or grey given to values that look like HU.
    """
    read = _read_itk if path.suffix.lower() in _NRRD_OR_META else _read_nifti
    return read(path, name, name_within(path, given), window, grey)


def _read_nifti(path: Path, name: str, shown: str, window: tuple[float, float] | None, grey: bool) -> Scan:
    try:
        image: Any = nib.load(path)
        header = image.header
        _check_axes(image.shape, header.get_data_dtype(), shown)
        raw = np.asanyarray(image.dataobj.get_unscaled())
        slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, OSError, ValueError) as error:
        raise _damaged(path, shown, error) from error
    except (EOFError, zlib.error) as error:
        raise _damaged(path, shown, error) from error
    unit = header.get_xyzt_units()[0]
    if unit not in ("unknown", "mm"):
        raise ScanError(
            f"{shown} is not measured in millimetres",
            got=unit,
            expected="millimetres",
            do="convert its header to mm",
        )
    orientation_known = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    zooms = np.asarray(header.get_zooms()[:3], dtype=float)
    spacing_known = orientation_known or not (np.allclose(zooms, 1.0) or np.any(zooms <= 0))
    raw = raw.reshape(raw.shape[:3])
    digest = _digest(raw, image.affine, f"{slope} {intercept}")
    voxels, intensity = read_values(raw, shown, slope=slope, intercept=intercept, window=window, grey=grey)
    return Scan(
        volume=_volume(voxels, _RAS_TO_LPS @ image.affine, shown),
        intensity=intensity,
        spacing_known=spacing_known,
        orientation_known=orientation_known,
        source=Source("volume", name, digest, nifti_header=header.copy()),
        notes=_notes(spacing_known),
        seg_obstacle="the input is not DICOM",
    )


def _read_itk(path: Path, name: str, shown: str, window: tuple[float, float] | None, grey: bool) -> Scan:
    try:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        if reader.GetNumberOfComponents() != 1:
            raise _no_volume(shown, f"{reader.GetNumberOfComponents()} numbers in each voxel")
        _check_axes(reader.GetSize(), np.dtype(float), shown)
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(path, shown, error) from error
    raw = SimpleITK.GetArrayViewFromImage(image).transpose(2, 1, 0)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    stated = read_itk_header(path)
    spacing_known = not np.allclose(image.GetSpacing(), 1.0) or stated.spacing
    voxels, intensity = read_values(raw, shown, window=window, grey=grey)
    return Scan(
        volume=_volume(voxels, affine, shown),
        intensity=intensity,
        spacing_known=spacing_known,
        orientation_known=stated.orientation,
        source=Source("volume", name, _digest(raw, affine, "")),
        notes=_notes(spacing_known),
        seg_obstacle="the input is not DICOM",
    )


def _volume(voxels: Array, affine: Array, shown: str) -> hd.Volume:
    """The voxels with their affine (LPS); axes that are off a right angle by rounding are set right."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    least, most = _SPACING_MM
    if not np.all(np.isfinite(affine)) or spacing.min() < least or spacing.max() > most:
        raise ScanError(
            f"the grid of {shown} cannot be used",
            got=f"voxels of {' x '.join(f'{s:g}' for s in spacing)} mm",
            expected=f"{least:g} to {most:g} mm along every axis",
            do="correct its header; it may state another unit than millimetres",
        )
    directions = affine[:3, :3] / spacing
    left, _, right = np.linalg.svd(directions)
    if np.abs(directions - left @ right).max() > _MAX_SHEAR:
        raise ScanError(
            f"the grid of {shown} is sheared",
            got="axes that are not at right angles (a tilted gantry, or an affine registration)",
            expected="axes at right angles",
            do="resample it to a grid with right angles",
        )
    straight = affine.copy()
    straight[:3, :3] = (left @ right) * spacing
    return hd.Volume(voxels, affine=straight, coordinate_system="PATIENT")


def _check_axes(shape: tuple[int, ...], dtype: Any, shown: str) -> None:
    if len(shape) > 3 and any(s > 1 for s in shape[3:]):
        raise ScanError(
            f"{shown} is 4D, which is not supported",
            got="a shape of " + " x ".join(map(str, shape)),
            expected="one volume with three axes",
            do="save one time point or channel as its own file",
        )
    if len(shape) < 3 or min(shape) < 1 or math.prod(shape) > _MAX_VOXELS:
        raise _no_volume(shown, f"{len(shape)} axes of sizes " + " x ".join(map(str, shape)))
    if dtype.kind not in "iufb":
        raise _no_volume(shown, f"voxels of type {dtype}")


def _no_volume(shown: str, got: str) -> ScanError:
    return ScanError(
        f"{shown} is not a volume of single numbers",
        got=got,
        expected="three axes, one number in each voxel, and at most 2^31 voxels",
        do="save the CT itself as a volume; a single slice may have a third axis of size 1",
    )


def _damaged(path: Path, shown: str, error: Exception) -> ScanError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return ScanError(
        f"{shown} cannot be read as a volume",
        got=lines[-1].replace(str(path), shown)[:200],
        expected="a complete NIfTI, NRRD or MetaImage file",
        do="the file may be truncated: copy or export it again",
    )


def _notes(spacing_known: bool) -> tuple[str, ...]:
    return () if spacing_known else ("The file does not state its voxel size: no millilitres are reported.",)


def _digest(raw: Array, affine: Array, scaling: str) -> str:
    digest = hashlib.sha256(f"{raw.dtype} {raw.shape} {scaling}".encode())
    digest.update(np.round(affine, 4).tobytes())
    for k in range(raw.shape[2]):
        digest.update(np.ascontiguousarray(raw[:, :, k]).data)
    return digest.hexdigest()
