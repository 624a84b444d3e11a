"""The lungs of a scan in HU: aerated lung, closed towards the chest wall, with the lesions in it; right and left.

For measuring alone: what the network sees is never masked by it. Nothing tells consolidation at the pleura from an
effusion by its density, so dense tissue belongs to a lung only where the labels say so or where it is narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from msdnet.config import Preprocessing
from msdnet.morphology import box_around, count_labels, depth, dilate, disk, erode, fill_holes, label_pieces
from msdnet.prediction.field_of_view import COARSE_MM, find_lungs
from msdnet.quantification.airway import find_airway, find_carina
from msdnet.threads import map_in_threads

Array = np.ndarray[Any, Any]

RIGHT, LEFT = 1, 2
AERATED_HU = -400
"""Half-way between aerated lung and tissue: where the lung's surface lies in a voxel that holds both."""

NOTCH_MM = 5.0
"""Dense notches up to twice as wide, such as vessels at the pleura, are lung."""

AIRWAY_WALL_MM = 2.0
CUT_BODY = 0.6
"""Where the body has this share of its greatest height at one side of the picture, and at most a third of that at the
other, about half of it is cut off."""

NECK = 0.6
"""Two lungs in one piece are joined by a neck thinner than this share of the thinner one's depth."""

WIDEST_LUNG_MM = 190.0
"""No single lung is as wide: such a piece is both, also without a neck."""

WHITE_SHARE = 0.05
"""A lung with less than this share of the other's air is taken to be where lesions are marked on its side."""

SHARE_OF_A_LUNG = 0.2
CROSS, SQUARE = (ndimage.generate_binary_structure(2, connectivity) for connectivity in (1, 2))


@dataclass(frozen=True)
class Lungs:
    """Both lungs on the canonical axes slice (towards the head), row (to the back), column (to the patient's left).

    Attributes:
        sides: (S, H, W) uint8: `RIGHT`, `LEFT`, and 0 outside.
        carina: The slice of the tracheal bifurcation; None where it was not found.
    """

    sides: Array
    carina: int | None = None


