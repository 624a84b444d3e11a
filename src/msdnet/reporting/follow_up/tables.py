"""The changes as tables for other programs: changes.csv and changes.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msdnet.quantification.follow_up import Aligned, Change, Timepoint
from msdnet.quantification.follow_up.changes import lungs_changed

_DECIMALS = 4


def write_changes(
    points: Sequence[Timepoint],
    changes: Sequence[tuple[int, int, Sequence[Change]]],
    aligned: Aligned,
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
    lines = [_line(points, a, b, change) for a, b, of_pair in changes for change in of_pair]
    with (folder / "changes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    told = {
        "days": [point.day for point in points],
        "lungs_ml": [point.lungs_ml for point in points],
        "acquisition": [dict(point.acquisition) for point in points],
        "registration_absent": aligned.absent or None,
        "lung_dice": [_rounded(dice) for dice in aligned.lung_dice],
        "likeness": [_rounded(value) for value in aligned.likeness],
        "maps": [
            {
                **_times(points, place, place + 1),
                "persistent_ml": _rounded(one.persistent_ml),
                "new_ml": _rounded(one.new_ml),
                "resolved_ml": _rounded(one.resolved_ml),
                "unseen_ml": _rounded(one.unseen_ml),
            }
            for place, one in enumerate(aligned.maps)
        ],
        "changes": lines,
    }
    (folder / "changes.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return {"changes_csv": "changes.csv", "changes_json": "changes.json"}


def _times(points: Sequence[Timepoint], before: int, after: int) -> dict[str, int]:
    """Which scans, counted from 1 in the order of time, as in the maps' names; and on which days."""
    return {
        "from_scan": before + 1,
        "to_scan": after + 1,
        "from_day": points[before].day,
        "to_day": points[after].day,
    }


def _line(points: Sequence[Timepoint], before: int, after: int, change: Change) -> dict[str, Any]:
    band, interval = change.band_percent or (None, None), change.interval_percent or (None, None)
    return {
        **_times(points, before, after),
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
        "band_absent": change.band_absent or None,
        "lung_volume_changed": lungs_changed(points[before], points[after]),
        "lungs_cut_off": change.cut,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
