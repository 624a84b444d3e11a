"""Counts of every class in every part of the lungs, slice by slice. All figures of regions are sums of these."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.labels import LUNG_PARTS
from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.quantification.zones import CENTRAL, LEVELS, LOWER, MIDDLE, OUTSIDE, PERIPHERAL, UPPER, Shells, Zones

Array = np.ndarray[Any, Any]

DENSE_HU = -200
"""Opacity above this is "high". Source: Chaganti et al., Radiology: AI 2020, doi:10.1148/ryai.2020200048."""

AIR_HU = -1000
"""Mass counts nothing below the density of air."""

SIDES = {"right": RIGHT, "left": LEFT}
SHELLS = {"peripheral": PERIPHERAL, "central": CENTRAL}
LOBES = LUNG_PARTS["lobe"].names
"""In the order of their numbers, from 1 on."""


@dataclass(frozen=True)
class Region:
    """A part of the lungs.

    Attributes:
        name: "lungs", "right", "left_peripheral", "right_upper_third" and so on.
        sides: Which lungs it is of.
        shells: Which shells.
        slices: (2, S) bool, which slices of the right and of the left lung; None for all.
    """

    name: str
    sides: tuple[int, ...] = (RIGHT, LEFT)
    shells: tuple[int, ...] = (PERIPHERAL, CENTRAL)
    slices: Array | None = None


@dataclass(frozen=True)
class RegionCounts:
    """Sums over voxels, by slice, side (0 outside the lungs, right, left), shell (0 outside) and label (0 healthy).

    Attributes:
        voxels: (S, sides, 3, 1 + K) int64.
        hu: Sum of HU, same shape, float64.
        hu_squared: Sum of HU squared.
        dense: Voxels above `DENSE_HU`.
        mass: Sum of (HU + 1,000) / 1,000, never below 0: grams for each millilitre of a voxel.
    """

    voxels: Array
    hu: Array
    hu_squared: Array
    dense: Array
    mass: Array

    def of(self, region: Region) -> RegionCounts:
        """The sums over a region, by label alone; shapes (1 + K,)."""
        return RegionCounts(*(_sum(array, region) for array in self._arrays()))

    def _arrays(self) -> tuple[Array, ...]:
        return self.voxels, self.hu, self.hu_squared, self.dense, self.mass


def all_regions(thirds: Zones | None, zones: Zones | None = None) -> Iterator[Region]:
    """Both lungs, each lung, their shells, thirds and anatomical zones, in the order of the tables."""
    divisions = {kind: divided for kind, divided in (("third", thirds), ("zone", zones)) if divided is not None}
    yield Region("lungs")
    for name, shell in SHELLS.items():
        yield Region(name, shells=(shell,))
    for name, side in SIDES.items():
        yield Region(name, (side,))
        for shell_name, shell in SHELLS.items():
            yield Region(f"{name}_{shell_name}", (side,), (shell,))
        for kind, divided in divisions.items():
            for level in (UPPER, MIDDLE, LOWER):
                yield Region(f"{name}_{LEVELS[level]}_{kind}", (side,), slices=divided.level == level)


def lobe_regions() -> Iterator[Region]:
    """The five lobes, of counts whose sides are lobes and which have no shells."""
    for number, name in enumerate(LOBES, start=1):
        yield Region(name, (number,), (OUTSIDE,))


def count_regions(hu: Array, labels: Array, sides: Array, shells: Shells | None, num_labels: int) -> RegionCounts:
    """The counts of a whole scan, one slice at a time.

    Shapes: hu, labels and sides (S, H, W).

    Args:
        hu: In Hounsfield units.
        labels: Lesions, 0 to num_labels - 1.
        sides: Right and left lung; or the lobes, 0 outside.
        shells: Of the lungs; without them, all counts as outside of any shell.
        num_labels: Classes and background.
    """
    shape = (1 + max(LEFT, int(sides.max(initial=0))), 3, num_labels)
    sums = [np.zeros((len(hu), *shape)) for _ in range(5)]
    for index in range(len(hu)):
        chosen = (sides[index] > 0) | (labels[index] > 0)
        if not chosen.any():
            continue
        shell = OUTSIDE if shells is None else shells.plane(index, sides[index])[chosen]
        code = (sides[index][chosen].astype(np.intp) * 3 + shell) * num_labels + labels[index][chosen]
        values = hu[index][chosen].astype(np.float64)
        mass = (np.maximum(values, AIR_HU) - AIR_HU) / 1000.0
        for total, weights in zip(sums, (None, values, values**2, values > DENSE_HU, mass), strict=True):
            total[index] = np.bincount(code, weights=weights, minlength=int(np.prod(shape))).reshape(shape)
    voxels, hu_sum, squared, dense, mass_sum = sums
    return RegionCounts(voxels.astype(np.int64), hu_sum, squared, dense.astype(np.int64), mass_sum)


def _sum(array: Array, region: Region) -> Array:
    total = np.zeros(array.shape[-1], dtype=array.dtype)
    for side in region.sides:
        of_side = array[:, side, list(region.shells)].sum(axis=1)  # (S, 1 + K)
        total += of_side.sum(axis=0) if region.slices is None else of_side[region.slices[side - 1]].sum(axis=0)
    return total