def segment_lungs(hu: Array, spacing_mm: tuple[float, float, float], labels: Array | None = None) -> Lungs:
    """Right and left lung with everything in them but the large airways.

    Shapes: hu (S, H, W), labels (S, H, W).

    Args:
        hu: Canonical axes.
        spacing_mm: Between slices, rows and columns.
        labels: Lesions, which count as lung wherever they lie next to it.
    """
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    coarse_mm = (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    coarse = hu[:, ::step, ::step]
    aerated, _ = find_lungs(coarse, coarse_mm, Preprocessing())
    body = _body(coarse, coarse_mm)
    middle = find_middle(body)
    airway = find_airway(coarse, coarse_mm, body)
    lung = aerated & (coarse < AERATED_HU) & ~_widened(airway, AIRWAY_WALL_MM, coarse_mm)
    lesions = None if labels is None else _any_of_block(labels > 0, step)
    sides = _separate(_closed(lung, middle, coarse_mm, lesions), middle, coarse_mm[2])
    return Lungs(_refined(hu, sides, airway, step, labels), find_carina(airway, coarse_mm))


def part_lungs(lung: Array, hu: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """`RIGHT` and `LEFT` of a mask of both lungs, or of one; (S, H, W) bool -> uint8."""
    return _separate(lung, find_middle(_body(hu, spacing_mm)), spacing_mm[2])


def find_middle(body: Array) -> float:
    """The body's middle column; where the picture cuts half of it off at one side, that side: one lung is shown.

    Shapes: body (S, H, W) bool.
    """
    columns = body.sum(axis=(0, 1))
    first, last = int(columns[0]), int(columns[-1])
    if max(first, last) > CUT_BODY * columns.max() and 3 * min(first, last) <= max(first, last):
        return float(len(columns) - 1) if last > first else 0.0
    return float(np.average(np.arange(len(columns)), weights=columns)) if columns.any() else len(columns) / 2


def find_carina_in(hu: Array, spacing_mm: tuple[float, float, float]) -> int | None:
    """The slice of the tracheal bifurcation, counted from the feet, where it is found; (S, H, W) HU."""
    step = max(1, round(COARSE_MM / min(spacing_mm[1:])))
    coarse, coarse_mm = hu[:, ::step, ::step], (spacing_mm[0], spacing_mm[1] * step, spacing_mm[2] * step)
    return find_carina(find_airway(coarse, coarse_mm, _body(coarse, coarse_mm)), coarse_mm)


def _body(hu: Array, spacing_mm: tuple[float, float, float]) -> Array:
    """The patient with the air inside, slice by slice."""
    near = ndimage.iterate_structure(CROSS, max(1, round(4.0 / spacing_mm[1])))

    def find(plane: Array) -> Array:
        labels, count = ndimage.label(dilate(erode(plane > -300, near), near))
        if not count:
            return np.zeros(plane.shape, dtype=bool)
        return fill_holes(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))

    return np.stack(map_in_threads(find, hu))


def _closed(lung: Array, middle: float, spacing_mm: tuple[float, float, float], lesions: Array | None) -> Array:
    """The lung with its lesions, its vessels, and narrow notches in its outer surface; (S, H, W) bool.

    A notch lies outwards of the lung nearest to it; what lies inwards, such as the vessels of the hilum, stays out.
    """
    whole = lung.copy() if lesions is None else lung | _beside(lesions, lung, middle, spacing_mm)
    around = disk(NOTCH_MM, spacing_mm[1:])

    def close(plane: Array) -> None:
        place = box_around(plane, margin=max(around.shape) // 2)
        plane = plane[place]
        if not plane.size:
            return
        closed = fill_holes(plane)
        notch = erode(dilate(closed, around), around, outside=True) & ~closed
        if notch.any():
            rows, columns = ndimage.distance_transform_edt(~closed, return_distances=False, return_indices=True)
            row, column = np.nonzero(notch)
            centre = float(np.nonzero(closed)[0].mean())
            from_middle = column + place[1].start - middle
            outwards = (row - rows[notch]) * (row - centre) + (column - columns[notch]) * from_middle
            notch[row, column] = outwards > 0
        plane[:] = fill_holes(closed | notch)

    map_in_threads(close, whole)
    return whole


def _beside(lesions: Array, lung: Array, middle: float, spacing_mm: tuple[float, float, float]) -> Array:
    """The lesions that touch lung, in connected pieces; where one lung has hardly any air, all on its side."""
    place = box_around(lesions, margin=1)
    if not lesions[place].size:
        return lesions
    labels, count = ndimage.label(lesions[place], structure=np.ones((3, 3, 3)))
    keep = np.zeros(count + 1, dtype=bool)
    keep[labels[_widened(lung[place], min(spacing_mm[1:]), spacing_mm)]] = True
    beyond = np.arange(lung.shape[2]) > middle
    aerated = [lung[:, :, side].sum() for side in (~beyond, beyond)]
    for side, (own, other) in zip((~beyond, beyond), (aerated, aerated[::-1]), strict=True):
        if own < WHITE_SHARE * other:
            keep[labels[:, :, side[place[2]]]] = True
    keep[0] = False
    kept = np.zeros_like(lesions)
    kept[place] = keep[labels]
    return kept


def _separate(lung: Array, middle: float, column_mm: float) -> Array:
    """`RIGHT` and `LEFT`; lungs that touch are parted at a thin neck, wide ones in the middle. (S, H, W) bool."""
    sides = np.zeros(lung.shape, dtype=np.uint8)
    place = box_around(lung, margin=1)  # depths count from the voxels around
    if lung[place].size:
        sides[place] = _sides_of(lung[place], middle - place[2].start, column_mm)
    return sides


def _sides_of(lung: Array, middle: float, column_mm: float) -> Array:
    """As `_separate`, where there is lung."""
    pieces, count = label_pieces(lung)
    sides = np.zeros(lung.shape, dtype=np.uint8)
    sizes = count_labels(pieces, count)
    sizes[0] = 0
    columns = np.arange(lung.shape[2])
    across = pieces == int(np.argmax(sizes))
    share = float((across & (columns > middle)).sum()) / sizes.max()
    rest = lung
    if SHARE_OF_A_LUNG <= share <= 1 - SHARE_OF_A_LUNG:
        halves = _part(across)
        if halves is None and np.ptp(np.flatnonzero(across.any(axis=(0, 1)))) * column_mm > WIDEST_LUNG_MM:
            halves = np.where(across, 1 + (columns > middle), 0)
        if halves is None:
            halves = across.astype(np.uint8)  # one lung
        if (halves == 2).any():
            centres = [float(np.nonzero(halves == number)[2].mean()) for number in (1, 2)]
            order = (RIGHT, LEFT) if centres[0] < centres[1] else (LEFT, RIGHT)
            sides[halves == 1], sides[halves == 2] = order
            rest = lung & ~across
    pieces, _ = label_pieces(rest)
    for number, place in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[place] == number
        column = place[2].start + float(np.nonzero(piece)[2].mean())
        sides[place][piece] = RIGHT if column < middle else LEFT
    return sides


def _part(piece: Array) -> Array | None:
    """One connected piece as two, 1 and 2, cut where it is thinnest; None where it has no two parts of some size."""
    inner = depth(piece)
    total = piece.sum()
    for erosion in np.linspace(1.0, 0.6 * float(inner.max()), 12):
        seeds, count = label_pieces(inner > erosion)
        if count < 2:
            continue
        sizes = count_labels(seeds, count)
        sizes[0] = 0
        largest = np.argsort(sizes)[-2:]
        thinner = min(float(inner[seeds == label].max()) for label in largest)
        if sizes[largest].min() >= 0.05 * total and erosion < NECK * thinner:
            markers = np.zeros(piece.shape, dtype=np.int32)
            for number, label in enumerate(largest, start=1):
                markers[seeds == label] = number
            return np.asarray(watershed(-inner, markers, mask=piece))
    return None


def _refined(hu: Array, sides: Array, airway: Array, step: int, labels: Array | None) -> Array:
    """The coarse lungs with the surface that the scan's own voxels show; (S, H, W) uint8."""
    if not sides.any():
        return np.zeros(hu.shape, dtype=np.uint8)
    refined = np.zeros(hu.shape, dtype=np.uint8)

    def refine(index: int) -> None:
        place = box_around(sides[index] > 0, margin=1)
        fine_place = tuple(slice(step * part.start, step * part.stop) for part in place)
        values, plane = hu[index][fine_place], sides[index][place]

        def up(array: Array) -> Array:
            return np.asarray(array.repeat(step, axis=0).repeat(step, axis=1)[: values.shape[0], : values.shape[1]])

        lung = plane > 0
        nearest = ndimage.distance_transform_edt(~lung, return_distances=False, return_indices=True)
        near = up(dilate(lung, SQUARE))
        dense = lung & ~dilate(values[::step, ::step] < AERATED_HU, SQUARE)
        fine = near & (values < AERATED_HU) & ~up(dilate(airway[index][place], SQUARE))
        if labels is not None:
            fine |= (labels[index][fine_place] > 0) & near
        fine |= up(erode(lung, SQUARE) | dense)
        refined[index][fine_place] = np.where(fill_holes(fine), up(plane[tuple(nearest)]), 0)

    map_in_threads(refine, np.flatnonzero(sides.any(axis=(1, 2))))
    return refined


def _widened(mask: Array, mm: float, spacing_mm: tuple[float, float, float]) -> Array:
    """Widened within each slice."""
    radius = max(1, round(mm / min(spacing_mm[1:])))
    around = ndimage.iterate_structure(CROSS, radius)
    return np.stack(map_in_threads(lambda plane: dilate(plane, around), mask))


def _any_of_block(mask: Array, step: int) -> Array:
    """Coarse pixels of which any fine one is set."""
    if step == 1:
        return mask
    slices, rows, columns = mask.shape
    coarse = np.zeros((slices, -(-rows // step), -(-columns // step)), dtype=bool)
    for row, column in np.ndindex(step, step):
        part = mask[:, row::step, column::step]
        coarse[:, : part.shape[1], : part.shape[2]] |= part
    return coarse
