"""Lesions one by one: connected pieces of a label map, how large each is, and where it lies."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from msdnet.morphology import box_around, count_labels, label_pieces
from msdnet.quantification.regions import Region

Array = np.ndarray[Any, Any]

SMALLEST_ML = 0.1
"""Smaller pieces are counted in the volume, but not as lesions."""


@dataclass(frozen=True)
class SingleLesion:
    """One piece, connected over faces, edges and corners.

    Attributes:
        volume_ml: Its volume.
        diameter_mm: The largest distance of two of its outline's points on one axial slice: its Feret diameter.
        side: The lung that most of it lies in; 0 for none.
        shell: The shell that most of it lies in.
        slice: The axial slice in the middle of what lies in that lung, counted from the feet.
    """

    volume_ml: float
    diameter_mm: float
    side: int
    shell: int
    slice: int

    def lies_in(self, region: Region) -> bool:
        """Whether it counts for a region of the lungs: it counts for one zone, one shell and one lung."""
        here = self.side in region.sides and self.shell in region.shells
        return here and (region.slices is None or bool(region.slices[self.side - 1][self.slice]))


def find_single_lesions(
    marked: Array, sides: Array, shells: Array, spacing_mm: tuple[float, float, float]
) -> list[SingleLesion]:
    """The lesions of at least `SMALLEST_ML`, the largest first.

    Shapes: marked (S, H, W) bool, sides and shells (S, H, W).

    Args:
        marked: Where the class, or any of them, is marked.
        sides: Right and left lung.
        shells: Peripheral and central.
        spacing_mm: Between slices, rows and columns.
    """
    box = box_around(marked)
    first = box[0].start
    marked, sides, shells = marked[box], sides[box], shells[box]
    if not marked.size:
        return []
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    pieces, count = label_pieces(marked, corners=True)
    sizes = count_labels(pieces, count)
    places = ndimage.find_objects(pieces)
    found = []
    for number in np.flatnonzero(sizes * voxel_ml >= SMALLEST_ML):
        if number == 0:
            continue
        place = places[number - 1]
        piece = pieces[place] == number
        occupied = np.flatnonzero(piece.any(axis=(1, 2)))
        found.append(
            SingleLesion(
                volume_ml=float(sizes[number] * voxel_ml),
                diameter_mm=max(feret_mm(piece[index], spacing_mm[1:]) for index in occupied),
                side=_most_common(sides[place][piece]),
                shell=_most_common(shells[place][piece]),
                slice=first + place[0].start + _middle_slice(piece, sides[place]),
            )
        )
    return sorted(found, key=lambda lesion: -lesion.volume_ml)


def feret_mm(plane: Array, pixel_mm: Sequence[float]) -> float:
    """The largest distance of two points on the outline of what is marked, half-way between pixels; (H, W) bool."""
    edge = plane & ~ndimage.binary_erosion(plane)
    centres = np.argwhere(edge)
    points = np.concatenate([centres + offset for offset in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
    points = points * np.asarray(pixel_mm)
    with contextlib.suppress(QhullError):  # all on one line: few enough
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())


def _middle_slice(piece: Array, sides: Array) -> int:
    inside = piece & (sides == _most_common(sides[piece]))
    return int(np.median(np.nonzero(inside)[0]))


def _most_common(values: Array) -> int:
    counts = np.bincount(values)
    if len(counts) > 1 and counts[1:].any():
        counts[0] = 0  # what is in a lung at all counts for a lung
    return int(np.argmax(counts))
