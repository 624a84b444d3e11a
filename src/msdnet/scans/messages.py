"""Words that the messages of several readers share."""

from __future__ import annotations

from pathlib import Path


def count_of(number: int, noun: str) -> str:
    """The number with its noun: `1 slice`, `2 slices`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def name_within(path: Path, given: Path | None) -> str:
    """A file as messages name it: its place below the folder that was given, or its name alone; never a whole path."""
    if given is not None and path != given and path.is_relative_to(given):
        return path.relative_to(given).as_posix()
    return path.name
