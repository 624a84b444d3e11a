"""Where in a scan the lungs are: the boxes and the slices the network sees, and the chest cavity lesions may lie in.

A box only chooses what is cropped; the network sees every pixel in it. Nothing here can mark a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from msdnet.config import Preprocessing
from msdnet.morphology import (
    at_pixels,
    box_around,
    convex_hull,
    count_labels,
    dilate,
    disk,
    erode,
    fill_holes,
    label_pieces,
)
from msdnet.threads import map_in_threads

Array = np.ndarray[Any, Any]
Box = tuple[slice, slice]

BODY_ABOVE_HU = -300
COUCH_GAP_MM = 4.0
MIN_SHARE_OF_LARGEST = 0.03
MIN_LUNG_CM2 = 1.0
COARSE_MM = 1.4
TIP_BELOW = 0.25
IN_HULL = 0.8
MOSTLY = 0.5
CUT_SHARE = 0.02
"""Lung that an end of the scan cuts off, as a share of both lungs: with less, figures of whole lungs hold."""

TREND_MM = 15.0


@dataclass(frozen=True)
class FieldOfView:
    """What of a scan is looked at; canonical axes (slice, row, column).

    Attributes:
        slices: Indices of the slices the network sees.
        extents: (S, 4) int: first row, one past the last row, first column, one past the last column of each slice.
        coarse_cavity: (S, H / step, W / step), rounded up, bool: where lesions may lie, each pixel standing for
            step x step of the scan's; None where it cannot be known.
        step: Scan pixels along a side of one of these.
        notes: What a reader should know.
    """

    slices: tuple[int, ...]
    extents: Array
    coarse_cavity: Array | None = None
    step: int = 1
    notes: tuple[str, ...] = ()

    def box(self, index: int) -> Box:
        """The rows and columns of one slice that the network sees."""
        top, bottom, left, right = (int(v) for v in self.extents[index])
        return slice(top, bottom), slice(left, right)

    def cavity(self, index: int, box: Box) -> Array | None:
        """Where lesions may lie in a box of one slice, bool in the scan's pixels; None where it cannot be known."""
        return None if self.coarse_cavity is None else at_pixels(self.coarse_cavity[index], self.step, box)


def whole_field(shape: tuple[int, ...], *notes: str) -> FieldOfView:
    """Every slice, whole."""
    return FieldOfView(tuple(range(shape[0])), np.tile([0, shape[1], 0, shape[2]], (shape[0], 1)), notes=notes)


