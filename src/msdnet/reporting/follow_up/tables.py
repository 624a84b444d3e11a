"""The changes as tables for other programs: changes.csv and changes.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msdnet.quantification.follow_up import Aligned, Change, Timepoint

_DECIMALS = 4


def write_changes(
    points: Sequence[Timepoint],
    changes: Sequence[tuple[int, int, Sequence[Change]]],
    aligned: Aligned | str,
    folder: Path,
) -> dict[str, str]:
    """Writes changes.csv, one line per pair of times, region, class and measure, and changes.json, with the maps too.

    Args:
        points: In the order of time.
        changes: Places of the earlier and of the later result, and what has changed between them.
        aligned: The results on one grid, or why not.
        folder: Where to write.

    Returns:
        The files' roles and names.
    """
    lines = [_line(points[a], points[b], change) for a, b, of_pair in changes for change in of_pair]
    with (folder / "changes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    maps = [] if isinstance(aligned, str) else aligned.maps
    told = {
        "days": [point.day for point in points],
        "lungs_ml": [point.lungs_ml for point in points],
        "acquisition": [dict(point.acquisition) for point in points],
        "registration_absent": aligned if isinstance(aligned, str) else None,
        "lung_dice": [] if isinstance(aligned, str) else [_rounded(dice) for dice in aligned.lung_dice],
        "maps": [
            {
                "from_day": points[place].day,
                "to_day": points[place + 1].day,
                "persistent_ml": _rounded(one.persistent_ml),
                "new_ml": _rounded(one.new_ml),
                "resolved_ml": _rounded(one.resolved_ml),
                "unseen_ml": _rounded(one.unseen_ml),
            }
            for place, one in enumerate(maps)
        ],
        "changes": lines,
    }
    (folder / "changes.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return {"changes_csv": "changes.csv", "changes_json": "changes.json"}


def _line(before: Timepoint, after: Timepoint, change: Change) -> dict[str, Any]:
    band, interval = change.band_percent or (None, None), change.interval_percent or (None, None)
    return {
        "from_day": before.day,
        "to_day": after.day,
        "region": change.region,
        "class": change.class_name,
        "measure": change.measure,
        "before": _rounded(change.before),
        "after": _rounded(change.after),
        "change": _rounded(change.change),
        "change_percent": _rounded(change.change_percent),
        "change_percent_low": _rounded(interval[0]),
        "change_percent_high": _rounded(interval[1]),
        "band_percent_low": _rounded(band[0]),
        "band_percent_high": _rounded(band[1]),
        "beyond_band": change.is_beyond_band,
        "lung_volume_changed": change.breath,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
