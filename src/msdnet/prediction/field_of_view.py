"""Where in a scan the lungs are: the box and the slices the network sees, and the chest cavity lesions may lie in.

The box only chooses what is cropped; the network sees every pixel in it. Nothing here can mark a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from msdnet.config import Preprocessing

Array = np.ndarray[Any, Any]

AIR_BELOW_HU = -350  # diseased lung too, but not fat
BODY_ABOVE_HU = -300
PURE_AIR_HU = -960  # air in trachea, stomach and bowel is darker than lung, which has tissue in it
COUCH_GAP_MM = 4.0
MIN_SHARE_OF_LARGEST = 0.03
MIN_LUNG_CM2 = 1.0
NEIGHBOUR_MM = 8.0  # cavity: a consolidated place is taken from slices this near where it is aerated
COARSE_MM = 1.4


@dataclass(frozen=True)
class FieldOfView:
    """What of a scan is looked at; canonical axes (slice, row, column).

    Attributes:
        slices: Indices of the slices the network sees.
        rows: First and one past the last row of the box.
        columns: First and one past the last column of the box.
        cavity: (S, H, W) bool, where lesions may lie; None where it cannot be known.
        notes: What a reader should know.
    """

    slices: tuple[int, ...]
    rows: tuple[int, int]
    columns: tuple[int, int]
    cavity: Array | None
    notes: tuple[str, ...] = ()


def whole_field(shape: tuple[int, ...]) -> FieldOfView:
    """Every slice, whole."""
    return FieldOfView(tuple(range(shape[0])), (0, shape[1]), (0, shape[2]), None)


def find_field_of_view(
    hu: Array, spacing_mm: tuple[float, float, float], settings: Preprocessing, *, all_slices: bool = False
) -> FieldOfView:
    """The lungs' box with a margin, the slices that show lung (and their neighbours), and the chest cavity.

    Shapes: hu (S, H, W) -> cavity (S, H, W).

    Args:
        hu: Canonical axes.
        spacing_mm: Between slices, rows and columns.
        settings: Margins.
        all_slices: Look at every slice; box and cavity stay.
    """
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    coarse_spacing = (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    lungs = find_lungs(hu[:, ::step, ::step], coarse_spacing)
    area_cm2 = lungs.sum(axis=(1, 2)) * coarse_spacing[1] * coarse_spacing[2] / 100.0
    if not (area_cm2 >= MIN_LUNG_CM2).any():
        note = "No lung was found; every slice was segmented whole, and the result should not be trusted."
        return FieldOfView(tuple(range(hu.shape[0])), (0, hu.shape[1]), (0, hu.shape[2]), None, (note,))

    reach = max(1, round(5.0 / spacing_mm[0]))
    shows_lung = ndimage.binary_dilation(area_cm2 >= MIN_LUNG_CM2, iterations=reach)
    slices = tuple(range(hu.shape[0])) if all_slices else tuple(int(i) for i in np.flatnonzero(shows_lung))
    rows = _range(np.asarray(lungs.any(axis=(0, 2))), step, settings.margin_mm / spacing_mm[1], hu.shape[1])
    columns = _range(np.asarray(lungs.any(axis=(0, 1))), step, settings.margin_mm / spacing_mm[2], hu.shape[2])
    cavity = find_cavity(lungs, coarse_spacing, settings.cavity_margin_mm)
    fine = cavity.repeat(step, axis=1).repeat(step, axis=2)[:, : hu.shape[1], : hu.shape[2]]
    return FieldOfView(slices, rows, columns, fine, _partial_notes(lungs, area_cm2))


def find_lungs(hu: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """A coarse mask of aerated lung: air inside the body that is not as dark as pure air; (S, H, W) bool."""
    radius = max(1, round(COUCH_GAP_MM / spacing_mm[1]))
    inside = np.stack([_find_body(plane, radius) for plane in hu]) & (hu < AIR_BELOW_HU)
    labels, count = ndimage.label(inside)
    if count == 0:
        return inside
    members = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(inside, labels, members)
    lung_like = ndimage.mean(hu, labels, members) > PURE_AIR_HU
    if not lung_like.any():
        return np.zeros_like(inside)
    keep = lung_like & (sizes >= MIN_SHARE_OF_LARGEST * sizes[lung_like].max())
    return np.asarray(np.concatenate([[False], keep])[labels])


def find_cavity(lungs: Array, spacing_mm: tuple[float, float, float], margin_mm: float) -> Array:
    """The chest cavity: each slice's hull of both lungs, mirrored and united with its neighbours; (S, H, W) bool."""
    columns = np.flatnonzero(lungs.any(axis=(0, 1)))
    mirrored = _mirror(lungs, (columns[0] + columns[-1]) / 2)
    hulls = np.stack([convex_hull_image(p) if p.any() else p for p in lungs | mirrored])
    reach = max(0, round(NEIGHBOUR_MM / spacing_mm[0]))
    united = ndimage.maximum_filter1d(hulls.astype(np.uint8), 2 * reach + 1, axis=0, mode="constant") > 0
    radius = max(1, round(margin_mm / spacing_mm[1]))
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    return np.stack([ndimage.binary_dilation(p, disk) if p.any() else p for p in united])


def _find_body(plane: Array, radius: int) -> Array:
    """The patient in one slice: the largest piece of tissue once thin bridges to the couch are cut, holes filled."""
    tissue = plane > BODY_ABOVE_HU
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    opened = ndimage.binary_opening(tissue, disk)
    labels, count = ndimage.label(opened)
    if count == 0:
        return np.zeros_like(tissue)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(ndimage.binary_fill_holes(largest))


def _mirror(lungs: Array, middle: float) -> Array:
    columns = np.rint(2 * middle - np.arange(lungs.shape[2])).astype(int)
    valid = (columns >= 0) & (columns < lungs.shape[2])
    mirrored = np.zeros_like(lungs)
    mirrored[:, :, valid] = lungs[:, :, columns[valid]]
    return mirrored


def _range(occupied: Array, step: int, margin: float, size: int) -> tuple[int, int]:
    where = np.flatnonzero(occupied) * step
    return max(0, int(where[0] - margin)), min(size, int(np.ceil(where[-1] + step + margin)))


def _partial_notes(lungs: Array, area_cm2: Array) -> tuple[str, ...]:
    notes = []
    largest = area_cm2.max()
    if len(area_cm2) > 1:
        ends = [end for end, area in (("lower", area_cm2[0]), ("upper", area_cm2[-1])) if area > 0.15 * largest]
        if ends:
            notes.append(
                f"The scan ends inside the lungs ({' and '.join(ends)} end): volumes are those of the part shown."
            )
    if lungs[:, 0].any() or lungs[:, -1].any() or lungs[:, :, 0].any() or lungs[:, :, -1].any():
        notes.append("The lungs reach the edge of the field of view: volumes are those of the part shown.")
    columns = np.flatnonzero(lungs.any(axis=(0, 1)))
    left, right = np.array_split(lungs.sum(axis=(0, 1))[columns[0] : columns[-1] + 1], 2)
    if min(left.sum(), right.sum()) < 0.2 * max(left.sum(), right.sum()):
        notes.append("Only one aerated lung was found.")
    return tuple(notes)
