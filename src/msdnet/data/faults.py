"""Faults of a data set: collected while it is read, and told together in one error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msdnet.errors import DatasetError

MOST_NAMES = 8


class Fault(NamedTuple):
    """What is wrong, and the slice, scan or file it is wrong with (empty where it concerns the whole).

    Faults with the same `what` are told in one line: what differs from place to place belongs into `where`.
    """

    what: str
    where: str = ""


def raise_faults(what: str, faults: Sequence[Fault], *, expected: str, do: str) -> None:
    """Nothing, if there are no faults.

    Raises:
        DatasetError: that lists every kind of fault with the places it was found at; at most 8 of them by name.
    """
    if faults:
        raise DatasetError(
            what, got="\n" + "\n".join(f"    - {line}" for line in told(faults)), expected=expected, do=do
        )


def told(faults: Sequence[Fault]) -> list[str]:
    """One line for each kind of fault, with each place once."""
    places: dict[str, list[str]] = {}
    for fault in faults:
        places.setdefault(fault.what, []).append(fault.where)
    lines = []
    for what, names in places.items():
        named = [name for name in dict.fromkeys(names) if name]
        more = f" and {len(named) - MOST_NAMES} more" if len(named) > MOST_NAMES else ""
        lines.append(f"{what}: {', '.join(named[:MOST_NAMES])}{more}" if named else what)
    return lines
