"""Slices one beside the other: for functions that spend their time in SciPy's or NumPy's compiled code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def map_in_threads(function: Callable[..., T], *arguments: Iterable[object]) -> list[T]:
    """The function's results in order, as the built-in `map` gives them, computed by as many threads as torch has."""
    with ThreadPoolExecutor(num_threads()) as pool:
        return list(pool.map(function, *arguments))


def num_threads() -> int:
    """OMP_NUM_THREADS where it is set, as for torch; else the processors that this process may use."""
    stated = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if stated.isdigit() and int(stated) > 0:
        return int(stated)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
