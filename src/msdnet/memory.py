"""Memory of this process: what it held at the most, what it holds, and what the system could still give it.

All in MB, 10^6 bytes; None where the system does not say.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

_KB = 1024
_STATUS = "proc/self/status"


def peak_memory_mb(root: Path = Path("/")) -> int | None:
    """The most memory this process has held so far.

    On Linux as /proc has it: what getrusage tells there may be the peak of the process that started this one.

    Args:
        root: Where proc and sys lie.
    """
    told = _kilobytes(root / _STATUS, "VmHWM")
    if told is not None:
        return round(told * _KB / 1e6)
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else _KB) / 1e6)


def held_memory_mb(root: Path = Path("/")) -> int | None:
    """What it holds now; known on Linux alone."""
    told = _kilobytes(root / _STATUS, "VmRSS")
    return None if told is None else round(told * _KB / 1e6)


def free_memory_mb(root: Path = Path("/")) -> int | None:
    """What it could still be given without swapping; known on Linux alone.

    The least of what the machine has left and what is left of the limits set on the process: those of a container, a
    service or a cluster's job (control groups, version 1 or 2). Files that are held in memory count as free.
    """
    told = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if told is None:
        return None
    return max(0, round(min([told * _KB, *_left_of_limits(root)]) / 1e6))


def _kilobytes(path: Path, name: str) -> int | None:
    """The number that a line "name: 123 kB" states."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    return None


def _left_of_limits(root: Path) -> Iterator[int]:
    """Bytes left of each limit that holds for this process."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                yield from _left_of_groups(root / "sys/fs/cgroup", path, "memory.max", "memory.current", "file")
            elif "memory" in controllers.split(","):
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"
                yield from _left_of_groups(root / "sys/fs/cgroup/memory", path, *names)


def _left_of_groups(top: Path, path: str, limit: str, usage: str, files: str) -> Iterator[int]:
    """Bytes left in a group and in those it lies in; a container sees its own group as the topmost."""
    inner = top / path.strip("/")
    for group in (inner, *inner.parents):
        with contextlib.suppress(OSError, ValueError):  # no such group here, or "max": no limit
            most = int((group / limit).read_text(encoding="utf-8"))
            used = int((group / usage).read_text(encoding="utf-8"))
            lines = (group / "memory.stat").read_text(encoding="utf-8").splitlines()
            given_back = [int(line.split()[1]) for line in lines if line.split()[:1] == [files]]
            yield most - used + sum(given_back)
        if group == top:
            return
