"""follow_up.html: one self-contained page with what has changed, where, and what of it may come from the technique."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from msdnet.labels import ANY_LESION
from msdnet.quantification.follow_up import Aligned, Change, Timepoint
from msdnet.quantification.follow_up.changes import lungs_changed, lungs_found_alike, made_alike
from msdnet.quantification.follow_up.timepoint import LUNGS, MASS, PERCENT, SCAN, VOLUME
from msdnet.reporting.html import embedded, render_page
from msdnet.reporting.numbers import format_ml, format_signed
from msdnet.reporting.texts import TEXTS
from msdnet.scans.acquisition import is_sharp_kernel

_SAME_SHARE = 0.1
"""Spacings that differ by less than this share are alike."""

_REGIONS = ("right", "left", "peripheral", "central")


def write_follow_up_page(
    points: Sequence[Timepoint],
    changes: Sequence[Change],
    aligned: Aligned | str,
    path: Path,
    *,
    course: Path,
    side_by_side: Path | None,
    claimed: bool,
) -> None:
    """Writes the page. Style and pictures are inside it; it has no script and loads nothing.

    Args:
        points: In the order of time.
        changes: From the first result to the last.
        aligned: The results on one grid, or why not.
        path: Where to write.
        course: The picture that `draw_course` drew.
        side_by_side: The picture that `draw_side_by_side` drew, if any.
        claimed: Whether it is the user's word alone that they are of one person.
    """
    days = points[-1].day - points[0].day
    line = TEXTS["follow_line_claimed" if claimed else "follow_line"].format(
        num=len(points), days=TEXTS["one_day" if days == 1 else "several_days"].format(days=days)
    )
    found = {(c.region, c.class_name, c.measure): c for c in changes}
    caption = ""
    if not isinstance(aligned, str):
        caption = TEXTS["side_by_side_caption"].format(dice=", ".join(f"{dice:.2f}" for dice in aligned.lung_dice))
    flagged = any(change.breath for change in changes)
    weights = {p.record["weights"]["sha256"]: p.record["weights"]["name"] for p in points}
    method = [(TEXTS["method_weights"], name, sha256) for sha256, name in weights.items()]
    method.append((TEXTS["method_registration"], TEXTS["method_registration_text"], ""))
    page = render_page(
        "follow_up.html.j2",
        scan_line=line,
        tiles=_tiles(points, found),
        findings=follow_up_notes(points, aligned),
        side_by_side=None if side_by_side is None else embedded(side_by_side),
        side_by_side_caption=caption,
        course=embedded(course),
        columns=[
            TEXTS["column_figure"],
            *(TEXTS["day"].format(day=p.day) for p in points),
            TEXTS["column_change"],
            TEXTS["column_band"],
        ],
        rows=list(_rows(points, found)),
        table_note=" ".join([TEXTS["band_note"], *([TEXTS["flag_breath_note"]] if flagged else [])]),
        maps=[] if isinstance(aligned, str) else _maps(points, aligned),
        method=method,
    )
    path.write_text(page, encoding="utf-8")


def follow_up_notes(points: Sequence[Timepoint], aligned: Aligned | str) -> list[str]:
    """What may stand between the changes and the disease, one sentence each."""
    notes = [TEXTS["follow_cut"].format(day=point.day) for point in points if point.cut]
    spans = [*pairwise(points), *([(points[0], points[-1])] if len(points) > 2 else [])]
    for before, after in spans:
        if before.cut or after.cut:
            continue  # what was not scanned tells nothing of breath
        if lungs_changed(before, after) and before.lungs_ml and after.lungs_ml:
            percent = _signed_percent(100 * (after.lungs_ml / before.lungs_ml - 1))
            notes.append(TEXTS["follow_breath"].format(percent=percent, before=before.day, after=after.day))
    notes += list(_differences(points))
    for point in points:
        if any(is_sharp_kernel(one) for one in str(point.acquisition.get("kernel") or "").split("\\")):
            notes.append(TEXTS["follow_sharp"].format(day=point.day))
    if not all(point.num_looks for point in points if point.any_marked):
        notes.append(TEXTS["follow_no_looks"])
    elif not all(made_alike(points[0], after) for after in points[1:]):
        notes.append(TEXTS["follow_weights"])
    if not all(lungs_found_alike(points[0], after) for after in points[1:]):
        notes.append(TEXTS["follow_lungs"])
    if len({point.record["input"]["sha256"] for point in points}) < len(points):
        notes.append(TEXTS["follow_same_scan"])
    if isinstance(aligned, str):
        return [*notes, TEXTS[f"align_{aligned}"]]
    unseen_ml = max(one.unseen_ml for one in aligned.maps)
    if unseen_ml > 0:
        notes.append(TEXTS["follow_unseen"].format(ml=format_ml(unseen_ml)))
    return notes


def _differences(points: Sequence[Timepoint]) -> Iterator[str]:
    for key in dict.fromkeys(key for point in points for key in point.acquisition):
        values = [point.acquisition.get(key) for point in points]
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        close = key.endswith("_mm") and len(numbers) == len(values)
        close = close and max(numbers) <= min(numbers) * (1 + _SAME_SHARE)
        if len(set(values)) > 1 and not close:
            words = ", ".join(_word(value) for value in values)
            yield TEXTS["follow_differs"].format(what=TEXTS[f"acquisition_{key}"], values=words)


def _word(value: Any) -> str:
    if value is None:
        return TEXTS["unknown"]
    if isinstance(value, bool):
        return TEXTS["yes" if value else "no"]
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def _tiles(points: Sequence[Timepoint], found: dict[tuple[str, str, str], Change]) -> list[dict[str, Any]]:
    """The change of every lesion, and of each class, from the first to the last."""
    schema = points[0].schema
    classes: list[tuple[str, str, Any]] = [(c.name, c.title, c.colour) for c in schema.classes]
    if len(classes) > 1:
        classes.insert(0, (ANY_LESION, TEXTS["any_lesion"], None))
    tiles = []
    for name, title, colour in classes:
        change = found[SCAN, name, VOLUME]
        percent = change.change_percent
        figure, unit = (_signed_percent(percent).removesuffix(" %"), "%") if percent is not None else ("–", "")
        volumes = {"before": format_ml(change.before), "after": format_ml(change.after)}
        if change.is_beyond_band is None:
            under = TEXTS["tile_first"].format(**volumes)
        else:
            verdict = TEXTS["beyond" if change.is_beyond_band else "within"].format(band=_band(change))
            under = TEXTS["tile_under"].format(**volumes, verdict=verdict)
        tiles.append({"title": title, "colour": colour, "figure": figure, "unit": unit, "under": under})
    return tiles


def _rows(points: Sequence[Timepoint], found: dict[tuple[str, str, str], Change]) -> Iterator[list[str]]:
    schema = points[0].schema
    titles = {c.name: c.title for c in schema.classes}
    if len(titles) > 1:
        titles[ANY_LESION] = TEXTS["any_lesion"]
    if all(point.lungs_ml for point in points):
        volumes = [point.lungs_ml or 0.0 for point in points]
        growth = _signed_percent(100 * (volumes[-1] / volumes[0] - 1))
        yield [TEXTS["lung_volume"], *(format_ml(ml) for ml in volumes), growth, ""]
    for region, measure, key in (
        (SCAN, VOLUME, "in_ml"),
        (LUNGS, MASS, "mass_of"),
        (LUNGS, PERCENT, "percent_of"),
        *((region, PERCENT, "region_percent_of") for region in _REGIONS),
    ):
        names = list(titles) if measure != PERCENT or region == LUNGS else list(titles)[-1:]
        for name in names:
            change = found.get((region, name, measure))
            if change is None or not all((region, name, measure) in point.figures for point in points):
                continue
            title = TEXTS[key].format(title=titles[name], region=TEXTS.get(f"region_{region}", "").lower())
            values = [point.figures[region, name, measure] for point in points]
            yield [title, *(format_ml(v) for v in values), _change(change), _band(change)]


def _maps(points: Sequence[Timepoint], aligned: Aligned) -> list[list[str]]:
    return [
        [
            TEXTS["from_to"].format(before=points[place].day, after=points[place + 1].day),
            *(format_ml(ml) for ml in (one.new_ml, one.resolved_ml, one.persistent_ml)),
        ]
        for place, one in enumerate(aligned.maps)
    ]


def _change(change: Change) -> str:
    if change.measure == PERCENT:  # of a percentage, points: per cent of per cent would be misread
        return f"{_plus(change.change, 1)} pp" + (TEXTS["flag_breath"] if change.breath else "")
    return "–" if change.change_percent is None else _signed_percent(change.change_percent)


def _band(change: Change) -> str:
    if change.band_percent is None:
        return "–" if change.measure != PERCENT else ""
    low, high = change.band_percent
    return f"{format_signed(low)} to {_plus(high)} %"


def _signed_percent(value: float) -> str:
    return f"{_plus(value)} %"


def _plus(value: float, decimals: int = 0) -> str:
    words = format_signed(value, decimals)
    return words if words.startswith("−") or float(f"{value:.{decimals}f}") == 0 else f"+{words}"
