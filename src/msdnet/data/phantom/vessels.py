"""Pulmonary vessels and bronchi: trees that fill each lung and taper towards the pleura, drawn as fine tubes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from msdnet.data.phantom.anatomy import Chest
from msdnet.data.phantom.fields import Array, Grid

NUM_TIPS = 2200  # of each of the four trees
TIP_RADIUS_MM = 0.44
RADIUS_EXPONENT = 0.33
MIN_DEPTH_MM = 4.0
POINTS_PER_VOXEL = 24
MAX_POINTS = 12_000_000


@dataclass(frozen=True)
class Tubes:
    """Curved tubes: start, bend and end points (N, 3) as x, y, z in mm, radii (N,), numbers of tips supplied (N,)."""

    start: Array
    bend: Array
    end: Array
    radius_mm: Array
    num_tips: Array

    def select(self, chosen: Array) -> Tubes:
        """The tubes a mask chooses."""
        return Tubes(*(part[chosen] for part in (self.start, self.bend, self.end, self.radius_mm, self.num_tips)))

    def beside(self, factor: float, extra_mm: float, gap_mm: float) -> Tubes:
        """Tubes running along these, `factor` times as wide plus `extra_mm`, their walls `gap_mm` apart."""
        radius_mm = factor * self.radius_mm + extra_mm
        along = self.end - self.start
        across = np.cross(along, (0.3, 0.1, 1.0))
        across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-6
        shift = across * (self.radius_mm + factor * self.radius_mm + gap_mm)[:, None]
        return Tubes(self.start + shift, self.bend + shift, self.end + shift, radius_mm, self.num_tips)


class Coverage:
    """The share of each voxel that tubes fill, slice by slice."""

    def __init__(self, tubes: Tubes, grid: Grid) -> None:
        self._shape = grid.shape[1:]
        voxel_mm3 = grid.slab_mm * grid.spacing_mm[1] * grid.spacing_mm[2]
        points, volume_mm3 = _fill(tubes, grid, voxel_mm3 / POINTS_PER_VOXEL)
        column = np.rint((points[:, 0] - grid.x_mm[0]) / grid.spacing_mm[2]).astype(np.int64)
        row = np.rint((points[:, 1] - grid.y_mm[0]) / grid.spacing_mm[1]).astype(np.int64)
        height = (points[:, 2] - grid.z_mm[0]) / grid.spacing_mm[0]
        slices = np.rint(height).astype(np.int64)
        inside = np.abs(height - slices) * grid.spacing_mm[0] <= grid.slab_mm / 2
        for index, size in zip((slices, row, column), grid.shape, strict=True):
            inside &= (index >= 0) & (index < size)
        slices, pixel = slices[inside], (row * self._shape[1] + column)[inside]
        order = np.argsort(slices, kind="stable")
        self._pixels, self._shares = pixel[order], volume_mm3[inside][order] / voxel_mm3
        self._ends = np.searchsorted(slices[order], np.arange(grid.shape[0] + 1))

    def slice(self, index: int) -> Array:
        """Shares (H, W) from 0 to 1 of one slice."""
        part = slice(self._ends[index], self._ends[index + 1])
        size = self._shape[0] * self._shape[1]
        share = np.bincount(self._pixels[part], weights=self._shares[part], minlength=size)
        return np.asarray(np.minimum(1.15 * share, 1).reshape(self._shape), dtype=np.float32)


def grow_trees(chest: Chest, rng: np.random.Generator) -> tuple[Tubes, Tubes]:
    """Arteries and veins of both lungs. The bronchi run beside the arteries."""
    trees: list[list[Tubes]] = [[], []]
    for side in (-1, 1):
        tips = _tips(chest, side, rng)
        for kind, root in enumerate(((31.0 * side, 10.0, -2.0), (28.0 * side, 14.0, -24.0))):
            trees[kind].append(_grow(tips[kind :: len(trees)], np.array(root), rng))
    arteries, veins = (
        Tubes(*(np.concatenate(parts) for parts in zip(*(vars(tree).values() for tree in pair), strict=True)))
        for pair in trees
    )
    return arteries, veins


def _tips(chest: Chest, side: int, rng: np.random.Generator) -> Array:
    """Points (2 * NUM_TIPS, 3) spread over one lung's inside."""
    found: list[Array] = []
    count = 0
    while count < 2 * NUM_TIPS:
        points = rng.uniform((0, -95, -125), (135, 100, 120), size=(4 * NUM_TIPS, 3)) * (side, 1, 1)
        depth = chest.lung(points[:, 0], points[:, 1], points[:, 2])
        found.append(points[depth > MIN_DEPTH_MM + rng.exponential(2.0, len(points))])
        count += len(found[-1])
    return np.concatenate(found)[: 2 * NUM_TIPS]


