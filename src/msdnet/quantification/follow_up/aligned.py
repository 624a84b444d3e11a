"""All results on the first one's grid: what is shown side by side, and where lesions are new or resolved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from msdnet.quantification.follow_up.lesion_map import LesionMap, map_lesions
from msdnet.quantification.follow_up.registration import read_volume, register, resample
from msdnet.quantification.follow_up.timepoint import Timepoint

Array = np.ndarray[Any, Any]

_ROLES = ("preview", "lungs", "labels")

SMALLEST_DICE = 0.9
"""Lungs that overlap less than this after registration do not lie over each other."""


@dataclass(frozen=True)
class Aligned:
    """Results laid over the first one; arrays (S, H, W) go towards the head, the back and the patient's left.

    Attributes:
        grid: The first result's preview.
        pictures: HU of each result on that grid.
        labels: Of each result on that grid, uint8.
        seen: (S, H, W) bool of each result: where on that grid its scan reaches.
        lung_dice: Of each result but the first, how far its lungs cover the first one's.
        maps: From each result to the next.
    """

    grid: sitk.Image
    pictures: tuple[Array, ...]
    labels: tuple[Array, ...]
    seen: tuple[Array, ...]
    lung_dice: tuple[float, ...]
    maps: tuple[LesionMap, ...]

    def write_map(self, place: int, path: Path) -> None:
        """Writes the map from result `place` to the next on the first one's grid."""
        image = sitk.GetImageFromArray(self.maps[place].array)
        image.CopyInformation(self.grid)
        sitk.WriteImage(image, str(path), True)


def align(points: Sequence[Timepoint], progress: Callable[[int, int], None] | None = None) -> Aligned | str:
    """The results on the first one's grid; or why they cannot be laid over each other.

    Args:
        points: In the order of time.
        progress: Called with the number of results done and to do.

    Returns:
        Aligned, or "no_lungs", "no_preview" (a result without them, or empty lungs), or "failed" (lungs that do not
        come together).
    """
    for role in ("lungs", "preview"):
        if any(point.file(role) is None for point in points):
            return f"no_{role}"
    first, *others = ({role: p for role in _ROLES if (p := point.file(role))} for point in points)
    grid = read_volume(first["preview"])
    pictures = [_array(grid)]
    labels = [_array(resample(read_volume(first["labels"]), grid, nearest=True))]
    seen = [np.ones(pictures[0].shape, dtype=bool)]
    overlaps = []
    if not all(_array(read_volume(paths["lungs"])).any() for paths in (first, *others)):
        return "no_lungs"
    for number, later in enumerate(others, start=1):
        try:
            found = register(first, later)
        except RuntimeError:  # SimpleITK, of scans that share nothing
            return "failed"
        if found.lung_dice < SMALLEST_DICE:
            return "failed"
        overlaps.append(found.lung_dice)
        preview = read_volume(later["preview"])
        pictures.append(_array(resample(preview, grid, found.transform)))
        seen.append(_array(resample(preview * 0 + 1, grid, found.transform, nearest=True)) > 0)
        moved = resample(read_volume(later["labels"]), grid, found.transform, nearest=True)
        labels.append(_array(moved))
        if progress is not None:
            progress(number, len(points) - 1)
    column_mm, row_mm, slice_mm = grid.GetSpacing()
    maps = tuple(
        map_lesions(before > 0, after > 0, (slice_mm, row_mm, column_mm), seen_before & seen_after)
        for (before, seen_before), (after, seen_after) in pairwise(zip(labels, seen, strict=True))
    )
    return Aligned(grid, tuple(pictures), tuple(labels), tuple(seen), tuple(overlaps), maps)


def _array(image: sitk.Image) -> Array:
    return np.asarray(sitk.GetArrayFromImage(image))
