"""All results on one grid, the first one's: what is shown side by side, and where lesions are new or resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from msdnet.quantification.follow_up.lesion_map import LesionMap, map_lesions
from msdnet.quantification.follow_up.registration import (
    OUTSIDE_HU,
    Registration,
    Views,
    make_views,
    reach_of_scan,
    register,
    resample,
)
from msdnet.quantification.follow_up.result_files import read_volume
from msdnet.quantification.follow_up.timepoint import Timepoint

Array = np.ndarray[Any, Any]

SMALLEST_DICE = 0.95
"""Lungs that overlap less than this after registration do not lie over each other, or are another person's."""

SMALLEST_LIKENESS = 0.5
"""Lungs that are less like each other inside may be those of two people, however well their surfaces fit."""


@dataclass(frozen=True)
class Aligned:
    """Results laid over the first one, or why they are not; arrays (S, H, W) go to the head, the back and the left.

    Attributes:
        grid: The first result's preview, widened where a later scan shows lesion beyond it.
        pictures: HU of each result on that grid.
        labels: Of each result on that grid, uint8.
        seen: (S, H, W) bool of each result: where on that grid its scan reaches.
        lung_dice: Of each result but the first, how far its lungs cover the first one's.
        likeness: Of each but the first, how like the first one's its lungs are inside; see `Registration`.
        maps: From each result to the next. What lies beyond the first scan is in no map: only turned and shifted
            there, not bent, it lies too roughly.
        absent: Why there is nothing of all this: "no_lungs", "no_preview" (results without them, or empty lungs), or
            "failed" (lungs that do not come together); empty where there is.
        absent_of: Places of the results that it is about.
    """

    grid: sitk.Image = field(default_factory=sitk.Image)
    pictures: tuple[Array, ...] = ()
    labels: tuple[Array, ...] = ()
    seen: tuple[Array, ...] = ()
    lung_dice: tuple[float, ...] = ()
    likeness: tuple[float | None, ...] = ()
    maps: tuple[LesionMap, ...] = ()
    absent: str = ""
    absent_of: tuple[int, ...] = ()

    def write_map(self, place: int, path: Path) -> None:
        """Writes the map from result `place` to the next on the grid."""
        image = sitk.GetImageFromArray(self.maps[place].array)
        image.CopyInformation(self.grid)
        sitk.WriteImage(image, str(path), True)


def align(points: Sequence[Timepoint], progress: Callable[[int, int], None] | None = None) -> Aligned:
    """The results on the first one's grid, or why they cannot be laid over each other.

    Args:
        points: In the order of time.
        progress: Called with the number of results done and to do.

    Raises:
        OptionError: if a file of a result is damaged; the message names result and file.
    """
    for role in ("lungs", "preview"):
        lacking = tuple(place for place, point in enumerate(points) if point.file(role) is None)
        if lacking:
            return Aligned(absent=f"no_{role}", absent_of=lacking)
    empty = tuple(place for place, point in enumerate(points) if not _array(_read(point, "lungs")).any())
    if empty:
        return Aligned(absent="no_lungs", absent_of=empty)
    first = _views(points[0])
    found, corners = [], []
    for place, point in enumerate(points[1:], start=1):
        later = _views(point)
        registration = _try_to_register(first, later)
        if registration is None or registration.lung_dice < SMALLEST_DICE:
            return Aligned(absent="failed", absent_of=(place,))
        found.append(registration)
        corners += _extent_of_lesions(later, first.preview, registration)
        if progress is not None:
            progress(place, len(points) - 1)
    return _lay_over(points, _widened(_read(points[0], "preview"), corners), found)


def _try_to_register(first: Views, later: Views) -> Registration | None:
    """None where SimpleITK finds that the scans share nothing."""
    try:
        return register(first, later)
    except RuntimeError:
        return None


def _lay_over(points: Sequence[Timepoint], grid: sitk.Image, found: Sequence[Registration]) -> Aligned:
    pictures, labels, seen = [], [], []
    for point, transform in zip(points, (None, *(one.transform for one in found)), strict=True):
        preview = _read(point, "preview")
        pictures.append(_array(resample(preview, grid, transform)))
        seen.append(reach_of_scan(preview, grid, transform))
        labels.append(_array(resample(_read(point, "labels"), grid, transform, nearest=True)))
    column_mm, row_mm, slice_mm = grid.GetSpacing()
    maps = tuple(
        map_lesions(before > 0, after > 0, (slice_mm, row_mm, column_mm), seen[0] & seen_before & seen_after)
        for (before, seen_before), (after, seen_after) in pairwise(zip(labels, seen, strict=True))
    )
    dice, likeness = tuple(one.lung_dice for one in found), tuple(one.likeness for one in found)
    return Aligned(grid, tuple(pictures), tuple(labels), tuple(seen), dice, likeness, maps)


def _extent_of_lesions(later: Views, grid: sitk.Image, registration: Registration) -> list[Array]:
    """The least and the greatest index (column, row, slice) on the grid of what a later scan marks; float."""
    indices = np.argwhere(sitk.GetArrayViewFromImage(later.lesions))[:, ::-1]
    if not indices.size:
        return []
    to_points = _affine(later.lesions.TransformContinuousIndexToPhysicalPoint)
    to_later = _affine(grid.TransformContinuousIndexToPhysicalPoint, registration.rigid.TransformPoint)
    places = np.c_[indices, np.ones(len(indices))] @ (np.linalg.inv(to_later) @ to_points).T
    return [places[:, :3].min(axis=0), places[:, :3].max(axis=0)]


def _affine(*steps: Callable[[Sequence[float]], Sequence[float]]) -> Array:
    """The 4 x 4 matrix of affine maps of points, one after the other."""
    images = []
    for point in np.vstack([np.zeros(3), np.eye(3)]).tolist():
        for step in steps:
            point = list(step(point))
        images.append(point)
    matrix = np.eye(4)
    matrix[:3, 3] = images[0]
    matrix[:3, :3] = (np.array(images[1:]) - images[0]).T
    return matrix


def _widened(image: sitk.Image, corners: Iterable[Array]) -> sitk.Image:
    """The image with air around it, so far that its grid holds all of these indices and a voxel more."""
    low, high = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    for corner in corners:
        low = np.maximum(low, np.rint(-corner).astype(int))
        high = np.maximum(high, np.rint(corner).astype(int) - (np.array(image.GetSize()) - 1))
    low, high = (np.where(pad > 0, pad + 1, 0) for pad in (low, high))
    if not (low.any() or high.any()):
        return image
    wider: sitk.Image = sitk.ConstantPad(image, low.tolist(), high.tolist(), OUTSIDE_HU)
    return wider


def _views(point: Timepoint) -> Views:
    return make_views(*(_read(point, role) for role in ("preview", "lungs", "labels")))


def _read(point: Timepoint, role: str) -> sitk.Image:
    return read_volume(point.folder / point.record["files"][role])


def _array(image: sitk.Image) -> Array:
    return np.asarray(sitk.GetArrayFromImage(image))
