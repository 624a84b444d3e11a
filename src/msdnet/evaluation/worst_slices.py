"""The slices on which a network does worst, and what goes wrong there, told from pixel counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msdnet.errors import OptionError
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.labels import ANY_LESION

MISSED, FALSE, CONFUSED = 0.3, 0.3, 0.3
"""From these shares on a fault is named: of the true lesion, of the marks, of the lesion that is found."""


@dataclass(frozen=True)
class BadSlice:
    """One slice.

    Attributes:
        name: The slice.
        dsc: DSC of each class that is there or marked, by name, "any_lesion" last.
        true_share: Lesion in truth, as a share of the slice.
        marked_share: Marked lesion, as a share of the slice.
        faults: What goes wrong, in words.
    """

    name: str
    dsc: dict[str, float]
    true_share: float
    marked_share: float
    faults: tuple[str, ...]


def worst_slices(rows: Sequence[SliceOverlap], num: int = 10) -> list[BadSlice]:
    """Up to `num` slices with lesion and the lowest DSC of any lesion, the worst first; equals go by name.

    Args:
        rows: Of one network: every class of the schema and any lesion.
        num: How many.

    Raises:
        OptionError: if num is less than 1.
    """
    if num < 1:
        raise OptionError("no slice to choose", got=str(num), expected="1 or more", do="ask for more slices")
    of_slice: dict[str, dict[str, SliceOverlap]] = {}
    for row in rows:
        of_slice.setdefault(row.name, {})[row.class_name] = row
    present = [found for found in of_slice.values() if found[ANY_LESION].present]
    present.sort(key=lambda found: (found[ANY_LESION].dsc, found[ANY_LESION].name))
    return [_describe(found) for found in present[:num]]


def _describe(found: dict[str, SliceOverlap]) -> BadSlice:
    lesion = found[ANY_LESION]
    size = lesion.tp + lesion.fp + lesion.fn + lesion.tn
    return BadSlice(
        name=lesion.name,
        dsc={name: row.dsc for name, row in found.items() if row.present or row.predicted},
        true_share=(lesion.tp + lesion.fn) / size,
        marked_share=(lesion.tp + lesion.fp) / size,
        faults=_faults(lesion, [row for name, row in found.items() if name != ANY_LESION]),
    )


def _faults(lesion: SliceOverlap, classes: Sequence[SliceOverlap]) -> tuple[str, ...]:
    """The classes' pixels rightly marked, less than those of any lesion, are marked as another class."""
    faults = []
    missed = lesion.fn / (lesion.tp + lesion.fn)
    if missed >= MISSED:
        faults.append(f"{100 * missed:.0f} % of the lesion missed")
    false = lesion.fp / (lesion.tp + lesion.fp) if lesion.predicted else 0.0
    if false >= FALSE:
        faults.append(f"{100 * false:.0f} % of the marks on tissue without lesion")
    confused = 1 - sum(row.tp for row in classes) / lesion.tp if lesion.tp else 0.0
    if confused >= CONFUSED:
        faults.append(f"{100 * confused:.0f} % of the lesion that is found given another class")
    return tuple(faults)
