"""The figures as tables for other programs: measures.json, measures.csv and repeatability.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from msdnet.prediction.repeatability import Repeatability
from msdnet.quantification import LesionMeasure

_DECIMALS = {
    "volume_ml": 6,
    "share_of_slices_with_class": 6,
    "mean_hu": 2,
    "predicted_dsc": 3,
    "predicted_dsc_low": 3,
    "predicted_dsc_high": 3,
    "volume_low_ml": 6,
    "volume_high_ml": 6,
}


def write_measures(measures: Sequence[LesionMeasure], folder: Path) -> dict[str, str]:
    """Writes one record per class into measures.json and one row per class into measures.csv.

    An unknown figure is null in the one and empty in the other: no millilitres without a spacing, no HU for grey
    scans or a class that was not found.

    Returns:
        The files' roles and names.
    """
    records = [{key: _rounded(key, value) for key, value in m.to_dict().items()} for m in measures]
    (folder / "measures.json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    columns = list(records[0])
    with (folder / "measures.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return {"measures_json": "measures.json", "measures_csv": "measures.csv"}


def write_repeatability(repeatability: Sequence[Repeatability], folder: Path) -> dict[str, str]:
    """Writes repeatability.json, one record per class and one of any lesion; gives the file's role and name, if any."""
    if not repeatability:
        return {}
    records = [
        {
            "class": r.class_name,
            "sd_log_area": round(r.sd, 4),
            "num_looks": len(r.again),
            "plain": r.plain,
            "again": r.again,
        }
        for r in repeatability
    ]
    (folder / "repeatability.json").write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    return {"repeatability_json": "repeatability.json"}


def _rounded(key: str, value: str | int | float | None) -> str | int | float | None:
    return round(value, _DECIMALS[key]) if isinstance(value, float) else value
