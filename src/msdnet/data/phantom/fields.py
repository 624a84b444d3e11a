"""The grid of millimetres a phantom is painted on, smooth noise over it, and signed distances to simple shapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

Array = np.ndarray[Any, np.dtype[Any]]
Coordinate = Array | float

NOISE_PERIOD_MM = 480.0
CENTRE_Y_MM = 14.0  # the field of view lies a little behind the body's axis, so that the couch is in it


@dataclass(frozen=True)
class Grid:
    """Voxel centres in the patient's millimetres: x towards the left, y towards the back, z towards the head.

    Attributes:
        shape: Slices, rows, columns.
        spacing_mm: Distance of voxel centres along the same three axes.
        slab_mm: Thickness of a slice; at most the slice spacing.
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    slab_mm: float

    @cached_property
    def z_mm(self) -> Array:
        """Slice positions, ascending from feet to head."""
        return _centred(self.shape[0], self.spacing_mm[0])

    @cached_property
    def y_mm(self) -> Array:
        """Row positions, ascending towards the back."""
        return _centred(self.shape[1], self.spacing_mm[1]) + CENTRE_Y_MM

    @cached_property
    def x_mm(self) -> Array:
        """Column positions, ascending towards the patient's left."""
        return _centred(self.shape[2], self.spacing_mm[2])

    @property
    def pixel_mm(self) -> float:
        """The in-plane width over which an edge is spread."""
        return max(self.spacing_mm[1], self.spacing_mm[2])


class SmoothNoise:
    """Random field of zero mean and unit deviation, varying over about `scale_mm`; the same on every grid.

    White noise on a periodic lattice of the patient's millimetres, interpolated by cubic B-splines. Wide noise is
    smoothed on a finer lattice first, so that its shapes don't follow the axes.
    """

    def __init__(self, rng: np.random.Generator, scale_mm: float, grid: Grid) -> None:
        smoothing = 1.0 if scale_mm > 9 else 0.0  # nodes; with two nodes a scale the splines' share adds up to it
        num_nodes = round(NOISE_PERIOD_MM / scale_mm * (2 if smoothing else 1))
        lattice = rng.standard_normal((num_nodes,) * 3, dtype=np.float32)
        if smoothing:
            lattice = gaussian_filter(lattice, smoothing, mode="wrap")
        lattice *= (2 * np.sqrt(np.pi) * np.hypot(smoothing, 3**-0.5)) ** 1.5
        step_mm = NOISE_PERIOD_MM / num_nodes
        self._planes = np.tensordot(_spline_weights(grid.z_mm / step_mm, num_nodes), lattice, axes=1)
        self._rows = _spline_weights(grid.y_mm / step_mm, num_nodes)
        self._columns = _spline_weights(grid.x_mm / step_mm, num_nodes)

    def slice(self, index: int) -> Array:
        """The field on one slice, (H, W) float32."""
        return np.asarray(self._rows @ self._planes[index] @ self._columns.T)


def _centred(count: int, step_mm: float) -> Array:
    return ((np.arange(count) - (count - 1) / 2) * step_mm).astype(np.float32)


def _spline_weights(positions: Array, num_nodes: int) -> Array:
    """Cubic B-spline weights (len(positions), num_nodes) on a periodic lattice."""
    first = np.floor(positions)
    t = positions - first
    basis = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    weights = np.zeros((len(positions), num_nodes), dtype=np.float32)
    for offset, values in zip((-1, 0, 1, 2), basis, strict=True):
        weights[np.arange(len(positions)), (first.astype(int) + offset) % num_nodes] += values / 6
    return weights


# Signed distances in millimetres, positive inside; exact near the outline, which is where they are used.


def ellipse(x: Coordinate, y: Coordinate, a: Coordinate, b: Coordinate) -> Array:
    """Distance to the outline of an ellipse about the origin with half axes a and b."""
    u, v = x / a, y / b
    radius = np.sqrt(u * u + v * v) + 1e-6
    gradient = np.sqrt((u / a) ** 2 + (v / b) ** 2) / radius
    return np.asarray((1 - radius) / np.maximum(gradient, 1 / np.maximum(a, b)))


def rounded_box(x: Coordinate, y: Coordinate, a: Coordinate, b: Coordinate) -> Array:
    """Distance to a superellipse of exponent 2.5, fuller at its corners than an ellipse."""
    u, v = np.abs(x / a), np.abs(y / b)
    ru, rv = u * np.sqrt(u), v * np.sqrt(v)
    radius = (ru * u + rv * v + 1e-9) ** 0.4
    gradient = np.sqrt((ru / a) ** 2 + (rv / b) ** 2) / (radius * np.sqrt(radius))
    return np.asarray((1 - radius) / np.maximum(gradient, 1 / np.maximum(a, b)))


def ellipsoid(x: Coordinate, y: Coordinate, z: Coordinate, half_axes: tuple[float, float, float]) -> Array:
    """Distance to the surface of an ellipsoid about the origin."""
    u, v, w = x / half_axes[0], y / half_axes[1], z / half_axes[2]
    radius = np.sqrt(u * u + v * v + w * w) + 1e-6
    gradient = np.sqrt((u / half_axes[0]) ** 2 + (v / half_axes[1]) ** 2 + (w / half_axes[2]) ** 2) / radius
    return np.asarray((1 - radius) / np.maximum(gradient, 1 / max(half_axes)))


def stick(x: Coordinate, y: Coordinate, start: tuple[float, float], end: tuple[float, float], radius: float) -> Array:
    """Distance to a rounded bar in the slice from start to end."""
    ax, ay = end[0] - start[0], end[1] - start[1]
    t = np.clip(((x - start[0]) * ax + (y - start[1]) * ay) / (ax * ax + ay * ay), 0, 1)
    return np.asarray(radius - np.hypot(x - start[0] - t * ax, y - start[1] - t * ay))


def both(a: Coordinate, b: Coordinate, rounding_mm: float) -> Array:
    """Distance to the intersection of two shapes, its edges rounded."""
    blend = np.maximum(rounding_mm - np.abs(a - b), 0) / rounding_mm
    return np.asarray(np.minimum(a, b) - blend * blend * rounding_mm / 4)


def either(a: Coordinate, b: Coordinate, rounding_mm: float) -> Array:
    """Distance to the union of two shapes, its creases rounded."""
    return -both(-a, -b, rounding_mm)


def step(value: Coordinate) -> Array:
    """A soft step from 0 to 1 about 0, as wide as a few units."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * np.asarray(value)))


def paint(image: Array, distance: Array, hu: Coordinate, pixel_mm: float) -> None:
    """Paints a shape onto a slice in place, edge pixels in the share the shape covers."""
    image += np.clip(distance / pixel_mm + 0.5, 0, 1) * (hu - image)
