"""What may stand between the changes and the disease: "Read this first" of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from msdnet.quantification.follow_up import Aligned, Timepoint
from msdnet.quantification.follow_up.aligned import SMALLEST_LIKENESS
from msdnet.quantification.follow_up.changes import find_band_obstacle, lungs_changed, lungs_found_alike
from msdnet.reporting.follow_up.words import format_percent
from msdnet.reporting.numbers import format_ml
from msdnet.reporting.texts import TEXTS
from msdnet.scans.acquisition import is_sharp_kernel

_SAME_SHARE = 0.1
"""Spacings that differ by less than this share are alike."""


def follow_up_notes(points: Sequence[Timepoint], aligned: Aligned) -> list[str]:
    """What may stand between the changes and the disease, one sentence each.

    Args:
        points: In the order of time.
        aligned: The results on one grid, or why not.
    """
    notes = []
    if len({point.key for point in points} - {None}) > 1:
        notes.append(TEXTS["follow_keys"])
    for point, likeness in zip(points[1:], aligned.likeness, strict=False):
        if likeness is not None and likeness < SMALLEST_LIKENESS:
            words = {"day": point.name, "first": points[0].name, "likeness": f"{likeness:.2f}"}
            notes.append(TEXTS["follow_unlike"].format(**words))
    notes += [TEXTS["follow_cut"].format(day=point.name) for point in points if point.cut]
    for before, after in _pairs(points):
        if lungs_changed(before, after) and before.lungs_ml and after.lungs_ml:
            percent = format_percent(100 * (after.lungs_ml / before.lungs_ml - 1))
            notes.append(TEXTS["follow_breath"].format(percent=percent, before=before.name, after=after.name))
    told = {key: [point.acquisition.get(key) for point in points] for key in _keys(points)}
    notes += [TEXTS["follow_differs"].format(values=values) for values in _differences(points, told, "acquisition")]
    for point in points:
        if any(is_sharp_kernel(one) for one in str(point.acquisition.get("kernel") or "").split("\\")):
            notes.append(TEXTS["follow_sharp"].format(day=point.name))
    computed = "; ".join(_differences(points, _computation(points), "computation"))
    if computed:
        notes.append(TEXTS["follow_computed"].format(values=computed))
    obstacles: dict[str, list[str]] = {}
    for before, after in _pairs(points):
        span = TEXTS["span"].format(before=before.name, after=after.name)
        obstacles.setdefault(find_band_obstacle(before, after), []).append(span)
        if not lungs_found_alike(before, after):
            obstacles.setdefault("lungs", []).append(span)
    for obstacle in ("looks", "weights", "precision", "lungs"):
        if obstacle in obstacles:
            notes.append(TEXTS[f"follow_no_band_{obstacle}"].format(spans=_listed(obstacles[obstacle])))
    notes += _same_scans(points)
    if aligned.absent:
        days = _listed([points[place].name for place in aligned.absent_of])
        notes.append(TEXTS[f"align_{aligned.absent}"].format(days=days, first=points[0].name))
    for (before, after), one in zip(pairwise(points), aligned.maps, strict=False):
        if one.unseen_ml > 0:
            words = {"ml": format_ml(one.unseen_ml), "before": before.name, "after": after.name}
            notes.append(TEXTS["follow_unseen"].format(**words))
    return notes


def _pairs(points: Sequence[Timepoint]) -> list[tuple[Timepoint, Timepoint]]:
    """From each result to the next, and from the first to the last."""
    return [*pairwise(points), *([(points[0], points[-1])] if len(points) > 2 else [])]


def _listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return TEXTS["and"].join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _keys(points: Sequence[Timepoint]) -> list[str]:
    return list(dict.fromkeys(key for point in points for key in point.acquisition))


def _computation(points: Sequence[Timepoint]) -> dict[str, list[Any]]:
    """By what each result was computed."""
    engines = [point.record.get("engine", {}) for point in points]
    return {
        "version": [point.record["version"] for point in points],
        "engine": [engine.get("engine") for engine in engines],
        "precision": [engine.get("precision") for engine in engines],
    }


def _differences(points: Sequence[Timepoint], told: dict[str, list[Any]], table: str) -> Iterator[str]:
    """Each thing that is not the same for all, with what it is on which days."""
    for key, values in told.items():
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        close = key.endswith("_mm") and len(numbers) == len(values)
        close = close and max(numbers) <= min(numbers) * (1 + _SAME_SHARE)
        days: dict[str, list[str]] = {}
        for point, value in zip(points, values, strict=True):
            days.setdefault(_word(value), []).append(point.name)
        if len(days) > 1 and not close:
            words = [TEXTS["value_on_day"].format(value=word, days=_listed(of)) for word, of in days.items()]
            yield f"{TEXTS[f'{table}_{key}']}: {', '.join(words)}"


def _word(value: Any) -> str:
    if value is None:
        return TEXTS["unknown"]
    if isinstance(value, bool):
        return TEXTS["yes" if value else "no"]
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def _same_scans(points: Sequence[Timepoint]) -> Iterator[str]:
    scans: dict[str, list[str]] = {}
    for point in points:
        scans.setdefault(point.record["input"]["sha256"], []).append(point.name)
    for days in scans.values():
        if len(days) > 1:
            yield TEXTS["follow_same_scan"].format(num=len(days), days=_listed(days))
