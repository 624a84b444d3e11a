"""The air of the trachea and the main bronchi, and the carina: grown from the trachea as far as it does not leak."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from msdnet.morphology import label_pieces
from msdnet.threads import map_in_threads

Array = np.ndarray[Any, Any]

BELOW_HU = (-880, -910, -930, -945, -960, -975)
"""Tried from the widest on: the first one whose air does not leak into the lungs counts."""

TRACHEA_MM2 = (40.0, 900.0)
FROM_MIDDLE_MM = 45.0
ROUND = 0.55
LARGEST_ML = 90.0
LARGEST_MM2 = 1_400.0
APART_MM = 8.0
SMALLEST_BRONCHUS_MM2 = 20.0


def find_airway(hu: Array, spacing_mm: tuple[float, float, float], body: Array) -> Array:
    """Trachea and main bronchi, (S, H, W) bool; nothing where no trachea is found.

    Shapes: hu (S, H, W), slices towards the head; body (S, H, W) bool, with the air in it.

    Args:
        hu: Canonical axes.
        spacing_mm: Between slices, rows and columns.
        body: Where air is not the room's.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    columns = body.sum(axis=(0, 1))
    middle = float(np.average(np.arange(len(columns)), weights=columns)) if columns.any() else 0.0
    smooth = np.stack(map_in_threads(_smoothed, hu)) if max(spacing_mm[1:]) < 2 else hu
    for below in BELOW_HU:
        air = (smooth < below) & body
        seed = _find_trachea(air, middle, spacing_mm)
        if seed is None:
            continue
        labels, _ = label_pieces(air)
        grown = labels == labels[seed]
        areas = grown.sum(axis=(1, 2)) * spacing_mm[1] * spacing_mm[2]
        if grown.sum() * voxel_ml <= LARGEST_ML and areas.max() <= LARGEST_MM2:
            return np.asarray(grown)
    return np.zeros(hu.shape, dtype=bool)


def find_carina(airway: Array, spacing_mm: tuple[float, float, float]) -> int | None:
    """The slice, from the feet on, on which the trachea has just divided into two bronchi; None where it is not seen.

    Shapes: airway (S, H, W) bool.
    """
    pixel_mm2 = spacing_mm[1] * spacing_mm[2]
    was_one = False
    for index in range(len(airway) - 1, -1, -1):
        labels, count = ndimage.label(airway[index])
        sizes = np.bincount(labels.ravel())[1:] * pixel_mm2
        wide = np.flatnonzero(sizes >= SMALLEST_BRONCHUS_MM2) + 1
        if count and len(wide) == 1:
            was_one = True
        elif was_one and len(wide) >= 2:
            columns = [c for _, c in ndimage.center_of_mass(airway[index], labels, wide)]
            if (max(columns) - min(columns)) * spacing_mm[2] >= APART_MM:
                return index
    return None


def _smoothed(plane: Array) -> Array:
    """Means of 3 x 3 pixels, rounded down: as far below any whole number as they are; (H, W) HU -> int16."""
    return np.asarray(np.floor(ndimage.uniform_filter(plane.astype(np.float32), 3)), dtype=np.int16)


def _find_trachea(air: Array, middle: float, spacing_mm: tuple[float, float, float]) -> tuple[int, int, int] | None:
    """A voxel of it: of the round pieces of air near the body's middle, on the upper half's slices, the longest column.

    Shapes: air (S, H, W) bool.
    """
    pixel_mm2 = spacing_mm[1] * spacing_mm[2]
    found: list[tuple[int, int, int]] = []
    for index in range(len(air) - 1, len(air) // 3, -1):
        labels, _ = ndimage.label(air[index])
        for number, place in enumerate(ndimage.find_objects(labels), start=1):
            height, width = ((part.stop - part.start) * mm for part, mm in zip(place, spacing_mm[1:], strict=True))
            if height * width < TRACHEA_MM2[0] or min(height, width) < 0.4 * max(height, width):
                continue  # most pieces are a few pixels of noise
            piece = labels[place] == number
            area = piece.sum() * pixel_mm2
            if not TRACHEA_MM2[0] <= area <= TRACHEA_MM2[1]:
                continue
            rows, columns = np.nonzero(piece)
            row, column = place[0].start + int(np.median(rows)), place[1].start + int(np.median(columns))
            is_round = area >= ROUND * height * width
            if is_round and abs(column - middle) * spacing_mm[2] <= FROM_MIDDLE_MM and air[index, row, column]:
                found.append((index, row, column))
    if not found:
        return None
    places = np.array(found)[:, 1:]
    far_mm = np.abs(places[:, None] - places) * spacing_mm[1:]  # (N, N, 2)
    return found[int(np.argmax((far_mm < 12).all(axis=2).sum(axis=1)))]
