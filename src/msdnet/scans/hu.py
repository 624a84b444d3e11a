"""Stored numbers -> HU or grey. Whether numbers are HU is stated by the file or recognised by a rule; never assumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from msdnet.errors import OptionError, ScanError
from msdnet.scans.scan import Intensity

AIR_HU = -1024
"""Everything below is treated as air: padding and the overshoot of interpolation."""

_AIR_RANGE_HU = (-1200.0, -500.0)
_TISSUE_RANGE_HU = (-300.0, 500.0)
_MIN_AIR_SHARE = 0.01
_MIN_TISSUE_SHARE = 0.001
_REMEDY = (
    "pass --window LOW,HIGH (the range of values that becomes black to white), or --grey if the values are grey from 0 "
    "to 255 already"
)


def check_grey_options(window: tuple[float, float] | None, grey: bool) -> None:
    """Nothing, if the two options can be used.

    Raises:
        OptionError: if both are given, or if the window is not two finite numbers in ascending order.
    """
    if window is None:
        return
    if grey:
        raise OptionError(
            "--window and --grey exclude each other", got="both", expected="one of them, or none", do="leave one out"
        )
    if not (np.all(np.isfinite(window)) and window[0] < window[1]):
        raise OptionError(
            "the window cannot be used",
            got=f"--window {','.join(f'{v:g}' for v in window)}",
            expected="two finite numbers LOW,HIGH with LOW below HIGH",
            do="pass for example --window -1000,400",
        )


def refuse_grey_options(name: str, stated: str, window: tuple[float, float] | None, grey: bool) -> None:
    """Nothing, if neither option is given: `stated` says why this input needs none.

    Raises:
        OptionError: if one is given.
    """
    if window is not None or grey:
        raise OptionError(
            f"{name} does not take {'--grey' if grey else '--window'}",
            got=stated,
            expected="an input whose values are neither HU nor 8-bit grey",
            do="leave the option out; run this input by itself if others need it",
        )


def to_hu(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """HU as int16, rounded, with everything below -1,024 HU set to -1,024."""
    if values.dtype.kind == "f":
        values = np.rint(values)
    highest = np.iinfo(np.int16).max
    limited = np.minimum(values, highest) if values.dtype.kind in "ub" else np.clip(values, AIR_HU, highest)
    return np.asarray(limited, dtype=np.int16)


def read_values(
    raw: np.ndarray[Any, Any],
    name: str,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    window: tuple[float, float] | None = None,
    grey: bool = False,
) -> tuple[np.ndarray[Any, Any], Intensity]:
    """The values of a file that does not say what they mean, and what they were found to be.

    The rule: values are HU if at least 1 % of them lie between -1,200 and -500 (air and lung) and at least 0.1 %
    between -300 and 500 (tissue). Then they are returned as HU, and neither option is accepted. Otherwise `window` maps
    LOW..HIGH to grey 0..255, or `grey` says that the values are grey, 0 to 255, already.

    Args:
        raw: The stored numbers, any shape; value = raw * slope + intercept. Read slab by slab.
        name: What to call the input in a message.

    Returns:
        int16 HU and "HU", or uint8 grey and "grey"; the shape of `raw`.

    Raises:
        ScanError: for NaN or infinite values, and for values that do not look like HU where no option is given, or
            that do not fit the option.
        OptionError: for an option given to values that look like HU.
    """
    check_grey_options(window, grey)
    low, high, is_hu = _survey(raw, slope, intercept, name)
    if is_hu:
        refuse_grey_options(name, f"values from {low:g} to {high:g}, which look like HU", window, grey)
    elif window is None and not grey:
        raise ScanError(
            f"the values of {name} do not look like HU",
            got=f"values from {low:g} to {high:g}",
            expected="at least 1 % of the values from -1200 to -500 HU (air, lung) and some from -300 to 500 (tissue)",
            do=_REMEDY,
        )
    elif grey and (low < 0 or not 1 < high <= 255):
        raise ScanError(
            f"the values of {name} are not grey from 0 to 255",
            got=f"values from {low:g} to {high:g}",
            expected="values from 0 to 255 with --grey",
            do="pass --window LOW,HIGH instead",
        )
    out = np.empty(raw.shape, dtype=np.int16 if is_hu else np.uint8, order="F" if raw.flags.f_contiguous else "C")
    for slab, values in _slabs(raw, slope, intercept):
        if is_hu:
            out[slab] = to_hu(values)
        elif window is not None:
            scaled = (values.astype(np.float32) - window[0]) * (255.0 / (window[1] - window[0]))
            out[slab] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
        else:
            out[slab] = np.rint(values).astype(np.uint8)
    return out, "HU" if is_hu else "grey"


def _survey(raw: np.ndarray[Any, Any], slope: float, intercept: float, name: str) -> tuple[float, float, bool]:
    low, high, num_air, num_tissue = np.inf, -np.inf, 0, 0
    for _, values in _slabs(raw, slope, intercept):
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            raise ScanError(
                f"{name} holds values that are not numbers",
                got=f"{int(np.count_nonzero(~np.isfinite(values)))} NaN or infinite values in one slab",
                expected="finite values everywhere",
                do="replace them (for padding, -1024 HU is air) and save the file again",
            )
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        num_air += int(np.count_nonzero((values >= _AIR_RANGE_HU[0]) & (values <= _AIR_RANGE_HU[1])))
        num_tissue += int(np.count_nonzero((values >= _TISSUE_RANGE_HU[0]) & (values <= _TISSUE_RANGE_HU[1])))
    return low, high, num_air >= _MIN_AIR_SHARE * raw.size and num_tissue >= _MIN_TISSUE_SHARE * raw.size


def _slabs(
    raw: np.ndarray[Any, Any], slope: float, intercept: float
) -> Iterator[tuple[tuple[Any, ...], np.ndarray[Any, Any]]]:
    """Pieces along the slowest axis, scaled, so that no second copy of the whole is ever held."""
    along_last = raw.flags.f_contiguous and not raw.flags.c_contiguous
    axis = raw.ndim - 1 if along_last else 0
    step = max(1, 8 * raw.shape[axis] * 262_144 // max(raw.size, 1))
    for start in range(0, raw.shape[axis], step):
        part = slice(start, start + step)
        index: tuple[Any, ...] = (..., part) if along_last else (part,)
        values = raw[index]
        if slope != 1.0 or intercept != 0.0:
            values = values.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        elif values.dtype.kind == "f" and values.dtype != np.float32:
            values = values.astype(np.float64)
        yield index, values
