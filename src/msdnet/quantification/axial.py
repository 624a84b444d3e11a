"""Anything on a scan's grid, seen as axial slices."""

from __future__ import annotations

from typing import Any

import highdicom as hd
import numpy as np

from msdnet.scans.scan import Scan
from msdnet.slices import CANONICAL


def axial_view(scan: Scan, array: np.ndarray[Any, Any]) -> hd.Volume:
    """The array as axial slices: axes slice (towards the head), row (to the back), column (to the patient's left).

    Axes are swapped and flipped without copying, never resampled, so that an oblique scan is seen along its closest
    axes. Where the orientation is unknown the array stays as it is.

    Args:
        scan: The scan the array belongs to.
        array: Voxels or labels, of the scan's shape.
    """
    volume = scan.volume.with_array(array)
    return volume.to_patient_orientation(CANONICAL) if scan.orientation_known else volume
