"""PNG, JPG and TIFF -> Scan of one slice without spacing or orientation."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
from PIL import Image

from msdnet.errors import ScanError
from msdnet.scans.hu import check_grey_options, read_values, refuse_grey_options
from msdnet.scans.messages import name_within
from msdnet.scans.scan import Intensity, Scan, Source

Array = np.ndarray[Any, Any]

_MAX_PIXELS = 8192 * 8192
_MIN_SIDE = 32  # below it there is nothing to see, and MSD-Net takes nothing smaller
_MAX_CHANNEL_DIFFERENCE = 8
_WIDE_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I;16S", "I", "F")


def read_picture(
    path: Path,
    name: str,
    *,
    given: Path | None = None,
    window: tuple[float, float] | None = None,
    grey: bool = False,
) -> Scan:
    """The scan of one picture: (1, row, column), the stored pixel grid (an EXIF rotation is not applied).

    8-bit pictures are grey as they are; colour pictures are read if they show grey only (channels within 8 of 255, as
    JPG leaves them). Pixels of 16 bits or more are HU or grey by the rule of `hu.read_values`.

    Args:
        path: The file.
        name: See `Source.name`.
        given: The folder it was found in, for messages.
        window: LOW, HIGH of a grey window.
        grey: Whether the values are grey already.

    Raises:
        ScanError: if the picture is damaged, smaller than 32 x 32, coloured, transparent, has several pages, several
            channels of 16 bits, or 16-bit values that do not look like HU where no option is given.
        OptionError: for a window given to an 8-bit picture.
    """
    check_grey_options(window, grey)
    shown = name_within(path, given)
    mode, pixels = _load(path, shown)
    intensity: Intensity = "grey"
    if mode in _WIDE_MODES:
        digest = _digest(pixels)
        pixels, intensity = read_values(pixels, shown, window=window, grey=grey)
    else:
        refuse_grey_options(shown, "an 8-bit picture, which is grey as it is", window, False)
        pixels = _grey_of(mode, pixels, shown)
        digest = _digest(pixels)
    return Scan(
        volume=hd.Volume(pixels[np.newaxis], affine=_unknown_grid(), coordinate_system="PATIENT"),
        intensity=intensity,
        spacing_known=False,
        orientation_known=False,
        source=Source("picture", name, digest),
        seg_obstacle="the input is not DICOM",
    )


def _load(path: Path, shown: str) -> tuple[str, Array]:
    """Pillow's name of the pixel format, and the pixels."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise _refused(shown, f"{image.width} x {image.height} pixels", "a CT slice of at most 8192 x 8192")
                if getattr(image, "n_frames", 1) > 1:
                    raise _refused(shown, f"{getattr(image, 'n_frames', 1)} pages", "one slice in a picture")
                if min(image.size) < _MIN_SIDE:
                    raise _refused(shown, f"{image.width} x {image.height} pixels", "a CT slice of at least 32 x 32")
                if image.mode in ("P", "PA"):
                    return "RGBA", np.asarray(image.convert("RGBA"))
                if image.mode not in (*_WIDE_MODES, "L", "LA", "RGB", "RGBA"):
                    raise _refused(shown, f"pixels of type {image.mode}", "8-bit grey, RGB-grey or 16-bit grey pixels")
                if image.mode not in _WIDE_MODES and any(";16" in str(tile[-1]) for tile in image.tile):
                    raise ScanError(  # Pillow would keep the upper 8 bits alone
                        f"the picture {shown} cannot be used",
                        got=f"16 bits in each channel of {image.mode}",
                        expected="16 bits in a single grey channel, or 8-bit pixels",
                        do="save it as 16-bit grey, or as 8-bit grey in a lung window",
                    )
                return image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ScanError(
            f"{shown} cannot be read as a picture",
            got=f"a damaged or truncated file ({type(error).__name__})",
            expected="a complete PNG, JPG or TIFF",
            do="copy or export it again",
        ) from error


def _grey_of(mode: str, pixels: Array, shown: str) -> Array:
    """(row, column) uint8 from grey or RGB, with or without an alpha channel."""
    if mode in ("LA", "RGBA"):
        if pixels[..., -1].min() < 255:
            raise _refused(shown, "transparent pixels", "an opaque picture")
        pixels = pixels[..., :-1]
    if mode == "L":
        return pixels
    channels = pixels.astype(np.int16)
    difference = int((channels.max(axis=-1) - channels.min(axis=-1)).max())
    if difference > _MAX_CHANNEL_DIFFERENCE:
        raise _refused(
            shown, f"colour: channels that differ by up to {difference} of 255", "grey, or RGB that shows grey"
        )
    return np.asarray(np.rint(channels.mean(axis=-1)), dtype=np.uint8)


def _refused(shown: str, got: str, expected: str) -> ScanError:
    return ScanError(
        f"the picture {shown} cannot be used",
        got=got,
        expected=expected,
        do="export the slice again as 8-bit grey, without overlays or annotations",
    )


def _unknown_grid() -> Array:
    """(slice, row, column) to LPS as if it were an axial slice with pixels of 1 mm; marked unknown in the scan."""
    affine = np.eye(4)
    affine[:3, :3] = affine[:3, :3][::-1]
    return affine


def _digest(pixels: Array) -> str:
    digest = hashlib.sha256(f"{pixels.dtype} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
