"""Numbers as people read them: no more digits than they are worth, and a true minus sign."""

from __future__ import annotations

from collections.abc import Iterable


def format_ml(volume_ml: float) -> str:
    """Three digits or so: 1234, 123, 12.3, 1.23, 0.12; less than 0.01 but more than nothing says so."""
    if 0 < volume_ml < 0.01:
        return "< 0.01"
    if volume_ml == 0:
        return "0"
    return f"{volume_ml:.{0 if volume_ml >= 100 else 1 if volume_ml >= 10 else 2}f}"


def format_share(share: float) -> str:
    """A share of 0 to 1 as per cent, so that neither nothing nor everything is claimed by rounding alone."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 0 < percent < 10:
        return f"{percent:.1f} %"
    if 99 < percent < 100:
        return "> 99 %"
    return f"{percent:.0f} %"


def format_count(count: int) -> str:
    """A whole number in groups of three digits, parted by narrow spaces that do not break."""
    return f"{count:,}".replace(",", "\u202f")


def format_signed(value: float, decimals: int = 0) -> str:
    """A number with a true minus sign."""
    text = f"{value:.{decimals}f}"
    return ("\u2212" + text[1:]) if text.startswith("-") and float(text) != 0 else text.lstrip("-")


def format_ranges(numbers: Iterable[int]) -> str:
    """Whole numbers as ranges: 1 to 3, 7, 9 to 12 becomes `1–3, 7, 9–12`."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in ranges)
