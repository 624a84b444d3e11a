"""How well lungs of one person, and of two, cover each other once `msdnet compare` has laid them over each other.

    python scripts/measure_lung_match.py ROWS.csv --people 10

Each synthetic person is scanned once and again: turned by up to 4 degrees about each axis and shifted by up to 5 mm,
with other noise; the same, with lesions 1.3 times as wide, without any lesion, breathed in so far that the diaphragm
lies 10 or 25 mm lower and the chest is 2 or 5 % deeper, and with a third of the slices missing below. At last the next
two persons are laid over the first. Lungs are found as `msdnet segment` finds them. About 10 s a row on one core.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from msdnet.data.phantom import Phantom, make_phantom
from msdnet.quantification.follow_up.registration import Views, make_views, register
from msdnet.quantification.lungs import segment_lungs

Array = np.ndarray[Any, Any]

SHAPE, SPACING_MM = (84, 160, 160), np.array((3.0, 2.2, 2.2))
NOISE_HU = 20.0
TURN_DEG, SHIFT_MM, DEEPER = 4.0, 5.0, 0.002
APEX_MM, BASE_MM = 100.0, -70.0
"""Heights above the middle slice between which breath stretches the lungs."""

GROWN = 1.3
_MEASURES = ("lung_dice", "likeness")
PAIRS = ("unchanged", "grown", "healed", "breath 10 mm", "breath 25 mm", "cut", "another person", "a third person")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", metavar="ROWS.csv", type=Path)
    parser.add_argument("--people", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=3000, help="of the synthetic people; default: %(default)s")
    arguments = parser.parse_args()
    rows: list[dict[str, str]] = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.people):
        rows += measure_person(seed)
        with arguments.rows.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    for pair in PAIRS:
        told = [f"{min(of):.3f} to {max(of):.3f}" for of in (_column(rows, pair, name) for name in _MEASURES)]
        print(f"| {pair} | {len(_column(rows, pair, 'lung_dice'))} | {' | '.join(told)} |")


def _column(rows: list[dict[str, str]], pair: str, name: str) -> list[float]:
    return [float(row[name]) for row in rows if row["pair"] == pair]


def measure_person(seed: int) -> list[dict[str, str]]:
    """A row for each of `PAIRS`."""
    rng = np.random.default_rng(seed)
    person = _phantom(seed)
    first = take_views(person, rng, moved=False)
    others = (
        take_views(person, rng),
        take_views(_phantom(seed, lesion_scale=GROWN), rng),
        take_views(_phantom(seed, lesions=()), rng),
        take_views(person, rng, breath_mm=10.0),
        take_views(person, rng, breath_mm=25.0),
        take_views(person, rng, num_missing=SHAPE[0] // 3),
        take_views(_phantom(seed + 1), rng),
        take_views(_phantom(seed + 2), rng),
    )
    rows = []
    for pair, later in zip(PAIRS, others, strict=True):
        found = register(first, later)
        told = dict(zip(_MEASURES, (found.lung_dice, found.likeness or 0.0), strict=True))
        row = {"seed": str(seed), "pair": pair, **{name: f"{value:.4f}" for name, value in told.items()}}
        print(row, flush=True)
        rows.append(row)
    return rows


def take_views(
    phantom: Phantom, rng: np.random.Generator, *, moved: bool = True, breath_mm: float = 0.0, num_missing: int = 0
) -> Views:
    """What a scan of a phantom gives to lay over others; without its lowest slices, if any are missing."""
    centre = (np.array(phantom.voxels_hu.shape) - 1) / 2
    places = (np.indices(phantom.voxels_hu.shape).reshape(3, -1).T - centre) * SPACING_MM
    if moved:
        turn = Rotation.from_euler("zyx", rng.uniform(-TURN_DEG, TURN_DEG, 3), degrees=True)
        places = turn.apply(places) + rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    share = np.clip((APEX_MM - places[:, 0]) / (APEX_MM - BASE_MM), 0, 1)
    share = share * share * (3 - 2 * share)
    places[:, 0] += breath_mm * share
    places[:, 1] /= 1 + DEEPER * breath_mm * share
    where = (places / SPACING_MM + centre).T.reshape(3, *phantom.voxels_hu.shape)
    hu = ndimage.map_coordinates(phantom.voxels_hu.astype(np.float32), where, order=1, mode="nearest")
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), (0, 0.5, 0.5))
    hu = np.clip(hu + NOISE_HU / noise.std() * noise, -1024, 506)[num_missing:]
    labels = ndimage.map_coordinates(phantom.labels, where, order=0, mode="nearest")[num_missing:]
    sides = segment_lungs(hu, tuple(SPACING_MM), labels).sides
    return make_views(*(_image(array) for array in (hu, sides.astype(np.uint8), labels.astype(np.uint8))))


def _phantom(seed: int, **options: Any) -> Phantom:
    return make_phantom(seed, shape=SHAPE, spacing_mm=tuple(SPACING_MM), noise_hu=0, **options)


def _image(array: Array) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING_MM[::-1].tolist())
    return image


if __name__ == "__main__":
    main()
