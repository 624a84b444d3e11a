"""Lesions of COVID-19 pneumonia: where they lie, which voxels they take, and what they do to the lung's HU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from msdnet.data.phantom.anatomy import Chest
from msdnet.data.phantom.fields import Array, Grid, SmoothNoise, step

GGO, INTERSTITIAL, CONSOLIDATION = 1, 2, 3
HALO = 0.38
LOBULE_MM = 8.0
MESH_MM = 3.6


@dataclass(frozen=True)
class Pattern:
    """How one class of lesions is scattered: how many, how large, how deep under the pleura, how ragged."""

    num: tuple[int, int]
    radius_mm: tuple[float, float]
    depth_mm: tuple[float, float]
    posterior: float
    raggedness: float


PATTERNS = {
    "ggo": Pattern((8, 15), (9, 34), (2, 26), 0.7, 0.75),
    "interstitial": Pattern((4, 8), (14, 32), (0, 9), 0.9, 0.40),
    "consolidation": Pattern((4, 8), (9, 28), (0, 5), 1.3, 0.7),
}


class Lesions:
    """The lesions of one chest on one grid.

    Args:
        chest: The chest they lie in.
        grid: The grid; lesions are placed within its field of view.
        kinds: The classes to place, names out of `PATTERNS`.
        rng: Draws places, sizes and textures.
        scale: The lesions are this many times as wide as drawn.
    """

    def __init__(
        self, chest: Chest, grid: Grid, kinds: Collection[str], rng: np.random.Generator, scale: float = 1.0
    ) -> None:
        self._grid, self._kinds = grid, kinds
        self._noises = {name: [SmoothNoise(rng, scale, grid) for scale in (19, 7, 3.2)] for name in PATTERNS}
        self._density, self._texture, self._speckle = (SmoothNoise(rng, scale, grid) for scale in (45, 14, 4))
        self._blobs = {name: _place(pattern, chest, grid, rng) for name, pattern in PATTERNS.items()}
        for blobs in self._blobs.values():
            blobs[:, 3:] *= scale
        self._lobules, self._mesh = (_cells(size, rng) for size in (LOBULE_MM, MESH_MM))

    def labels(self, index: int, x: Array, y: Array, z: float, lung: Array) -> tuple[Array, dict[str, Array]]:
        """Label map (H, W) uint8 and each class's strength (H, W) from 0 to 1, both within the lung.

        Args:
            index: The slice's index.
            x: Coordinates (H, W) in mm.
            y: Coordinates (H, W) in mm.
            z: The slice's height in mm.
            lung: Depth (H, W) under the pleura in mm.
        """
        levels = {name: self._level(name, index, x, y, z) for name in PATTERNS}
        if "consolidation" in self._kinds:
            levels["ggo"] = np.maximum(levels["ggo"], levels["consolidation"] + HALO)
        labels = np.zeros(x.shape, dtype=np.uint8)
        strength: dict[str, Array] = {}
        for name, number, sharpness in (
            ("ggo", GGO, 2.6),
            ("interstitial", INTERSTITIAL, 3),
            ("consolidation", CONSOLIDATION, 4),
        ):
            if name not in self._kinds:
                continue
            strength[name] = np.clip(levels[name] * sharpness + 0.3, 0, 1) * (lung > 0)
            labels[(levels[name] > 0) & (lung > 0)] = number
        return labels, strength

    def opacify(
        self, hu: Array, index: int, x: Array, y: Array, z: float, lung: Array, strength: dict[str, Array]
    ) -> Array:
        """HU (H, W) of lung without vessels, lesions added; arguments as for `labels`."""
        texture, speckle = self._texture.slice(index), self._speckle.slice(index)
        if "ggo" in strength:
            hazy = -560 + 45 * self._density.slice(index) + 50 * texture + 42 * speckle
            hu = hu + strength["ggo"] * (np.maximum(hazy, hu) - hu)
        if "interstitial" in strength and strength["interstitial"].any():
            here = strength["interstitial"]
            base = -640 + 55 * texture + 35 * speckle
            net = np.zeros_like(hu)
            chosen = here > 0
            points = np.stack([x[chosen], y[chosen], np.full(chosen.sum(), z)], axis=1)
            thick = np.clip(0.55 + 0.35 * texture[chosen] + 0.25 * speckle[chosen], 0.05, None)
            net[chosen] = np.maximum(
                self._walls(self._lobules, points, thick), 0.45 * self._walls(self._mesh, points, 0.45 + 0 * thick)
            )
            net = np.maximum(net, 0.8 * np.clip(1.6 - lung, 0, 1))
            hu = hu + here * (np.maximum(base, hu) + 360 * net - hu)
        if "consolidation" in strength:
            dense = 5 + 26 * texture + 14 * speckle
            hu = hu + strength["consolidation"] * (dense - hu)
        return hu

    def _level(self, name: str, index: int, x: Array, y: Array, z: float) -> Array:
        """Positive within the lesions of a class; about -1 and less away from them."""
        level = np.full(x.shape, -9.0, dtype=np.float32)
        for cx, cy, cz, rx, ry, rz in self._blobs[name]:
            if abs(z - cz) > 1.7 * rz:
                continue
            near = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)
            np.maximum(level, 1 - near, out=level)
        coarse, medium, fine = (noise.slice(index) for noise in self._noises[name])
        ragged = PATTERNS[name].raggedness
        return level + ragged * (0.5 * coarse + 0.36 * medium + 0.16 * fine) - 0.08

    def _walls(self, cells: cKDTree, points: Array, thickness_mm: Array) -> Array:
        """The share of a pixel at each point that the walls between cells cover."""
        _, nearest = cells.query(points, k=2)
        one, two = cells.data[nearest[:, 0]], cells.data[nearest[:, 1]]
        gap = np.abs(((points - 0.5 * (one + two)) * (two - one)).sum(axis=1)) / np.linalg.norm(two - one, axis=1)
        pixel_mm = self._grid.pixel_mm
        share = np.clip((thickness_mm - gap) / pixel_mm + 0.5, 0, 1) * np.clip(2 * thickness_mm / pixel_mm, 0, 1)
        return np.asarray(share)


def _place(pattern: Pattern, chest: Chest, grid: Grid, rng: np.random.Generator) -> Array:
    """Centres and half axes (N, 6) in mm of a class's lesions, in the part of the lungs that the grid shows."""
    shown = np.array([(axis[0], axis[-1]) for axis in (grid.x_mm, grid.y_mm, grid.z_mm)], dtype=float)
    low = np.maximum(shown[:, 0], (-135.0, -95.0, -125.0))
    extent = np.maximum(np.minimum(shown[:, 1], (135.0, 100.0, 115.0)) - low, 0)
    points = low + extent * rng.random((30_000, 3))
    x, y, z = points.T
    outer = np.minimum(chest.cavity(x, y, z), z - chest.diaphragm(x, y))  # the pleura at ribs and diaphragm
    weight = step((outer - pattern.depth_mm[0]) / 0.5) * step((pattern.depth_mm[1] - outer) / 2)
    weight *= (chest.lung(x, y, z) > 0) * np.exp(pattern.posterior * y / 45 - z / 130)
    num = int(rng.integers(*pattern.num, endpoint=True))
    if weight.sum() == 0:
        return np.zeros((0, 6))
    centres = points[rng.choice(len(points), size=num, p=weight / weight.sum())]
    small, large = np.log(pattern.radius_mm)
    mean_radius = np.exp(rng.uniform(small, large, size=(num, 1)))
    return np.concatenate([centres, mean_radius * rng.uniform(0.7, 1.35, size=(num, 3))], axis=1)


def _cells(size_mm: float, rng: np.random.Generator) -> cKDTree:
    """Cell centres on a jittered lattice over the whole chest."""
    axes = [np.arange(-reach, reach, size_mm) for reach in (140.0, 110.0, 130.0)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return cKDTree(centres + rng.uniform(-0.5, 0.5, centres.shape) * size_mm)
