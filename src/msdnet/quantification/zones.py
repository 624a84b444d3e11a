"""How the lungs are divided: a shell along the chest wall, and along their height thirds or anatomical zones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage

from msdnet.errors import OptionError
from msdnet.morphology import box_around, convex_hull
from msdnet.prediction.field_of_view import COARSE_MM
from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.threads import map_in_threads

Array = np.ndarray[Any, Any]

PERIPHERAL_MM = 20.0
"""What lies nearer to the chest wall is peripheral."""

BLOCK = 32
"""Distances are found on so many slices at a time."""

OUTSIDE, PERIPHERAL, CENTRAL = 0, 1, 2
LOWER, MIDDLE, UPPER = 0, 1, 2
LEVELS = ("lower", "middle", "upper")


@dataclass(frozen=True)
class Zones:
    """Three parts of each lung, one above the other, by axial slice.

    Attributes:
        level: (2, S) int8: `LOWER`, `MIDDLE` or `UPPER` on each slice of the right, then of the left lung; -1 where the
            slice shows nothing of it.
    """

    level: Array


def find_thirds(sides: Array) -> Zones:
    """Thirds of each lung's height; (S, H, W) uint8."""
    level = np.full((2, len(sides)), -1, dtype=np.int8)
    for place, shown in enumerate(_shown(sides)):
        if len(shown):
            level[place, shown] = 3 * (shown - shown[0]) // (shown[-1] - shown[0] + 1)
    return Zones(level)


def find_zones(sides: Array, carina: int, veins: int) -> Zones:
    """The anatomical zones: above the carina, from there to the inferior pulmonary veins, and below; (S, H, W) uint8.

    Args:
        sides: Right and left lung.
        carina: Its slice, counted from the feet.
        veins: The slice of the inferior pulmonary veins, which is in the middle zone.

    Raises:
        OptionError: if the veins lie above the carina, or one of them is no slice of the scan.
    """
    if not 0 <= veins <= carina < len(sides):
        raise OptionError(
            "the lungs cannot be divided so",
            got=f"carina on slice {carina + 1}, inferior pulmonary veins on slice {veins + 1}",
            expected=f"slices 1 to {len(sides)} from the feet, the veins not above the carina",
            do="give the slices as the report numbers them",
        )
    level = np.full((2, len(sides)), -1, dtype=np.int8)
    for place, shown in enumerate(_shown(sides)):
        level[place, shown] = np.where(shown > carina, UPPER, np.where(shown >= veins, MIDDLE, LOWER))
    return Zones(level)


def number_levels(sides: Array, zones: Zones) -> Array:
    """Their numbers in `LUNG_PARTS`: each lung from above, 1 to 3 the right one, 4 to 6 the left; (S, H, W) uint8."""
    numbers = np.zeros(sides.shape, dtype=np.uint8)
    for place, side in enumerate((RIGHT, LEFT)):
        for index, level in enumerate(zones.level[place]):
            if level >= 0:
                numbers[index][sides[index] == side] = 3 * place + 1 + (UPPER - level)
    return numbers


def number_shells(sides: Array, shells: Array) -> Array:
    """Their numbers in `LUNG_PARTS`: 1 and 2 periphery and centre of the right lung, 3 and 4 of the left; as sides."""
    numbers = np.zeros_like(sides)
    for plane, side, shell in zip(numbers, sides, shells, strict=True):  # one slice after another, for memory
        lung = side > 0
        plane[lung] = 2 * (side[lung] - RIGHT) + shell[lung]
    return numbers


def _shown(sides: Array) -> list[Array]:
    """The slices that show the right, and those that show the left lung."""
    return [np.flatnonzero([(plane == side).any() for plane in sides]) for side in (RIGHT, LEFT)]


def find_shells(sides: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """`PERIPHERAL` within `PERIPHERAL_MM` of the chest wall, `CENTRAL` deeper in the lungs, `OUTSIDE` elsewhere.

    The distance is to the hull of both lungs on each slice, so that neither mediastinum nor diaphragm counts as wall.

    Shapes: sides (S, H, W) uint8 -> (S, H, W) uint8.
    """
    shells = np.zeros(sides.shape, dtype=np.uint8)
    if sides.any():
        place = _around(sides > 0)
        shells[place] = _shells_of(sides[place], spacing_mm)
    return shells


def _shells_of(sides: Array, spacing_mm: tuple[float, float, float]) -> Array:
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    coarse = sides[:, ::step, ::step] > 0
    hulls = np.stack(map_in_threads(convex_hull, coarse))
    coarse_mm = (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    padded = np.pad(hulls, ((0, 0), (1, 1), (1, 1)))  # what the picture cuts off counts as wall; the scan's ends do not
    near_wall = _near_outside(padded, coarse_mm, PERIPHERAL_MM)[:, 1:-1, 1:-1]
    shells = np.where(near_wall, np.uint8(PERIPHERAL), np.uint8(CENTRAL))
    full = shells.repeat(step, axis=1).repeat(step, axis=2)[:, : sides.shape[1], : sides.shape[2]]
    return np.where(sides > 0, full, np.uint8(OUTSIDE))


def _near_outside(mask: Array, spacing_mm: tuple[float, float, float], mm: float) -> Array:
    """What is no further than so many millimetres from what is not set; (S, H, W) bool.

    Slice by slice, since distances in a volume take 48 bytes a voxel while they are found: what lies near the wall of a
    slice is near it on the slices beside it, too, within the less the further these are. No slice may be set all over.
    """
    slice_mm, pixel_mm = spacing_mm[0], spacing_mm[1:]
    near = np.zeros_like(mask)
    for first in range(0, len(mask), BLOCK):
        planes = mask[first : first + BLOCK]
        for index, depth in enumerate(map_in_threads(partial(_depth, pixel_mm=pixel_mm), planes), start=first):
            for away in range(int(mm / slice_mm) + 1):
                within = depth <= np.sqrt(mm**2 - (away * slice_mm) ** 2)
                for other in {index - away, index + away} & set(range(len(mask))):
                    near[other] |= within
    return near


def _depth(plane: Array, pixel_mm: tuple[float, float]) -> Array:
    return np.asarray(ndimage.distance_transform_edt(plane, sampling=pixel_mm))


def _around(mask: Array) -> tuple[slice, ...]:
    """The box around what is set, with a slice more at either end, since there the body goes on."""
    slices, *plane = box_around(mask)
    return slice(max(0, slices.start - 1), slices.stop + 1), *plane
