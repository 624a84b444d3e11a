"""What the command's options hold, from the words the user wrote; each refuses with what to do."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable

from msdnet.errors import OptionError


def window(text: str) -> tuple[float, float]:
    """LOW,HIGH in HU, the lower one first."""
    try:
        low, high = (float(part) for part in text.split(","))
        if math.isfinite(low) and math.isfinite(high) and low < high:
            return low, high
    except ValueError:
        pass
    raise OptionError(
        "the window cannot be used",
        got=f"--window {text}",
        expected="LOW,HIGH: two numbers parted by a comma, the lower one first",
        do="for a lung window in HU: --window -1350,150",
    )


def gigabytes(text: str) -> float:
    """A finite number above 0."""
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise OptionError(
        "the memory cannot be used",
        got=f"--memory {text}",
        expected="a finite number above 0, in GB (10^9 bytes)",
        do="for instance --memory 4",
    )


def slices(text: str) -> tuple[int, int]:
    """CARINA,VEINS: two slice numbers from the feet."""
    try:
        carina, veins = (int(part) for part in text.split(","))
        if carina >= veins >= 1:
            return carina, veins
    except ValueError:
        pass
    raise OptionError(
        "the slices of the zones cannot be used",
        got=f"--zone-slices {text}",
        expected="CARINA,VEINS: two slice numbers from the feet, the veins not above the carina",
        do="take the numbers from the report's overview, for instance --zone-slices 181,154",
    )


def counts(text: str) -> tuple[int, ...]:
    """Numbers from 1 on, parted by commas; none for an empty text."""
    try:
        counts = tuple(int(part) for part in text.split(",") if part)
        if all(count >= 1 for count in counts):
            return counts
    except ValueError:
        pass
    raise OptionError(
        "the studies cannot be made",
        got=f"--slices {text}",
        expected="numbers of slices from 1 on, parted by commas; an empty text for no study",
        do="for instance --slices 10,100",
    )


def dates(text: str) -> tuple[datetime.date, ...]:
    """Days as year-month-day, parted by commas."""
    try:
        return tuple(datetime.date.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise OptionError(
            "the dates cannot be used",
            got=f"--dates {text}",
            expected="a date for each result, year-month-day",
            do="write them as one word, parted by commas without blanks: --dates 2024-03-01,2024-03-08",
        ) from error


def correlation(text: str) -> float:
    """A number above 0, at most 1."""
    try:
        if 0 < float(text) <= 1:
            return float(text)
    except ValueError:
        pass
    raise OptionError(
        "the correlation cannot be used",
        got=f"--near-duplicate {text}",
        expected="a number above 0, at most 1",
        do="for example --near-duplicate 0.9",
    )


def pair(text: str) -> tuple[str, str]:
    """LABEL=CLASS."""
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        raise OptionError(
            "the mapping cannot be used",
            got=text,
            expected="LABEL=CLASS",
            do="for example --map effusion=background",
        )
    return old.strip(), new.strip()


def pair_of_numbers(text: str) -> tuple[int, int]:
    """OLD=NEW, two numbers of a class."""
    try:
        old, new = (int(part) for part in text.split("="))
    except ValueError as error:
        raise OptionError(
            "the mapping cannot be used", got=text, expected="OLD=NEW, two numbers", do="for example --values 255=1"
        ) from error
    return old, new


def whole_number(option: str, multiple_of: int = 1) -> Callable[[str], int]:
    """Takes whole numbers from 1 on that are multiples of another."""

    def parse(text: str) -> int:
        if text.isdecimal() and int(text) >= 1 and int(text) % multiple_of == 0:
            return int(text)
        raise OptionError(
            f"{option} cannot be used",
            got=f"{option} {text}",
            expected="a whole number from 1 on"
            if multiple_of == 1
            else f"a multiple of {multiple_of}, from {multiple_of} on",
            do=f"for instance {option} {16 * multiple_of}",
        )

    return parse
