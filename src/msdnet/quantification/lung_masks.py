"""Masks of the lungs from other programs: which number means what, by the name of the scheme."""

from __future__ import annotations

from typing import Any

import numpy as np

from msdnet.errors import OptionError, SchemaError
from msdnet.labels import LUNG_SCHEMES
from msdnet.quantification.lungs import LEFT, RIGHT, Lungs, part_lungs
from msdnet.quantification.regions import LOBES

Array = np.ndarray[Any, Any]

_LOBE = {name: number for number, name in enumerate(LOBES, start=1)}

_OTHERS_ALLOWED = ("totalsegmentator",)


def lungs_from_mask(
    mask: Array, scheme: str, hu: Array, spacing_mm: tuple[float, float, float]
) -> tuple[Lungs, Array | None]:
    """The lungs, and the lobes by the numbers of `LOBES` where the scheme has them.

    Shapes: mask, hu (S, H, W) -> lobes (S, H, W) uint8.

    Args:
        mask: On canonical axes.
        scheme: A name in `LUNG_SCHEMES`.
        hu: The scan, which tells the sides of a binary mask.
        spacing_mm: Between slices, rows and columns.

    Raises:
        OptionError: if there is no such scheme.
        SchemaError: if the mask holds a number that the scheme does not know, or none that it knows.
    """
    if scheme not in LUNG_SCHEMES:
        raise OptionError(
            f"unknown scheme of lung masks {scheme!r}",
            got=scheme,
            expected=", ".join(LUNG_SCHEMES),
            do="choose one of these",
        )
    meaning = LUNG_SCHEMES[scheme]
    found = [int(n) for n in np.unique(mask) if n]
    unknown = [] if scheme in _OTHERS_ALLOWED else [n for n in found if n not in meaning]
    if unknown or not set(found) & set(meaning):
        raise SchemaError(
            f"the lung mask is not one of the scheme {scheme!r}",
            got=f"numbers {', '.join(map(str, found[:10])) or '0 alone'}",
            expected=", ".join(f"{number} {part.replace('_', ' ')}" for number, part in meaning.items()),
            do="pass the scheme of the program that made it with --lung-scheme",
        )
    if scheme == "binary":
        return Lungs(part_lungs(mask > 0, hu, spacing_mm)), None
    lobes = np.zeros(mask.shape, dtype=np.uint8)
    sides = np.zeros(mask.shape, dtype=np.uint8)
    for number, part in meaning.items():
        here = mask == number
        sides[here] = RIGHT if part.startswith("right") else LEFT
        lobes[here] = _LOBE.get(part, 0)
    return Lungs(sides), lobes if lobes.any() else None
