"""Slice headers -> their order along the normal and the grid they make; refuses stacks that make none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.errors import ScanError
from msdnet.scans.messages import count_of

Array = np.ndarray[Any, Any]

_SAME_POSITION_MM = 0.01
_MAX_UNEVENNESS = 0.05
_MAX_DRIFT = 0.25
_MAX_TILT_DEGREES = 0.5


@dataclass(frozen=True)
class Stack:
    """The grid of a series.

    Attributes:
        order: Index into the headers given, ascending along the normal.
        affine: (slice, row, column) index to LPS millimetres, 4 x 4.
        spacing_known: Whether the headers state every spacing; else 1 mm stands in.
        pixel_spacing_known: Whether they state the spacing within a slice.
        orientation_known: Whether they state position and orientation.
        notes: What a reader of the result should know.
    """

    order: list[int]
    affine: Array
    spacing_known: bool
    pixel_spacing_known: bool
    orientation_known: bool
    notes: tuple[str, ...] = ()


def stack_slices(headers: Sequence[Any], name: str) -> Stack:
    """The order and grid of a series' slices, equal to those of SimpleITK's `ImageSeriesReader`.

    Slices ascend along the cross product of the row and column directions. Their distance is the mean distance; for a
    single slice it is SpacingBetweenSlices, or unknown (1 mm on the grid) where that is missing: the thickness is
    not a distance.

    Args:
        headers: pydicom datasets of one series in any order.
        name: What to call the input in a message.

    Raises:
        ScanError: for slices of different size, orientation, pixel spacing or patient; without position; duplicates;
            4D; gaps; uneven spacing; gantry tilt.
    """
    first = headers[0]
    _check_same(headers, name)
    pixel_spacing = _numbers(first, "PixelSpacing", 2)
    cosines = _numbers(first, "ImageOrientationPatient", 6)
    origins = [_numbers(h, "ImagePositionPatient", 3) for h in headers]
    if len(headers) > 1 and (cosines is None or any(o is None for o in origins)):
        raise ScanError(
            f"the slices of {name} cannot be put in order",
            got="slices without ImagePositionPatient or ImageOrientationPatient",
            expected="both in every slice of a series (a single slice is fine without)",
            do="export the series again with its geometry, or pass one slice at a time",
        )
    orientation_known = cosines is not None and origins[0] is not None
    row, column = _directions(cosines if cosines is not None else np.array([1.0, 0, 0, 0, 1, 0]), name)
    normal = np.cross(row, column)
    positions = np.array([o if o is not None else np.zeros(3) for o in origins])
    order = [int(i) for i in np.argsort(positions @ normal, kind="stable")]
    positions = positions[order]
    notes: tuple[str, ...] = ()
    slice_spacing: float | None
    if len(headers) > 1:
        slice_spacing = _check_distances(positions, normal, [headers[i] for i in order], name)
        notes = _notes_on_thickness(first, slice_spacing)
    else:
        slice_spacing = _number(first, "SpacingBetweenSlices")
        if slice_spacing is None:
            notes = ("A single slice that does not state its distance to the next: no millilitres are reported.",)
    affine = np.eye(4)
    affine[:3, 0] = normal * (slice_spacing or 1.0)
    affine[:3, 1] = column * (pixel_spacing[0] if pixel_spacing is not None else 1.0)
    affine[:3, 2] = row * (pixel_spacing[1] if pixel_spacing is not None else 1.0)
    affine[:3, 3] = positions[0]
    if pixel_spacing is None:
        notes += ("The slices do not state their pixel spacing: no millilitres are reported.",)
    return Stack(
        order=order,
        affine=affine,
        spacing_known=pixel_spacing is not None and slice_spacing is not None,
        pixel_spacing_known=pixel_spacing is not None,
        orientation_known=orientation_known,
        notes=notes,
    )


def _check_same(headers: Sequence[Any], name: str) -> None:
    sizes = sorted({f"{h.get('Rows')} x {h.get('Columns')}" for h in headers})
    if len(sizes) > 1:
        raise ScanError(
            f"the slices of {name} have different sizes",
            got=", ".join(sizes),
            expected="one size in a series",
            do="pass the files of one size only",
        )
    if len({(str(h.get("PatientID", "")), str(h.get("StudyInstanceUID", ""))) for h in headers}) > 1:
        raise ScanError(
            f"the slices of {name} belong to different patients or studies",
            got="one series UID with several patient IDs or study UIDs",
            expected="one patient and study in a series",
            do="sort the files by study and pass one",
        )
    for keyword, length, tolerance, title in (
        ("ImageOrientationPatient", 6, 1e-3, "orientation"),
        ("PixelSpacing", 2, 1e-4, "pixel spacing"),
    ):
        values = [_numbers(h, keyword, length) for h in headers]
        known = [v for v in values if v is not None]
        if known and (len(known) < len(values) or any(np.abs(v - known[0]).max() > tolerance for v in known)):
            raise ScanError(
                f"the slices of {name} differ in {title}",
                got=f"{len({tuple(np.round(v, 4)) for v in known})} values of {keyword}"
                + (" and slices without it" if len(known) < len(values) else ""),
                expected=f"one {title} in a series",
                do="pass the files of one stack only",
            )


def _check_distances(positions: Array, normal: Array, headers: Sequence[Any], name: str) -> float:
    """The mean distance of the slices in millimetres, once nothing speaks against a regular grid."""
    along = positions @ normal
    steps = np.diff(along)
    same = int(np.count_nonzero(steps < _SAME_POSITION_MM))
    if same:
        num_places = len(steps) + 1 - same
        counts = np.diff(np.flatnonzero(np.concatenate([[True], steps >= _SAME_POSITION_MM, [True]])))
        if num_places > 1 and len(set(counts.tolist())) == 1:
            raise ScanError(
                f"{name} is a 4D series, which is not supported",
                got=f"{int(counts[0])} slices at each of {num_places} positions",
                expected="one slice at each position",
                do="pass the files of one phase or time point",
            )
        raise ScanError(
            f"{name} has duplicate slices",
            got=f"{same} of {len(along)} slices at the position of another",
            expected="one slice at each position",
            do="remove the copies, or export the series again",
        )
    _check_tilt(positions, normal, headers[0], name)
    unit = float(np.median(steps[steps < 1.5 * steps.min()]))
    ratios = steps / unit
    whole = np.rint(ratios)
    if whole.max() > 1 and np.all(np.abs(ratios - whole) <= 2 * _MAX_UNEVENNESS * whole):
        num_missing, num_places = int((whole - 1).sum()), int((whole > 1).sum())
        raise _gap(name, f"{count_of(num_missing, 'slice')} missing in {count_of(num_places, 'place')}", unit)
    mean = float((along[-1] - along[0]) / (len(along) - 1))
    drift = np.abs(along - (along[0] + mean * np.arange(len(along)))).max()
    if np.abs(ratios - 1).max() > _MAX_UNEVENNESS or drift > _MAX_DRIFT * mean:
        raise ScanError(
            f"the slices of {name} are unevenly spaced",
            got=f"distances from {steps.min():.3f} to {steps.max():.3f} mm",
            expected=f"distances equal within {_MAX_UNEVENNESS:.0%}",
            do="export an evenly spaced reconstruction of the series",
        )
    _check_numbering(headers, mean, name)
    return mean


def _check_tilt(positions: Array, normal: Array, first: Any, name: str) -> None:
    path = positions[-1] - positions[0]
    sideways = float(np.linalg.norm(path - (path @ normal) * normal))
    tilt = float(np.degrees(np.arctan2(sideways, path @ normal)))
    stated = abs(_number(first, "GantryDetectorTilt", signed=True) or 0.0)
    upright = abs(normal[2]) > np.cos(np.radians(_MAX_TILT_DEGREES))
    if tilt > _MAX_TILT_DEGREES or (stated > _MAX_TILT_DEGREES and upright):
        raise ScanError(
            f"{name} was taken with a tilted gantry",
            got=f"slices that shift sideways by {tilt:.1f} degrees"
            if tilt > _MAX_TILT_DEGREES
            else f"a stated tilt of {stated:.1f} degrees that the slices' geometry does not show",
            expected="slices stacked at right angles",
            do="export a reconstruction without tilt, or pass one slice at a time",
        )


def _check_numbering(headers: Sequence[Any], distance: float, name: str) -> None:
    """Refuses an even stack out of which every second slice, or all but a few, are missing."""
    stated = _number(headers[0], "SpacingBetweenSlices") or _number(headers[0], "SliceThickness")
    numbers = [_number(h, "InstanceNumber", signed=True) for h in headers]
    if stated is None or any(n is None for n in numbers):
        return
    jumps = np.abs(np.diff(np.array(numbers, dtype=float)))
    if distance > 1.5 * stated and np.all(jumps > 1):
        raise _gap(name, f"slices {distance:g} mm apart whose numbers jump by {jumps.min():g}", stated)


def _gap(name: str, got: str, unit: float) -> ScanError:
    return ScanError(
        f"{name} has gaps",
        got=got,
        expected=f"a slice every {unit:g} mm",
        do="export the whole series again, or pass single slices one at a time",
    )


def _notes_on_thickness(first: Any, distance: float) -> tuple[str, ...]:
    thickness = _number(first, "SliceThickness")
    if thickness is None or distance <= 1.5 * thickness:
        return ()
    return (
        f"Slices are {thickness:g} mm thick but {distance:g} mm apart: volumes assume that they fill the distance.",
    )


def _directions(cosines: Array, name: str) -> tuple[Array, Array]:
    """The directions of increasing column and row index as unit vectors at right angles."""
    row, column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or abs(row @ column) > 0.01:
        raise ScanError(
            f"the orientation of {name} cannot be used",
            got="ImageOrientationPatient " + ", ".join(f"{v:g}" for v in cosines),
            expected="two unit vectors at right angles",
            do="export the series again",
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return row, column / np.linalg.norm(column)


def _numbers(header: Any, keyword: str, length: int) -> Array | None:
    value = header.get(keyword)
    try:
        numbers = np.array([float(v) for v in value], dtype=float)
    except (TypeError, ValueError):
        return None
    if len(numbers) != length or not np.all(np.isfinite(numbers)):
        return None
    return None if keyword == "PixelSpacing" and numbers.min() <= 0 else numbers


def _number(header: Any, keyword: str, *, signed: bool = False) -> float | None:
    try:
        number = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and (signed or number > 0) else None
