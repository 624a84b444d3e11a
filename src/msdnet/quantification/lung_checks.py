"""Whether a lung mask can be what it should: findings for the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.prediction.field_of_view import CUT_SHARE, cut_share
from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.quantification.regions import RegionCounts

Array = np.ndarray[Any, Any]

LUNGS_ML = (1_500.0, 9_000.0)
"""Volume of both lungs of an adult on CT, in any depth of breath; outside it something is wrong or ill."""

SMALLER_LUNG = 0.5
DENSE_SHARE = 0.05
"""Vessels and walls made 0.3 to 1.5 % of the lung outside lesions denser than -200 HU on the scans tried."""


@dataclass(frozen=True)
class LungFindings:
    """What looks wrong.

    Attributes:
        cut: Where the scan cuts the lungs off: "lower", "upper", "sides"; whole lungs have no figures then.
        volume: Both lungs are smaller or larger than lungs are.
        uneven: One lung has less than half of the other's volume; not told where the scan cuts them off.
        dense: Much of the lung is dense and not marked as a lesion.
    """

    cut: tuple[str, ...] = ()
    volume: bool = False
    uneven: bool = False
    dense: bool = False


def check_lungs(sides: Array, counts: RegionCounts, slice_mm: float, voxel_ml: float | None) -> LungFindings:
    """What looks wrong about the lungs of a scan.

    Shapes: sides (S, H, W).

    Args:
        sides: Right and left lung.
        counts: Of the same scan.
        slice_mm: Distance of its slices.
        voxel_ml: Volume of a voxel; None leaves out whether the lungs have the size of lungs.
    """
    areas = np.array([np.count_nonzero(plane) for plane in sides])
    cut = [end for end, of in (("lower", areas), ("upper", areas[::-1])) if cut_share(of, slice_mm) > CUT_SHARE]
    if sides[:, [0, -1]].any() or sides[:, :, [0, -1]].any():
        cut.append("sides")
    of_side = [int(counts.voxels[:, side].sum()) for side in (RIGHT, LEFT)]
    healthy, dense = counts.voxels[:, 1:, :, 0].sum(), counts.dense[:, 1:, :, 0].sum()
    total_ml = None if voxel_ml is None else sum(of_side) * voxel_ml
    return LungFindings(
        cut=tuple(cut),
        volume=total_ml is not None and not cut and not LUNGS_ML[0] <= total_ml <= LUNGS_ML[1],
        uneven=not cut and min(of_side) < SMALLER_LUNG * max(of_side),
        dense=bool(dense > DENSE_SHARE * max(1, healthy)),
    )
