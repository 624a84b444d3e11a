"""follow_up.html: one self-contained page with what has changed, where, and what of it may come from the technique."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msdnet.labels import ANY_LESION
from msdnet.quantification.follow_up import Aligned, Change, Timepoint
from msdnet.quantification.follow_up.timepoint import LUNGS, MASS, PERCENT, SCAN, VOLUME
from msdnet.reporting.follow_up.notes import follow_up_notes
from msdnet.reporting.follow_up.pictures import choose_times
from msdnet.reporting.follow_up.words import format_band, format_change, format_percent, format_time, titles_of
from msdnet.reporting.html import embedded, render_page
from msdnet.reporting.numbers import format_ml
from msdnet.reporting.texts import TEXTS

_REGIONS = ("right", "left", "peripheral", "central")


def write_follow_up_page(
    points: Sequence[Timepoint],
    changes: Sequence[Change],
    aligned: Aligned,
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
    line = TEXTS["follow_line_claimed" if claimed else "follow_line"].format(num=len(points), days=format_time(points))
    found = {(c.region, c.class_name, c.measure): c for c in changes}
    weights = {p.record["weights"]["sha256"]: p.record["weights"]["name"] for p in points}
    method = [(TEXTS["method_weights"], name, sha256) for sha256, name in weights.items()]
    method.append((TEXTS["method_registration"], TEXTS["method_registration_text"], ""))
    page = render_page(
        "follow_up.html.j2",
        scan_line=line,
        tiles=_tiles(points, found),
        findings=follow_up_notes(points, aligned),
        side_by_side=None if side_by_side is None else embedded(side_by_side),
        side_by_side_caption=_caption(points, aligned),
        course=embedded(course),
        columns=[
            TEXTS["column_figure"],
            *(TEXTS["day"].format(day=p.name) for p in points),
            TEXTS["column_change"],
            TEXTS["column_band"],
        ],
        rows=list(_rows(points, found)),
        table_note=" ".join(_table_notes(points, changes)),
        maps=_maps(points, aligned),
        method=method,
    )
    path.write_text(page, encoding="utf-8")


def _caption(points: Sequence[Timepoint], aligned: Aligned) -> str:
    """How well the scans lie over each other; which of them are shown, if not all; and what is black."""
    words = [TEXTS["side_by_side_caption"].format(dice=", ".join(f"{dice:.2f}" for dice in aligned.lung_dice))]
    shown = choose_times(len(points))
    if len(shown) < len(points):
        days = ", ".join(points[place].name for place in shown)
        words.append(TEXTS["side_by_side_some"].format(shown=len(shown), total=len(points), days=days))
    if any(one.unseen_ml > 0 for one in aligned.maps):
        words.append(TEXTS["side_by_side_black"])
    return " ".join(words)


def _tiles(points: Sequence[Timepoint], found: dict[tuple[str, str, str], Change]) -> list[dict[str, Any]]:
    """The change of every lesion, and of each class, from the first to the last."""
    colours = {c.name: c.colour for c in points[0].schema.classes}
    tiles = []
    for name, title in titles_of(points[0].schema).items():
        change = found[SCAN, name, VOLUME]
        percent = change.change_percent
        # a per cent of what was not scanned would be misread, and nothing else is told in so large letters
        told = percent is not None and not change.cut
        figure, unit = (format_percent(percent or 0.0).removesuffix(" %"), "%") if told else ("–", "")
        if change.is_beyond_band is None:
            verdict = TEXTS["no_band"].format(reason=TEXTS[f"reason_{change.band_absent}"])
        else:
            verdict = TEXTS["beyond" if change.is_beyond_band else "within"].format(band=format_band(change))
        volumes = {"before": format_ml(change.before), "after": format_ml(change.after)}
        under = TEXTS["tile_under"].format(**volumes, verdict=verdict)
        tiles.append({"title": title, "colour": colours.get(name), "figure": figure, "unit": unit, "under": under})
    return tiles


def _rows(points: Sequence[Timepoint], found: dict[tuple[str, str, str], Change]) -> Iterator[list[str]]:
    titles = titles_of(points[0].schema)
    whole = ANY_LESION if ANY_LESION in titles else next(iter(titles))
    if all(point.lungs_ml for point in points):
        volumes = [point.lungs_ml or 0.0 for point in points]
        growth = format_percent(100 * (volumes[-1] / volumes[0] - 1))
        cut = TEXTS["flag_cut"] if points[0].cut or points[-1].cut else ""
        yield [TEXTS["lung_volume"], *(format_ml(ml) for ml in volumes), growth + cut, ""]
    for region, measure, key in (
        (SCAN, VOLUME, "in_ml"),
        (LUNGS, MASS, "mass_of"),
        (LUNGS, PERCENT, "percent_of"),
        *((region, PERCENT, "region_percent_of") for region in _REGIONS),
    ):
        for name in titles if region in (SCAN, LUNGS) else [whole]:
            change = found.get((region, name, measure))
            if change is None or not all((region, name, measure) in point.figures for point in points):
                continue
            title = TEXTS[key].format(title=titles[name], region=TEXTS.get(f"region_{region}", "").lower())
            values = [point.figures[region, name, measure] for point in points]
            band = "" if measure == PERCENT else format_band(change)
            yield [title, *(format_ml(v) for v in values), format_change(change) + _flags(change), band]


def _flags(change: Change) -> str:
    return (TEXTS["flag_breath"] if change.breath else "") + (TEXTS["flag_cut"] if change.cut else "")


def _table_notes(points: Sequence[Timepoint], changes: Sequence[Change]) -> Iterator[str]:
    """What a band is, and what each sign in the table stands for."""
    yield TEXTS["band_note"]
    shown = [c for c in changes if (c.region, c.measure) in ((SCAN, VOLUME), (LUNGS, MASS))]
    absent = dict.fromkeys(TEXTS[f"reason_{c.band_absent}"] for c in shown if c.half_width is None)
    if absent:
        yield TEXTS["no_band_note"].format(reasons="; ".join(absent))
    if any(change.breath for change in changes):
        yield TEXTS["flag_breath_note"]
    if any(change.cut for change in changes):
        days = [point.name for point in (points[0], points[-1]) if point.cut]
        yield TEXTS["flag_cut_note"].format(days=TEXTS["and"].join(days))


def _maps(points: Sequence[Timepoint], aligned: Aligned) -> list[list[str]]:
    return [
        [
            TEXTS["from_to"].format(before=points[place].name, after=points[place + 1].name),
            *(format_ml(ml) for ml in (one.new_ml, one.resolved_ml, one.persistent_ml, one.unseen_ml)),
        ]
        for place, one in enumerate(aligned.maps)
    ]
