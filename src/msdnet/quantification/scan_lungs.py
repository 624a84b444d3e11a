"""The lungs of a scan and what is ill of them, or why nothing can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.labels import LabelSchema
from msdnet.quantification.lung_measures import LungMeasures, measure_lungs
from msdnet.quantification.lungs import Lungs, segment_lungs
from msdnet.scans.scan import Scan
from msdnet.slices import from_canonical, to_canonical

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ScanLungs:
    """The lungs of one scan.

    Attributes:
        measures: Their figures; None where there are none.
        sides: Right and left lung on the scan's own grid; None where there are none.
        absent: Why there are none: "grey", "orientation" or "not_found"; empty where there are some.
    """

    measures: LungMeasures | None = None
    sides: Array | None = None
    absent: str = ""


def measure_scan_lungs(
    scan: Scan, labels: Array, schema: LabelSchema, *, carina: int | None = None, veins: int | None = None
) -> ScanLungs:
    """The lungs of a scan in HU whose orientation is known.

    Args:
        scan: The scan.
        labels: Lesions, on its grid.
        schema: What they mean.
        carina: The axial slice of the carina, from the feet, for the anatomical zones; the one found by default.
        veins: The slice of the inferior pulmonary veins; without it there are thirds alone.

    Raises:
        OptionError: if the zones cannot be divided there.
    """
    if scan.intensity != "HU":
        return ScanLungs(absent="grey")
    if not scan.orientation_known:
        return ScanLungs(absent="orientation")
    volume, of_lesions = to_canonical(scan), to_canonical(scan, labels).array
    slice_mm, row_mm, column_mm = (float(mm) for mm in volume.spacing)
    spacing_mm = slice_mm, row_mm, column_mm
    lungs: Lungs = segment_lungs(volume.array, spacing_mm, of_lesions)
    if not lungs.sides.any():
        return ScanLungs(absent="not_found")
    measures = measure_lungs(
        volume.array,
        of_lesions,
        lungs,
        schema,
        spacing_mm,
        spacing_known=scan.spacing_known,
        carina=carina,
        veins=veins,
    )
    return ScanLungs(measures, from_canonical(lungs.sides, scan))