def _grow(tips: Array, root: Array, rng: np.random.Generator) -> Tubes:
    """A tree from the root to every tip: a branch parts its tips across their longest extent and splits before them."""
    starts: list[Array] = []
    ends: list[Array] = []
    headings: list[Array] = []
    counts: list[int] = []
    todo = [(tips, root, np.zeros(3))]
    while todo:
        group, start, heading = todo.pop()
        count = len(group)
        toward = group.mean(axis=0) - start
        end = group[0] if count == 1 else start + toward * rng.uniform(0.35, 0.62)
        starts.append(start)
        ends.append(end)
        headings.append(heading)
        counts.append(count)
        if count > 1:
            axis = int(np.argmax(group.std(axis=0) * rng.uniform(0.8, 1.25, 3)))
            cut = min(max(1, round(count * rng.uniform(0.3, 0.7))), count - 1)
            order = np.argpartition(group[:, axis], cut - 1)
            straight = (end - start) / (np.linalg.norm(end - start) + 1e-6)
            todo += [(group[order[:cut]], end, straight), (group[order[cut:]], end, straight)]
    start, end, heading = np.array(starts), np.array(ends), np.array(headings)
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    bend = 0.5 * (start + end) + 0.18 * length * (heading - (end - start) / (length + 1e-6))
    bend += rng.normal(0, 0.06, bend.shape) * length
    num_tips = np.array(counts)
    return Tubes(start, bend, end, TIP_RADIUS_MM * num_tips**RADIUS_EXPONENT, num_tips)


def _fill(tubes: Tubes, grid: Grid, point_mm3: float) -> tuple[Array, Array]:
    """Points (P, 3) spread evenly through the tubes and the volume (P,) each stands for."""
    heights = np.stack([tubes.start[:, 2], tubes.bend[:, 2], tubes.end[:, 2]])
    reach = tubes.radius_mm + grid.slab_mm
    tubes = tubes.select((heights.max(0) + reach > grid.z_mm[0]) & (heights.min(0) - reach < grid.z_mm[-1]))
    length = np.linalg.norm(tubes.end - tubes.start, axis=1)
    volume = np.pi * tubes.radius_mm**2 * length
    steps = np.maximum(np.ceil(length / (0.5 * min(grid.spacing_mm[1:]))), np.ceil(length / (0.5 * grid.slab_mm)))
    wanted = np.maximum(np.ceil(volume / point_mm3), steps)
    wanted *= min(1.0, MAX_POINTS / max(wanted.sum(), 1))
    counts = np.maximum(wanted, 1).astype(np.int64)
    tube = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(tube)) - np.repeat(np.cumsum(counts) - counts, counts)
    t = (rank + 0.5) / counts[tube]
    height = _bezier(t, tubes.start[tube, 2], tubes.bend[tube, 2], tubes.end[tube, 2]) - grid.z_mm[0]
    from_slice = np.abs(height - np.rint(height / grid.spacing_mm[0]) * grid.spacing_mm[0])
    shown = from_slice <= grid.slab_mm / 2 + tubes.radius_mm[tube]  # most points lie between thin slices
    tube, rank, t = tube[shown], rank[shown], t[shown, None]
    centre = _bezier(t, tubes.start[tube], tubes.bend[tube], tubes.end[tube])
    along = (tubes.end - tubes.start) / (length[:, None] + 1e-6)
    one = np.cross(along, (0.43, 0.78, 0.45))
    one /= np.linalg.norm(one, axis=1, keepdims=True) + 1e-6
    two = np.cross(along, one)
    # A low-discrepancy sequence over the disc: even without the graininess of random points.
    radius = tubes.radius_mm[tube] * np.sqrt((0.5 + rank * 0.7548776662466927) % 1)
    angle = 2 * np.pi * ((rank * 0.5698402909980532) % 1)
    offset = (radius * np.cos(angle))[:, None] * one[tube] + (radius * np.sin(angle))[:, None] * two[tube]
    return centre + offset, (volume / counts)[tube]


def _bezier(t: Array, start: Array, bend: Array, end: Array) -> Array:
    return np.asarray((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end)