def find_field_of_view(
    hu: Array, spacing_mm: tuple[float, float, float], settings: Preprocessing, *, all_slices: bool = False
) -> FieldOfView:
    """The lungs' boxes with a margin, the slices that show lung (and their neighbours), and the chest cavity.

    Shapes: hu (S, H, W).

    Args:
        hu: Canonical axes.
        spacing_mm: Between slices, rows and columns.
        settings: Margins and thresholds.
        all_slices: Look at every slice; far from any lung, the cavity is the whole slice.
    """
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    spacing = (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    lungs, middle = find_lungs(hu[:, ::step, ::step], spacing, settings)
    area_cm2 = lungs.sum(axis=(1, 2)) * spacing[1] * spacing[2] / 100.0
    shown = area_cm2 >= MIN_LUNG_CM2
    if not shown.any():
        return whole_field(
            hu.shape, "No lung was found: every slice was segmented whole, and the result should not be trusted."
        )
    near = ndimage.binary_dilation(shown, iterations=max(1, round(settings.beyond_mm / spacing[0])))
    cavity = find_cavity(lungs, middle, spacing, settings.cavity_margin_mm)
    nearest = ndimage.distance_transform_edt(~shown, return_distances=False, return_indices=True)[0]
    cavity = cavity[nearest] & (near | shown)[:, None, None]
    if all_slices:
        cavity[~near] = True
    rows = _extents(np.asarray(lungs.any(axis=2)), spacing[0], settings) * step
    columns = _extents(np.asarray(lungs.any(axis=1)), spacing[0], settings) * step
    extents = np.concatenate(
        [
            _widen(rows, step, settings.margin_mm / spacing_mm[1], hu.shape[1]),
            _widen(columns, step, settings.margin_mm / spacing_mm[2], hu.shape[2]),
        ],
        axis=1,
    )
    slices = tuple(range(hu.shape[0])) if all_slices else tuple(int(i) for i in np.flatnonzero(near))
    return FieldOfView(slices, extents, cavity, step, _partial_notes(lungs, middle, area_cm2, spacing[0]))


def find_lungs(hu: Array, spacing_mm: tuple[float, float, float], settings: Preprocessing) -> tuple[Array, float]:
    """A coarse mask of aerated lung, (S, H, W) bool, and the column of the body's middle.

    Lung is air inside the body, or at the edge of the picture and bordered by the body, that is not as dark as the
    pure air of room, trachea, stomach and bowel.
    """
    radius = max(1, round(COUCH_GAP_MM / spacing_mm[1]))
    near = disk(radius)

    def find(plane: Array) -> tuple[Array, Array]:
        body = _find_body(plane, near)
        air = plane < settings.lung_below_hu
        found = air & fill_holes(body)
        _keep_lung(plane, found, settings.pure_air_hu)
        found |= _lung_at_the_edge(plane, air & ~found, body, near, settings.pure_air_hu)
        return found, (body | found).sum(axis=0)

    planes, columns = zip(*map_in_threads(find, hu), strict=True)
    inside, body_columns = np.stack(planes), np.sum(columns, axis=0)
    middle = float(np.average(np.arange(hu.shape[2]), weights=body_columns)) if body_columns.any() else 0.0
    place = inside[box_around(inside)]
    labels, count = label_pieces(place)
    if count:
        sizes = count_labels(labels, count)
        sizes[0] = 0
        keep = sizes >= MIN_SHARE_OF_LARGEST * sizes.max()
        for plane, numbers in zip(place, labels, strict=True):
            plane[:] = keep[numbers]
    return inside, middle


def find_cavity(lungs: Array, middle: float, spacing_mm: tuple[float, float, float], margin_mm: float) -> Array:
    """Where lesions may lie: each slice's hull of either lung, widened by the margin; (S, H, W) bool.

    The hull brings in what is consolidated and therefore not aerated, and so does the mirror image of the other lung
    about the body's middle; not at the tips, which differ by nature.
    """
    sides = _sides(middle)
    areas = np.stack([lungs[:, :, side].sum(axis=(1, 2)) for side in sides])
    larger = areas.max(axis=0)
    both = lungs | (_mirror(lungs, middle) & (larger > TIP_BELOW * larger.max())[:, None, None])
    margin = disk(max(1, round(margin_mm / spacing_mm[1])))

    def widen(plane: Array) -> Array:
        hull = np.zeros_like(plane)
        for side in sides:
            hull[:, side] = convex_hull(plane[:, side])
        return dilate(hull, margin) if hull.any() else hull

    return np.stack(map_in_threads(widen, both))


def discard_outside(labels: Array, view: FieldOfView) -> None:
    """Takes out of labels, in place, what is marked outside the chest cavity, where that is known.

    Of a piece that lies mostly outside, such as the spleen or the liver below the lungs' base, the hull of the lungs
    cuts a part off on each slice: that goes, too.

    Shapes: labels (S, H, W).
    """
    slices, *plane = box_around(labels)  # of marks alone: much less than a scan
    if view.coarse_cavity is None or not labels[(slices, *plane)].size:
        return
    box = plane[0], plane[1]
    place = labels[(slices, *box)]
    within = np.stack([at_pixels(plane, view.step, box) for plane in view.coarse_cavity[slices]])
    if not any((marks > 0)[~allowed].any() for marks, allowed in zip(place, within, strict=True)):
        return
    pieces, count = label_pieces(place > 0, corners=True)
    sizes, inside = count_labels(pieces, count), count_labels(pieces * within, count)
    mostly_outside = inside < MOSTLY * sizes
    for marks, piece, allowed in zip(place, pieces, within, strict=True):
        marks *= allowed
        unlikely = mostly_outside[piece]
        if not unlikely.any():
            continue
        parts, _ = ndimage.label(unlikely)
        cut = np.unique(parts[~allowed])
        marks[np.isin(parts, cut[cut > 0])] = 0


def cut_share(areas: Array, slice_mm: float) -> float:
    """How much of the lungs lies before the first slice, as a share of them, were they to end as they begin to.

    Shapes: areas (S,), of lung on each slice, in any unit. Reading: the area falls on as steeply as over the first
    slices.
    """
    reach = min(len(areas) - 1, max(1, round(TREND_MM / slice_mm)))
    first = float(areas[0])
    if first == 0:
        return 0.0
    slope = (float(areas[reach]) - first) / reach if reach else 0.0
    missing = first**2 / (2 * slope) if slope > 0 else float("inf")
    return missing / (float(areas.sum()) + missing) if np.isfinite(missing) else 1.0


def _find_body(plane: Array, near: Array) -> Array:
    """The patient's tissue in one slice: the largest piece once thin bridges to the couch are cut."""
    tissue = plane > BODY_ABOVE_HU
    labels, count = ndimage.label(dilate(erode(tissue, near), near))
    if count == 0:
        return np.zeros_like(tissue)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    return np.asarray(tissue & dilate(largest, near))  # chest wall thinner than the disk, too


def _keep_lung(plane: Array, air: Array, pure_air_hu: float) -> None:
    """Takes trachea, stomach and bowel out of one slice's air, in place."""
    labels, count = ndimage.label(air)
    if count:
        medians = np.asarray(ndimage.median(plane[air], labels[air], np.arange(1, count + 1)))
        air &= np.concatenate([[False], medians > pure_air_hu])[labels]


def _lung_at_the_edge(plane: Array, air: Array, body: Array, near: Array, pure_air_hu: float) -> Array:
    """Air that the picture's edge cuts, yet is lung: brighter than pure air, and bordered mostly by the body.

    Where a scanner's room air is as bright as lung, a piece of it holds two corners of the picture and lies outside the
    body's hull; a lung that the edge cuts may lie outside, too, but holds no two corners.
    """
    labels, _ = ndimage.label(air)
    found = np.zeros_like(air)
    near_body = None
    for index in np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])):
        if index == 0:
            continue
        piece = labels == index
        if np.median(plane[piece]) <= pure_air_hu:
            continue
        near_body = dilate(body, near) if near_body is None else near_body
        rim = ndimage.binary_dilation(piece) & ~piece
        if not rim.any() or near_body[rim].mean() <= 0.6:
            continue
        room = piece[[0, 0, -1, -1], [0, -1, 0, -1]].sum() >= 2 and convex_hull(body)[piece].mean() < IN_HULL
        if not room:
            found |= piece
    return found


