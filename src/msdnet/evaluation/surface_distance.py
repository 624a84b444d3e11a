"""Distance between the outlines of two masks, in millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]


def hausdorff95_mm(predicted: Array, true: Array, spacing_mm: tuple[float, ...]) -> float | None:
    """The 95 % Hausdorff distance of two masks on one grid, in mm; None where either is empty.

    The outline of a mask is the set of its pixels that have a neighbour outside along an axis; what lies beyond the
    picture counts as outside. For each outline the 95th percentile (linearly interpolated) of its pixels' distances to
    the nearest pixel of the other outline is taken; the greater of the two is the distance.

    Shapes: predicted and true of one shape, bool, 2D or 3D; spacing_mm: one size per axis.

    Source: Huttenlocher et al., IEEE TPAMI 1993, doi:10.1109/34.232073, the percentile in place of the maximum.
    Reading: there are several forms; this is the one of MONAI's `compute_hausdorff_distance(percentile=95)`.
    """
    if not predicted.any() or not true.any():
        return None
    window = ndimage.find_objects((predicted | true).astype(np.uint8))[0]
    p, t = _outline(predicted[window]), _outline(true[window])
    from_p = ndimage.distance_transform_edt(~t, sampling=spacing_mm)[p]
    from_t = ndimage.distance_transform_edt(~p, sampling=spacing_mm)[t]
    return float(max(np.percentile(from_p, 95), np.percentile(from_t, 95)))


def _outline(mask: Array) -> Array:
    inside: Array = ndimage.binary_erosion(mask)  # border_value 0: the window's border is outside, as the picture's is
    return mask & ~inside
