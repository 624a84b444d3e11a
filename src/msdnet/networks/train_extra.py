"""The packages that the rivals are built from, named where they are absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msdnet.errors import MissingExtraError


@contextmanager
def train_extra() -> Iterator[None]:
    """A block in which a module that is not there is named together with the extra that brings it.

    Raises:
        MissingExtraError: if a module is not there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "this network needs packages that are not installed",
            got=f"no module {error.name!r}",
            expected='the extra "train"',
            do='install it: pip install "msdnet[train]"',
        ) from error
