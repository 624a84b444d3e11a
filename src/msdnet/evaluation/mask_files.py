"""One mask file: an index PNG or a NIfTI volume, of class numbers or of shares of one class, as an array."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from msdnet.errors import DatasetError

Array = np.ndarray[Any, Any]

_INDEX_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ROUNDING = 1e-3  # how far beyond 0 to 1 scaled numbers may lie
_UNREADABLE = (OSError, ValueError, nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError)


@dataclass(frozen=True)
class Mask:
    """What a file holds.

    Attributes:
        array: (row, column, slice).
        affine: Of a volume; None for a picture.
        spacing_mm: Size of a pixel along rows and columns of the array, or None where it is not known.
    """

    array: Array
    affine: Array | None = None
    spacing_mm: tuple[float, float] | None = None


def read_png(path: Path, *, soft: bool = False) -> Mask:
    """The class numbers in a picture, or with `soft` its grey as shares of white.

    Raises:
        DatasetError: if it is damaged, in colours, or no soft map.
    """
    try:
        with Image.open(path) as image:
            mode, pixels = image.mode, np.asarray(image)
    except (*_UNREADABLE, SyntaxError, Image.DecompressionBombError) as error:
        raise _damaged(path) from error
    if mode == "RGB" and (pixels == pixels[..., :1]).all():  # grey, saved as colour: exact, nothing is guessed
        mode, pixels = "L", pixels[..., 0]
    if mode not in _INDEX_MODES:
        raise DatasetError(
            f"{path.parent.name}/{path.name} is not a {'soft map' if soft else 'picture of class numbers'}",
            got=f"a picture in colours ({mode})",
            expected="one number in each pixel",
            do="turn colours into grey with Image.open(p).convert('L')"
            + (
                ""
                if soft
                else " and say which grey is which class with --values OLD=NEW (predictions) or --label-values OLD=NEW"
                " (labels)"
            ),
        )
    if soft:
        pixels = _as_share(path, mode, pixels)
    return Mask(pixels[..., np.newaxis])


def _as_share(path: Path, mode: str, pixels: Array) -> Array:
    white = {"1": 1, "L": 255}.get(mode, 65535)  # a grey PNG has 1, 8 or 16 bits
    if mode == "P" or pixels.min() < 0 or pixels.max() > white:
        raise DatasetError(
            f"{path.parent.name}/{path.name} is not a soft map",
            got="a picture with a palette" if mode == "P" else f"numbers from {pixels.min()} to {pixels.max()}",
            expected="a grey picture: black is 0, white is 1",
            do="save the map in grey, or leave --threshold out where the pixels are class numbers",
        )
    return pixels / np.float64(white)


def read_nifti(path: Path, *, soft: bool = False) -> Mask:
    """The class numbers in a volume, or with `soft` its fractions.

    Raises:
        DatasetError: if it is damaged, no label map or soft map, or its third axis runs along a slice.
    """
    try:
        image: Any = nib.load(path)
        array = np.asanyarray(image.dataobj)
    except (*_UNREADABLE, EOFError, zlib.error) as error:
        raise _damaged(path) from error
    shape = (*array.shape, 1, 1)[: max(3, array.ndim)]
    whole = array.dtype.kind in "biu" or (array.dtype.kind == "f" and bool((array == np.rint(array)).all()))
    numbers = array.dtype.kind in "biuf"  # not colours, not complex
    if min(shape) < 1 or any(s > 1 for s in shape[3:]) or not numbers or not (whole or soft):
        raise DatasetError(
            f"{path.parent.name}/{path.name} is not a label map",
            got=f"{array.dtype} of shape {array.shape}" + (" with fractions" if numbers and not whole else ""),
            expected="whole numbers on three axes",
            do="save one volume of class numbers; soft maps of one class are taken with --threshold",
        )
    if soft and not (array.min() >= -_ROUNDING and array.max() <= 1 + _ROUNDING):
        raise DatasetError(
            f"{path.parent.name}/{path.name} is not a soft map",
            got=f"numbers from {array.min()} to {array.max()}",
            expected="fractions from 0 to 1",
            do="save probabilities, or leave --threshold out where the voxels are class numbers",
        )
    header = image.header
    oriented = int(header.get("sform_code", 0)) > 0 or int(header.get("qform_code", 0)) > 0
    affine = np.asarray(image.affine, dtype=float)
    sides = np.linalg.norm(affine[:3, :3], axis=0)
    if oriented and nib.aff2axcodes(affine)[2] not in ("S", "I"):
        raise DatasetError(
            f"the third axis of {path.parent.name}/{path.name} does not run from slice to slice",
            got="axes to " + ", ".join(nib.aff2axcodes(affine)),
            expected="axial slices: a third axis to S or I",
            do="reorient predictions and labels, for example with nibabel.as_closest_canonical",
        )
    known = header.get_xyzt_units()[0] in ("unknown", "mm") and (oriented or not np.allclose(sides, 1.0))
    spacing_mm = (float(sides[0]), float(sides[1])) if known and sides.min() > 0 else None
    if soft:
        array = array.clip(0, 1)
    elif array.dtype.kind == "f":
        array = array.astype(np.int64)
    return Mask(array.reshape(shape[:3]), affine, spacing_mm)


def _damaged(path: Path) -> DatasetError:
    return DatasetError(
        f"{path.parent.name}/{path.name} cannot be read",
        got="a damaged or truncated file",
        expected="a complete PNG or NIfTI file",
        do="copy or export it again",
    )
