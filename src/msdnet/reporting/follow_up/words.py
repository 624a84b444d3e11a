"""How a comparison names days, changes and bands; the same on the page and in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msdnet.labels import ANY_LESION, LabelSchema
from msdnet.quantification.follow_up import Change, Timepoint
from msdnet.reporting.numbers import format_signed
from msdnet.reporting.texts import TEXTS


def titles_of(schema: LabelSchema) -> Mapping[str, str]:
    """Name and title of what a comparison tells of: all lesions first, where there are several classes."""
    titles = {c.name: c.title for c in schema.classes}
    return {ANY_LESION: TEXTS["any_lesion"], **titles} if len(titles) > 1 else titles


def format_time(points: Sequence[Timepoint]) -> str:
    """From the first to the last: over 8 days."""
    days = points[-1].day - points[0].day
    return TEXTS["over_no_days" if days == 0 else "over_one_day" if days == 1 else "over_days"].format(days=days)


def format_percent(value: float) -> str:
    """A change in whole per cent, with its sign; what rounds to nothing but is something is less than 1 %."""
    if value == 0:
        return "0 %"
    return "< 1 %" if round(abs(value)) == 0 else f"{_plus(value)} %"


def format_change(change: Change) -> str:
    """The change in per cent; of a percentage in points, since per cent of per cent would be misread."""
    if change.measure == "percent":
        return f"{_plus(change.change, 1)} pp"
    return "–" if change.change_percent is None else format_percent(change.change_percent)


def format_band(change: Change) -> str:
    """The band in per cent; a dash where there is none."""
    if change.band_percent is None:
        return "–"
    low, high = change.band_percent
    return f"{format_signed(low)} to {_plus(high)} %"


def _plus(value: float, decimals: int = 0) -> str:
    words = format_signed(value, decimals)
    return words if words.startswith("−") or float(f"{value:.{decimals}f}") == 0 else f"+{words}"
