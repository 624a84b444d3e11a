"""Names that a package imports when they are first used, so that its light modules stay quick to import."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def deferred(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose names lie in these modules of it.

    Args:
        package: The package's `__name__`.
        homes: Name -> module below the package.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return get
