"""The lungs of a scan and what is ill of them, or why nothing can be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.errors import OptionError
from msdnet.labels import LabelSchema
from msdnet.quantification.lung_masks import lungs_from_mask
from msdnet.quantification.lung_measures import LungMeasures, measure_lungs
from msdnet.quantification.lungmask_model import check_lungmask, run_lungmask
from msdnet.quantification.lungs import Lungs, find_carina_in, segment_lungs
from msdnet.quantification.zones import find_shells, find_zones, number_levels, number_shells
from msdnet.scans.mask_file import read_mask
from msdnet.scans.scan import Scan
from msdnet.slices import from_canonical, to_canonical

Array = np.ndarray[Any, Any]


_OBSTACLES = {
    "": "one level of the zones alone",
    "grey": "a scan in grey levels",
    "orientation": "a scan without orientation",
    "spacing": "a scan without pixel spacing",
}


@dataclass(frozen=True)
class ScanLungs:
    """The lungs of one scan.

    Attributes:
        measures: Their figures; None where there are none.
        sides: Right and left lung on the scan's own grid; None where there are none.
        parts: Makes each of their parts on that grid, by its key in `LUNG_PARTS`: shells, thirds or zones, and lobes,
            where these are known. Made when asked for, since each takes as much memory as the labels.
        absent: Why there are none: "grey", "orientation", "spacing" or "not_found"; empty where there are some.
        given: The scheme of the mask that was given; empty where the lungs were found.
    """

    measures: LungMeasures | None = None
    sides: Array | None = None
    parts: Mapping[str, Callable[[], Array]] = field(default_factory=dict)
    absent: str = ""
    given: str = ""


@dataclass(frozen=True)
class GivenLungs:
    """What is known of a scan's lungs beforehand.

    Attributes:
        mask: A mask of them that another program made, on the scan's grid; they are found where there is none.
        scheme: What its numbers mean, a name in `LUNG_SCHEMES`.
        lungmask: Weights of lungmask, which then makes the mask.
        carina: The axial slice of the carina, counted from the feet, for the anatomical zones.
        veins: That of the inferior pulmonary veins; both or none.
    """

    mask: Path | None = None
    scheme: str = ""
    lungmask: Path | None = None
    carina: int | None = None
    veins: int | None = None


def check_given_lungs(given: GivenLungs, scan: Scan) -> None:
    """Refuses what could not be used, before anything is segmented.

    Raises:
        ScanError: if the mask cannot be read or does not lie on the scan's grid.
        OptionError: if there is no such scheme, or no such slices.
        SchemaError: if the mask is not one of the scheme.
        MissingExtraError, WeightsError: as `check_lungmask`.
    """
    if given == GivenLungs():
        return
    absent = _absent(scan)
    if absent or (given.carina is None) != (given.veins is None):
        raise OptionError(
            "what is given of the lungs cannot be used",
            got=_OBSTACLES[absent],
            expected="a scan in HU with orientation and pixel spacing; slices of both carina and veins",
            do="leave the options out, or give the scan in a format that states these",
        )
    volume = to_canonical(scan)
    if given.mask is not None:
        lungs_from_mask(read_mask(given.mask, scan), given.scheme, volume.array, _spacing_mm(volume))
    if given.lungmask is not None:
        check_lungmask(given.lungmask)
    if given.carina is not None and given.veins is not None:
        find_zones(np.zeros((volume.shape[0], 1, 1), dtype=np.uint8), given.carina, given.veins)


def measure_scan_lungs(scan: Scan, labels: Array, schema: LabelSchema, given: GivenLungs | None = None) -> ScanLungs:
    """The lungs of a scan in HU whose orientation is known.

    Args:
        scan: The scan.
        labels: Lesions, on its grid.
        schema: What they mean.
        given: What is known of the lungs beforehand.

    Raises:
        ScanError, OptionError, SchemaError, MissingExtraError, WeightsError: as `check_given_lungs`.
    """
    given = given or GivenLungs()
    absent = _absent(scan)
    if absent:
        return ScanLungs(absent=absent)
    volume, of_lesions = to_canonical(scan), to_canonical(scan, labels).array
    spacing_mm = _spacing_mm(volume)
    lobes, mask, scheme = None, None, given.scheme
    if given.mask is not None:
        mask = read_mask(given.mask, scan)
    elif given.lungmask is not None:
        mask, scheme = run_lungmask(given.lungmask, volume.array)
        if not mask.any():
            return ScanLungs(absent="not_found")
    if mask is None:
        lungs = segment_lungs(volume.array, spacing_mm, of_lesions)
    else:
        lungs, lobes = lungs_from_mask(mask, scheme, volume.array, spacing_mm)
        lungs = Lungs(lungs.sides, find_carina_in(volume.array, spacing_mm))
    if not lungs.sides.any():
        return ScanLungs(absent="not_found")
    shells = find_shells(lungs.sides, spacing_mm)
    measures = measure_lungs(
        volume.array,
        of_lesions,
        lungs,
        schema,
        spacing_mm,
        spacing_known=scan.spacing_known,
        carina=given.carina,
        veins=given.veins,
        lobes=lobes,
        shells=shells,
    )
    sides, levels = lungs.sides, measures.levels
    parts: dict[str, Callable[[], Array]] = {"shell": lambda: from_canonical(number_shells(sides, shells), scan)}
    if levels is not None:
        parts[measures.levels_kind] = lambda: from_canonical(number_levels(sides, levels), scan)
    if lobes is not None:
        parts["lobe"] = lambda: from_canonical(lobes, scan)
    return ScanLungs(measures, from_canonical(sides, scan), parts, given=scheme)


def _absent(scan: Scan) -> str:
    """Why there can be no lungs; empty where there can."""
    if scan.intensity != "HU":
        return "grey"
    if not scan.orientation_known:
        return "orientation"
    return "" if scan.pixel_spacing_known else "spacing"


def _spacing_mm(volume: Any) -> tuple[float, float, float]:
    slice_mm, row_mm, column_mm = (float(mm) for mm in volume.spacing)
    return slice_mm, row_mm, column_mm
