"""How the embedded weights do on whole scans in Hounsfield units, without true lesions: a Markdown table.

    python scripts/measure_scans.py DATA

DATA holds the public scans that the table in docs/results.md names; those that are absent are left out. Lung is the
mask that comes with a scan; where none does, air below -500 HU inside the body, holes filled. With a finding its whole
surroundings are left out. Marks count wherever they lie: dense lesions are not in every mask. Cavity: each slice's
convex hull of the lungs, widened by 3 mm. Flicker: of the voxels marked on two neighbouring slices, those that only one
of them has: sum of |A xor B| / sum of (|A| + |B|).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from msdnet.prediction import Segmenter
from msdnet.scans import read_scan
from msdnet.scans.scan import Scan
from msdnet.slices import to_canonical

Array = np.ndarray[Any, Any]

CAVITY_MARGIN_MM = 3.0
AIR_HU, BODY_HU, MIN_LUNG_ML = -500, -300, 15.0


@dataclass(frozen=True)
class Case:
    """One scan.

    Attributes:
        name: As the table has it.
        scan: Its path in DATA.
        lungs: The path of its lung mask, or none.
        inside: What the mask holds where there is lung.
        finding: What is known to be ill, in words.
        side: The side of the finding; empty for none.
        above: It lies above this share of the lungs' height.
    """

    name: str
    scan: str
    lungs: str = ""
    inside: float = 255.0
    finding: str = "none named"
    side: str = ""
    above: float = 0.0


_DEMO = "ct-small/id00"
CASES = (
    Case("ct-lungfcp", "ct-lungfcp", finding="left apex", side="left", above=0.65),
    Case("ct-64", "ct-small/ct-64.nrrd", "ct-small/ct-64-lung.nrrd", 1.0),
    Case("id001", f"{_DEMO}1-128x128x64.nii.gz", f"{_DEMO}1-128x128x64-msk.nii.gz", 255.0, "left apex", "left", 0.6),
    Case("id002", f"{_DEMO}2-128x128x64.nii.gz", f"{_DEMO}2-128x128x64-msk.nii.gz", 255.0, "left lung", "left"),
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--weights", metavar="NAME|PATH")
    arguments = parser.parse_args()
    segmenter = Segmenter.from_pretrained(arguments.weights, device="cpu")
    print(
        "| scan | voxel, mm | finding | marked, of the lung | the same without the finding | in the cavity | flicker |"
    )
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        if (arguments.data / case.scan).exists():
            print(_line(case, arguments.data, segmenter), flush=True)


def _line(case: Case, data: Path, segmenter: Segmenter) -> str:
    scan = read_scan(data / case.scan)
    volume = to_canonical(scan)
    marked = to_canonical(scan, segmenter.segment(scan).labels).array > 0
    lungs = _mask(read_scan(data / case.lungs, window=(0, case.inside))) if case.lungs else _aerated(scan)
    known = _region(lungs, case)
    inside = _cavity(lungs, volume.spacing[1:])
    figures = (
        f"{100 * marked.sum() / lungs.sum():.2f} %",
        f"{100 * (marked & ~known).sum() / (lungs & ~known).sum():.2f} %",
        f"{100 * (marked & inside).sum() / marked.sum():.1f} %" if marked.any() else "nothing marked",
        f"{_flicker(marked):.2f}" if marked.any() else "-",
    )
    size = " x ".join(f"{mm:.2g}" for mm in volume.spacing[::-1])
    return f"| {case.name} | {size} | {case.finding} | {' | '.join(figures)} |"


def _mask(scan: Scan) -> Array:
    return np.asarray(to_canonical(scan).array > 127)  # the window has made 255 of what is inside


def _aerated(scan: Scan) -> Array:
    volume = to_canonical(scan)
    hu, body = volume.array, np.zeros(volume.shape, dtype=bool)
    for plane, out in zip(hu, body, strict=True):
        labels, count = ndimage.label(ndimage.binary_opening(plane > BODY_HU, iterations=4))
        if count:
            out[:] = ndimage.binary_fill_holes(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
    labels, _ = ndimage.label((hu < AIR_HU) & body)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes * np.prod(volume.spacing) > 1000 * MIN_LUNG_ML)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.isin(labels, large)])


def _region(lungs: Array, case: Case) -> Array:
    """Where the finding lies: columns go to the patient's left, slices to the head."""
    region = np.zeros_like(lungs)
    if case.side:
        shown = np.flatnonzero(lungs.any(axis=(1, 2)))
        first = round(shown[0] + case.above * (shown[-1] - shown[0]))
        columns = np.flatnonzero(lungs.any(axis=(0, 1)))
        middle = (columns[0] + columns[-1]) // 2
        side = slice(middle, None) if case.side == "left" else slice(0, middle)
        region[first:, :, side] = True
    return region


def _cavity(lungs: Array, pixel_mm: Sequence[float]) -> Array:
    hulls = [convex_hull_image(p) if p.any() else p for p in lungs]
    away_mm = [ndimage.distance_transform_edt(~h, sampling=pixel_mm) if h.any() else np.inf for h in hulls]
    return np.stack([np.broadcast_to(mm <= CAVITY_MARGIN_MM, lungs[0].shape) for mm in away_mm])


def _flicker(marked: Array) -> float:
    changed = (marked[1:] ^ marked[:-1]).sum()
    return float(changed / (marked[1:].sum() + marked[:-1].sum()))


if __name__ == "__main__":
    main()
