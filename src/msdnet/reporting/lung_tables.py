"""The figures of the lungs as tables for other programs: lungs.json, regions.csv, and scan.csv with one line a scan."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msdnet.files import whole_file
from msdnet.quantification import LesionMeasure
from msdnet.quantification.lung_measures import LungMeasures

SCORES = (
    "opacity_percent",
    "high_opacity_percent",
    "lung_severity",
    "ct_severity",
    "zone_score",
    "thirds_score",
)
_IN_SCAN_LINE = ("lungs", "right", "left", "peripheral", "central")
_DECIMALS = 4


def write_lung_tables(
    lungs: LungMeasures | None, absent: str, measures: Sequence[LesionMeasure], name: str, folder: Path
) -> dict[str, str]:
    """Writes scan.csv, and lungs.json and regions.csv where there are lungs; gives the files' roles and names.

    Figures that are not known are null or empty. `scan.csv` has the same columns for all scans of a schema, so that the
    files of a cohort can be joined line by line; percentages of lungs that the scan cuts off are not in it.

    Args:
        lungs: The figures of the lungs, if any.
        absent: Why there are none.
        measures: The figures of the whole scan.
        name: The scan's name without patient data.
        folder: Where to write.
    """
    line = _scan_line(lungs, absent, measures, name)
    _write_csv(folder / "scan.csv", [line])
    files = {"scan_csv": "scan.csv"}
    if lungs is None:
        return files
    (folder / "lungs.json").write_text(json.dumps(_as_json(lungs), indent=2) + "\n", encoding="utf-8")
    _write_csv(folder / "regions.csv", _region_lines(lungs))
    return files | {"lungs_json": "lungs.json", "regions_csv": "regions.csv"}


def join_scan_lines(folders: Sequence[Path], path: Path) -> None:
    """Writes the lines of several results' scan.csv into one file; all are of one schema."""
    lines = []
    for folder in folders:
        with (folder / "scan.csv").open(encoding="utf-8", newline="") as file:
            lines += list(csv.DictReader(file))
    with whole_file(path) as unfinished:
        _write_csv(unfinished, lines)


def _as_json(lungs: LungMeasures) -> dict[str, Any]:
    return {
        **{key: _rounded(getattr(lungs, key)) for key in SCORES},
        "absent": dict(lungs.absent),
        "findings": dataclasses.asdict(lungs.findings) | {"cut": list(lungs.findings.cut)},
        "aeration_percent": {name: _all_rounded(of) for name, of in lungs.aeration.items()},
        "carina_slice": None if lungs.carina is None else lungs.carina + 1,
        "lesion_voxels_outside_lungs": lungs.outside_voxels,
        "regions": [
            _all_rounded(dataclasses.asdict(region))
            | {"classes": [_all_rounded(dataclasses.asdict(c)) for c in region.classes]}
            for region in lungs.regions
        ],
    }


def _region_lines(lungs: LungMeasures) -> list[dict[str, Any]]:
    return [
        {"region": region.name, "region_voxels": region.voxels, "region_ml": _rounded(region.volume_ml)}
        | {"class": c.class_name}
        | {key: value for key, value in _all_rounded(dataclasses.asdict(c)).items() if key != "class_name"}
        for region in lungs.regions
        for c in region.classes
    ]


def _scan_line(lungs: LungMeasures | None, absent: str, measures: Sequence[LesionMeasure], name: str) -> dict[str, Any]:
    """Every column is there for every scan; what is not known is empty."""
    line: dict[str, Any] = {"scan": name, "slices": measures[0].num_slices}
    for m in measures:
        line |= {f"{m.class_name}_ml": _rounded(m.volume_ml), f"{m.class_name}_voxels": m.voxels}
    line |= {key: None if lungs is None else _rounded(getattr(lungs, key)) for key in SCORES}
    whole = lungs is not None and not lungs.findings.cut  # of lungs that are cut off a percentage says little
    classes = [m.class_name for m in measures] + (["any_lesion"] if len(measures) > 1 else [])
    for region in _IN_SCAN_LINE:
        found = lungs.region(region) if lungs else None
        line[f"{region}_lung_ml"] = _rounded(found.volume_ml) if found else None
        of_class = {c.class_name: c for c in found.classes} if found else {}
        for class_name in classes:
            one = of_class.get(class_name)
            line[f"{region}_{class_name}_percent"] = _rounded(one.percent) if one and whole else None
            if region == "lungs":
                for key in ("mass_g", "num_lesions", "largest_mm", "mean_hu"):
                    line[f"{region}_{class_name}_{key}"] = _rounded(getattr(one, key)) if one else None
    line["lungs_absent"] = absent
    line["lungs_cut"] = "" if lungs is None else " ".join(lungs.findings.cut)
    return line


def _write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _all_rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _rounded(value) for key, value in values.items()}


def _rounded(value: Any) -> Any:
    return round(value, _DECIMALS) if isinstance(value, float) else value
