"""Where lesions are new, resolved or persistent, on the first scan's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

Array = np.ndarray[Any, Any]

PERSISTENT, NEW, RESOLVED = 1, 2, 3
TOLERANCE_MM = 4.0
"""Registration is no better than this: what lies nearer to an earlier lesion is no new one."""


@dataclass(frozen=True)
class LesionMap:
    """Lesions at two times on one grid.

    Attributes:
        array: uint8: 1 persistent, 2 new, 3 resolved.
        persistent_ml: Volume on that grid.
        new_ml: The same.
        resolved_ml: The same.
        unseen_ml: Lesion where one of the scans does not reach; in none of the above.
    """

    array: Array
    persistent_ml: float
    new_ml: float
    resolved_ml: float
    unseen_ml: float = 0.0


def map_lesions(
    before: Array, after: Array, spacing_mm: tuple[float, float, float], seen: Array | None = None
) -> LesionMap:
    """The map of two masks of any lesion.

    New is what lies further than 4 mm from every earlier lesion, resolved what was further than that from every later
    one; the rest, a lesion's grown or shrunken rim included, persists.

    Shapes: before, after and seen (S, H, W) bool.

    Args:
        before: Lesions at the earlier time.
        after: Those at the later one.
        spacing_mm: Between slices, rows and columns.
        seen: Where both scans reach; everywhere by default. Elsewhere nothing is known, and the map is empty.
    """
    result = np.zeros(before.shape, dtype=np.uint8)
    result[before | after] = PERSISTENT
    result[after & _far_from(before, spacing_mm)] = NEW
    result[before & _far_from(after, spacing_mm)] = RESOLVED
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    unseen_ml = 0.0
    if seen is not None:
        unseen_ml = float(np.count_nonzero(result[~seen]) * voxel_ml)
        result[~seen] = 0
    persistent, new, resolved = (np.count_nonzero(result == kind) * voxel_ml for kind in (PERSISTENT, NEW, RESOLVED))
    return LesionMap(result, persistent, new, resolved, unseen_ml)


def _far_from(mask: Array, spacing_mm: tuple[float, float, float]) -> Array:
    if not mask.any():
        return np.ones(mask.shape, dtype=bool)
    far: Array = distance_transform_edt(~mask, sampling=spacing_mm) > TOLERANCE_MM
    return far
