"""How the lungs are divided: a shell along the chest wall, and along their height thirds or anatomical zones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.errors import OptionError
from msdnet.morphology import at_pixels, box_around, convex_hull, depth
from msdnet.prediction.field_of_view import COARSE_MM
from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.threads import map_in_threads

Array = np.ndarray[Any, Any]

PERIPHERAL_MM = 20.0
"""What lies nearer to the chest wall is peripheral."""

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


@dataclass(frozen=True)
class Shells:
    """What of the lungs lies near the chest wall; coarse, since a mask as fine as the scan is large.

    Attributes:
        near_wall: Bool, a pixel for each block of step x step in each slice of the box.
        box: Slices, rows and columns of the scan.
        step: Pixels of the scan.
    """

    near_wall: Array
    box: tuple[slice, slice, slice]
    step: int

    def plane(self, index: int, sides: Array) -> Array:
        """`PERIPHERAL` and `CENTRAL` in the lungs of one slice, `OUTSIDE` elsewhere; sides (H, W) -> uint8."""
        shells = np.where(sides > 0, np.uint8(CENTRAL), np.uint8(OUTSIDE))
        slices, rows, columns = self.box
        if slices.start <= index < slices.stop:
            part = shells[rows, columns]
            near = self.near_wall[index - slices.start]
            part[at_pixels(near, self.step, (slice(0, part.shape[0]), slice(0, part.shape[1]))) & (part > 0)] = (
                PERIPHERAL
            )
        return shells


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


def number_shells(sides: Array, shells: Shells) -> Array:
    """Their numbers in `LUNG_PARTS`: 1 and 2 periphery and centre of the right lung, 3 and 4 of the left; as sides."""
    numbers = np.zeros_like(sides)
    for index, (plane, side) in enumerate(zip(numbers, sides, strict=True)):  # slice after slice, for memory
        lung = side > 0
        plane[lung] = 2 * (side[lung] - RIGHT) + shells.plane(index, side)[lung]
    return numbers


def _shown(sides: Array) -> list[Array]:
    """The slices that show the right, and those that show the left lung."""
    return [np.flatnonzero([(plane == side).any() for plane in sides]) for side in (RIGHT, LEFT)]


def find_shells(sides: Array, spacing_mm: tuple[float, float, float]) -> Shells:
    """Where the lungs are within `PERIPHERAL_MM` of the chest wall.

    The distance is to the hull of both lungs on each slice, so that neither mediastinum nor diaphragm counts as wall.

    Shapes: sides (S, H, W) uint8.
    """
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    box = _around(sides)
    hulls = np.stack(map_in_threads(convex_hull, sides[box][:, ::step, ::step] > 0))
    padded = np.pad(hulls, ((0, 0), (1, 1), (1, 1)))  # what the picture cuts off counts as wall; the scan's ends do not
    coarse_mm = (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    return Shells(depth(padded, coarse_mm)[:, 1:-1, 1:-1] <= PERIPHERAL_MM, box, step)


def _around(mask: Array) -> tuple[slice, slice, slice]:
    """The box around what is set, with a slice more at either end, since there the body goes on."""
    slices, rows, columns = box_around(mask)
    return slice(max(0, slices.start - 1), min(slices.stop + 1, len(mask))), rows, columns