def _mirror(lungs: Array, middle: float) -> Array:
    columns = np.rint(2 * middle - np.arange(lungs.shape[2])).astype(int)
    valid = (columns >= 0) & (columns < lungs.shape[2])
    mirrored = np.zeros_like(lungs)
    mirrored[:, :, valid] = lungs[:, :, columns[valid]]
    return mirrored


def _sides(middle: float) -> tuple[slice, slice]:
    return slice(0, int(middle) + 1), slice(int(middle) + 1, None)


def _extents(occupied: Array, slice_mm: float, settings: Preprocessing) -> Array:
    """First and last occupied pixel of each slice along one axis, as (S, 2) float.

    Neighbours and a smallest size keep the view steady from slice to slice; a slice far from any lung gets the whole
    scan's extent.
    """
    whole = np.flatnonzero(occupied.any(axis=0))
    smallest = settings.smallest_view * (whole[-1] - whole[0])
    reach = round(settings.steady_mm / slice_mm)
    extents = np.empty((len(occupied), 2))
    for index in range(len(occupied)):
        near = np.flatnonzero(occupied[max(0, index - reach) : index + reach + 1].any(axis=0))
        first, last = (near[0], near[-1]) if len(near) else (whole[0], whole[-1])
        missing = max(0.0, smallest - (last - first)) / 2
        extents[index] = first - missing, last + missing
    return extents


def _widen(extents: Array, step: int, margin: float, size: int) -> Array:
    """The extents in full pixels with the margin, one past the last, inside the picture; (S, 2) int."""
    first, last = np.floor(extents[:, 0] - margin), np.ceil(extents[:, 1] + step + margin)
    return np.stack([np.maximum(first, 0), np.minimum(last, size)], axis=1).astype(int)


def _partial_notes(lungs: Array, middle: float, area_cm2: Array, slice_mm: float) -> tuple[str, ...]:
    notes = []
    if len(area_cm2) > 1:
        both = ("lower", area_cm2), ("upper", area_cm2[::-1])
        ends = [end for end, areas in both if cut_share(areas, slice_mm) > CUT_SHARE]
        if ends:
            notes.append(
                f"The scan ends inside the lungs ({' and '.join(ends)} end): volumes are those of the part shown."
            )
    if lungs[:, 0].any() or lungs[:, -1].any() or lungs[:, :, 0].any() or lungs[:, :, -1].any():
        notes.append("The lungs reach the edge of the picture: volumes are those of the part shown.")
    areas = [lungs[:, :, side].sum() for side in _sides(middle)]
    if min(areas) < 0.2 * max(areas):
        notes.append("Only one aerated lung was found: lesions of the other side may be missing.")
    return tuple(notes)
