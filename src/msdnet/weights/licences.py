"""The licence texts that came with the package, for what is made from its weights to carry."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

LICENCES = ("LICENSE", "LICENSE-WEIGHTS", "NOTICE-DATA")


def read_licence(name: str) -> str:
    """The text of that name in the installed package, or in the source tree; a sentence where it is in neither."""
    with contextlib.suppress(PackageNotFoundError):
        text = distribution("msdnet").read_text(f"licenses/{name}")
        if text is not None:
            return text
    path = Path(__file__).parents[3] / name
    return path.read_text(encoding="utf-8") if path.is_file() else "not part of this installation"


def licences_of(terms: str) -> dict[str, str]:
    """The names of the licence texts that a card's terms name -> the texts."""
    named = [name for name in LICENCES if name in terms.replace(";", " ").replace(".", " ").split()]
    return {name: read_licence(name) for name in named}
