"""How often the band of `msdnet compare` is right: synthetic pairs, unchanged and changed, as a Markdown table.

    python scripts/measure_follow_up.py ROWS.csv --pairs 100

Each pair is a synthetic person, scanned once, and again: turned by up to 4 degrees about each axis, shifted by up to
5 mm, on another grid (up to 10 % finer or coarser along each axis) and with other noise; once with the same lesions and
once with lesions whose true volume has grown by about 20 %. The scanner blurs a noise-free chest of 2.5 x 1.1 x 1.1 mm
and samples it at about 4 x 1.35 x 1.35 mm. Rows are kept as they come: interrupted, the same command goes on. One to
three minutes a pair on one core.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from msdnet.data.phantom import Phantom, make_phantom, to_scan
from msdnet.labels import ANY_LESION, LabelSchema
from msdnet.prediction import Segmenter
from msdnet.prediction.repeatability import NUM_LOOKS
from msdnet.quantification.follow_up import Change, Timepoint, find_changes
from msdnet.quantification.follow_up.timepoint import SCAN, VOLUME
from msdnet.scans.scan import Scan

Array = np.ndarray[Any, Any]

GROWTH = 0.2
FINE, FINE_MM = (96, 320, 320), (2.5, 1.1, 1.1)
COARSE, COARSE_MM = (48, 128, 128), (5.0, 2.75, 2.75)
SCAN_MM = (4.0, 1.35, 1.35)
BLUR_MM = (1.3, 0.6, 0.6)
NOISE_HU, GRAIN_MM = 20.0, 0.55
TURN_DEG, SHIFT_MM, OTHER_GRID = 4.0, 5.0, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", metavar="ROWS.csv", type=Path)
    parser.add_argument("--pairs", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=1000, help="of the synthetic people; default: %(default)s")
    parser.add_argument("--engine", default="auto", help="what computes the network; default: %(default)s")
    arguments = parser.parse_args()
    segmenter = Segmenter.from_pretrained(engine=arguments.engine)
    schema = segmenter.card.label_schema
    rows = _read(arguments.rows)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.pairs):
        if str(seed) not in {row["seed"] for row in rows}:
            rows += _measure_person(seed, segmenter, schema)
            _write(arguments.rows, rows)
    print(f"{segmenter.card.name}, {arguments.pairs} people\n\n{_table(rows, schema)}\n\n{_spreads(rows, schema)}")


def _measure_person(seed: int, segmenter: Segmenter, schema: LabelSchema) -> list[dict[str, str]]:
    """A row for each of three scans: the first, unchanged, changed."""
    before = make_phantom(seed, shape=FINE, spacing_mm=FINE_MM, noise_hu=0)
    after = make_phantom(seed, shape=FINE, spacing_mm=FINE_MM, noise_hu=0, lesion_scale=_scale_for_growth(seed))
    rng = np.random.default_rng(seed)
    rows = []
    for name, phantom in (("first", before), ("unchanged", before), ("changed", after)):
        scan = take_scan(phantom, rng)
        found = segmenter.segment(scan)
        sd = {r.class_name: r.sd for r in found.repeatability}
        truth = phantom.labels_in(schema.name)
        voxel_ml = float(np.prod(phantom.spacing_mm)) / 1000
        for class_name, indices in _classes(schema).items():
            rows.append(
                {
                    "seed": str(seed),
                    "scan": name,
                    "class": class_name,
                    "true_ml": f"{np.isin(truth, indices).sum() * voxel_ml:.3f}",
                    "ml": f"{np.isin(found.labels, indices).sum() * (scan.voxel_ml or 0):.3f}",
                    "sd": f"{sd.get(class_name, 0):.5f}",
                }
            )
    return rows


def take_scan(phantom: Phantom, rng: np.random.Generator) -> Scan:
    """A noise-free phantom as a scanner gives it: lying a little otherwise, blurred, on another grid, with noise."""
    scan = to_scan(phantom)
    blur = [mm / spacing for mm, spacing in zip(BLUR_MM, phantom.spacing_mm, strict=True)]
    image = sitk.GetImageFromArray(ndimage.gaussian_filter(phantom.voxels_hu.astype(np.float32), blur))
    image.SetSpacing(phantom.spacing_mm[::-1])
    pose = sitk.Euler3DTransform()
    pose.SetCenter(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))
    pose.SetRotation(*np.deg2rad(rng.uniform(-TURN_DEG, TURN_DEG, 3)))
    pose.SetTranslation(rng.uniform(-SHIFT_MM, SHIFT_MM, 3).tolist())
    spacing = np.array(SCAN_MM) * rng.uniform(1 - OTHER_GRID, 1 + OTHER_GRID, 3)
    size = [
        round(n * mm / new) for n, mm, new in zip(phantom.voxels_hu.shape, phantom.spacing_mm, spacing, strict=True)
    ]
    grid = sitk.Image([int(n) for n in size[::-1]], sitk.sitkFloat32)
    grid.SetSpacing(spacing[::-1].tolist())
    sampled = sitk.GetArrayFromImage(sitk.Resample(image, grid, pose, sitk.sitkLinear, -1000.0))
    grain = (0.0, GRAIN_MM / spacing[1], GRAIN_MM / spacing[2])
    noise = ndimage.gaussian_filter(rng.standard_normal(sampled.shape, dtype=np.float32), grain)
    hu = np.clip(np.rint(sampled + NOISE_HU / noise.std() * noise), -1024, 3071).astype(np.int16)
    affine = np.array(scan.volume.affine)
    affine[:3, :3] *= spacing / np.array(phantom.spacing_mm)
    return replace(scan, volume=hd.Volume(hu, affine, "PATIENT"))


def _scale_for_growth(seed: int) -> float:
    """How many times as wide the lesions must be for their true volume to grow as wanted; from coarse phantoms."""

    def volume(scale: float) -> float:
        phantom = make_phantom(seed, shape=COARSE, spacing_mm=COARSE_MM, noise_hu=0, lesion_scale=scale)
        return float(np.count_nonzero(phantom.labels))

    first, scale = volume(1.0), 1.08
    for _ in range(2):
        scale = 1 + (scale - 1) * GROWTH / (volume(scale) / first - 1)
    return scale


def _table(rows: list[dict[str, str]], schema: LabelSchema) -> str:
    people: dict[str, dict[str, Timepoint]] = {}
    truths: dict[tuple[str, str, str], float] = {}
    for row in rows:
        points = people.setdefault(row["seed"], {})
        point = points.setdefault(row["scan"], _empty_point(schema))
        point.figures[SCAN, row["class"], VOLUME] = float(row["ml"])
        point.sd[row["class"]] = float(row["sd"])
        truths[row["seed"], row["scan"], row["class"]] = float(row["true_ml"])
    lines = [
        "| class | unchanged, within the band | changed, beyond it | true change within the stated error: unchanged | "
        "changed | median band | true growth, mean (SD) |",
        "|---|---|---|---|---|---|---|",
    ]
    for class_name in _classes(schema):
        counts = dict.fromkeys(("within", "beyond", "right_unchanged", "right_changed"), 0)
        widths, growth, num = [], [], 0
        for seed, points in people.items():
            first = truths[seed, "first", class_name]
            changes = {name: _change(points["first"], points[name], class_name) for name in ("unchanged", "changed")}
            if first == 0 or any(c.half_width is None for c in changes.values()):
                continue
            num += 1
            counts["within"] += changes["unchanged"].is_beyond_band is False
            counts["beyond"] += changes["changed"].is_beyond_band is True
            for name, change in changes.items():
                true = 100 * (truths[seed, name, class_name] / first - 1)
                low, high = change.interval_percent or (0.0, 0.0)
                counts[f"right_{name}"] += low <= true <= high
            widths.append((changes["changed"].band_percent or (0.0, 0.0))[1])
            growth.append(truths[seed, "changed", class_name] / first - 1)
        told = [f"{counts[key]} of {num}" for key in ("within", "beyond", "right_unchanged", "right_changed")]
        spread = f"{100 * np.mean(growth):.0f} % ({100 * np.std(growth):.0f} %)"
        lines.append(f"| {class_name} | {' | '.join(told)} | +{np.median(widths):.0f} % | {spread} |")
    return "\n".join(lines)


def _spreads(rows: list[dict[str, str]], schema: LabelSchema) -> str:
    """What the band and the interval rest on: logarithms of volume ratios, over all people with the class."""
    lines = [
        "| class | people | further looks, root mean square | unchanged pairs, SD | changed pairs, SD beside the true "
        "change | of what has come, SD | changed, beyond 1.96 SD of the unchanged |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for class_name in _classes(schema):
        people: dict[str, dict[str, dict[str, float]]] = {}
        for row in rows:
            if row["class"] == class_name:
                figures = {key: float(row[key]) for key in ("true_ml", "ml", "sd")}
                people.setdefault(row["seed"], {})[row["scan"]] = figures
        full = [p for p in people.values() if all(min(figures.values()) > 0 for figures in p.values())]
        found, true = (
            {name: np.log([p[name][key] / p["first"][key] for p in full]) for name in ("unchanged", "changed")}
            for key in ("ml", "true_ml")
        )
        looks = np.sqrt(np.mean([[figures["sd"] ** 2 for figures in p.values()] for p in full]))
        unchanged, changed = found["unchanged"].std(), (found["changed"] - true["changed"]).std()
        of_new = np.sqrt(max(changed**2 - unchanged**2, 0) / np.mean(true["changed"] ** 2))
        told = " | ".join(f"{figure:.3f}" for figure in (looks, unchanged, changed, of_new))
        beyond = np.count_nonzero(np.abs(found["changed"]) > 1.96 * unchanged)
        lines.append(f"| {class_name} | {len(full)} | {told} | {beyond} of {len(full)} |")
    return "\n".join(lines)


def _empty_point(schema: LabelSchema) -> Timepoint:
    record = {"weights": {"sha256": ""}, "options": {}}
    return Timepoint(Path(), 0, schema, record, figures={}, sd={}, num_looks=NUM_LOOKS)


def _change(before: Timepoint, after: Timepoint, class_name: str) -> Change:
    return next(c for c in find_changes(before, after) if c.class_name == class_name)


def _classes(schema: LabelSchema) -> dict[str, list[int]]:
    return {ANY_LESION: [c.index for c in schema.classes], **{c.name: [c.index] for c in schema.classes}}


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
