"""Masks: the results of SciPy's and scikit-image's functions in a fraction of their time or memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import ConvexHull

from msdnet.threads import num_threads

Array = np.ndarray[Any, Any]


def box_around(mask: Array, margin: int = 0) -> tuple[slice, ...]:
    """The smallest box that holds all that is set, wider by a margin within the mask; empty where nothing is set.

    Shapes: mask (...) bool, of any number of axes.
    """
    box = []
    for axis in range(mask.ndim):
        occupied = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not len(occupied):
            return (slice(0, 0),) * mask.ndim
        box.append(slice(max(0, int(occupied[0]) - margin), int(occupied[-1]) + 1 + margin))
    return tuple(box)


def label_pieces(mask: Array, *, corners: bool = False) -> tuple[Array, int]:
    """As `scipy.ndimage.label`, numbered in 16 bits where these suffice: half the memory.

    Args:
        mask: (...) bool.
        corners: What touches at a corner alone is one piece, too.
    """
    structure = np.ones((3,) * mask.ndim) if corners else None
    numbers = np.empty(mask.shape, dtype=np.uint16)
    try:
        return numbers, int(ndimage.label(mask, structure, output=numbers))
    except RuntimeError:  # more pieces than 16 bits can number
        pieces, count = ndimage.label(mask, structure)
        return pieces, count


def count_labels(labels: Array, highest: int) -> Array:
    """How often each number occurs, (highest + 1,) int64; plane by plane, since `numpy.bincount` takes 8 bytes a voxel.

    Shapes: labels (S, ...) unsigned.
    """
    counts = np.zeros(highest + 1, dtype=np.int64)
    for plane in labels:
        counts += np.bincount(plane.ravel(), minlength=highest + 1)
    return counts


def depth(mask: Array, spacing: Sequence[float] | None = None) -> Array:
    """As `scipy.ndimage.distance_transform_edt`, in a fifth of its memory: how far it is to what is not set.

    Shapes: mask (S, H, W) bool, not set everywhere -> float32.

    Args:
        mask: Of a volume.
        spacing: Between slices, rows and columns; 1 by default.
    """
    image = sitk.GetImageFromArray((~mask).view(np.uint8))
    image.SetSpacing([1.0] * 3 if spacing is None else [float(s) for s in reversed(spacing)])
    measure = sitk.SignedMaurerDistanceMapImageFilter()
    measure.SetInsideIsPositive(False)
    measure.SetSquaredDistance(False)
    measure.SetUseImageSpacing(True)
    measure.SetNumberOfThreads(num_threads())
    found: Array = sitk.GetArrayFromImage(measure.Execute(image))
    found *= mask
    return found


def at_pixels(coarse: Array, step: int, box: tuple[slice, slice]) -> Array:
    """A box of a plane, of which `coarse` has a pixel for each block of step x step."""
    rows, columns = (np.arange(part.start, part.stop) // step for part in box)
    return np.asarray(coarse[rows[:, None], columns])


def disk(radius: float, pixel: tuple[float, float] = (1.0, 1.0)) -> Array:
    """The pixels no further than a radius from the middle one, (2 a + 1, 2 b + 1) bool.

    Args:
        radius: In pixels, or in the unit of `pixel`.
        pixel: The distance of rows and of columns.
    """
    reach = [1 + int(radius / size) for size in pixel]
    rows, columns = (np.arange(-n, n + 1) * size for n, size in zip(reach, pixel, strict=True))
    return np.asarray(np.sqrt(rows[:, None] ** 2 + columns**2) <= radius)


def dilate(plane: Array, structure: Array) -> Array:
    """As `scipy.ndimage.binary_dilation`.

    Shapes: plane (H, W) bool, structure (2 a + 1, 2 b + 1) bool, symmetric -> (H, W) bool.
    """
    return _combined(plane, structure, np.logical_or, outside=False)


def erode(plane: Array, structure: Array, *, outside: bool = False) -> Array:
    """As `scipy.ndimage.binary_erosion`; `outside` is what counts as set beyond the plane.

    Shapes: plane (H, W) bool, structure (2 a + 1, 2 b + 1) bool, symmetric -> (H, W) bool.
    """
    return _combined(plane, structure, np.logical_and, outside=outside)


def fill_holes(plane: Array) -> Array:
    """As `scipy.ndimage.binary_fill_holes`: set is all that is not connected with the plane's edge; (H, W) bool."""
    pieces, count = ndimage.label(~plane)
    is_hole = np.ones(count + 1, dtype=bool)
    for edge in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        is_hole[edge] = False
    is_hole[0] = True  # what is set
    return np.asarray(is_hole[pieces])


def convex_hull(plane: Array) -> Array:
    """As `skimage.morphology.convex_hull_image`: the hull of what is set, pixels being rhombs; (H, W) bool."""
    hull = np.zeros(plane.shape, dtype=bool)
    rows = np.flatnonzero(plane.any(axis=1))
    if not len(rows):
        return hull
    first = np.argmax(plane[rows], axis=1)
    last = plane.shape[1] - 1 - np.argmax(plane[rows, ::-1], axis=1)
    # Each row's outermost corners: at its own height, and half a row above and below. Each once, as complex numbers.
    heights = np.concatenate([rows, rows - 0.5, rows + 0.5])
    left, right = np.concatenate([first - 0.5, first, first]), np.concatenate([last + 0.5, last, last])
    corners = np.unique(np.concatenate([left + 1j * heights, right + 1j * heights]))
    outline = corners[ConvexHull(np.stack([corners.real, corners.imag], axis=1)).vertices]
    start, stop = _crossings(outline, np.arange(rows[0], rows[-1] + 1))
    columns = np.arange(plane.shape[1])
    hull[rows[0] : rows[-1] + 1] = (columns >= start[:, None]) & (columns <= stop[:, None])
    return hull


def _crossings(outline: Array, rows: Array) -> tuple[Array, Array]:
    """Where each row (R,) enters and leaves a convex outline (N,) of x + iy; a little outside, for what lies on it."""
    start, end = outline[:, None], np.roll(outline, -1)[:, None]
    low, high = np.minimum(start.imag, end.imag), np.maximum(start.imag, end.imag)
    crosses = (low <= rows) & (rows <= high) & (low < high)
    share = (rows - start.imag) / np.where(low < high, end.imag - start.imag, 1.0)
    columns = start.real + share * (end.real - start.real)  # (N, R)
    enters, leaves = np.where(crosses, columns, np.inf).min(axis=0), np.where(crosses, columns, -np.inf).max(axis=0)
    return enters - 1e-6, leaves + 1e-6


def _combined(plane: Array, structure: Array, combine: np.ufunc, *, outside: bool) -> Array:
    (up, across), (height, width) = (n // 2 for n in structure.shape), plane.shape
    padded = np.pad(plane, ((up, up), (across, across)), constant_values=outside)
    result = plane.copy()
    for row, column in np.argwhere(structure):
        combine(result, padded[row : row + height, column : column + width], out=result)
    return result
