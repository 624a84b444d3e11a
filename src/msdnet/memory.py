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
    service or a cluster's job (control groups, version 1 or 2), and that of its address space (ulimit -v). Files that
    are held in memory count as free.
    """
    told = _kilobytes(root / "proc/meminfo", "MemAvailable")
    if told is None:
        return None
    return max(0, round(min([told * _KB, *_left_of_limits(root), *_left_of_addresses(root)]) / 1e6))


def _kilobytes(path: Path, name: str) -> int | None:
    """The number that a line "name: 123 kB" states."""
    for line in _lines(path):
        if line.startswith(f"{name}:"):
            with contextlib.suppress(ValueError, IndexError):
                return int(line.split()[1])
    return None


def _left_of_addresses(root: Path) -> Iterator[int]:
    """Bytes left of the limit on the addresses that this process may ask for, as some clusters' jobs have it."""
    taken = _kilobytes(root / _STATUS, "VmSize")
    for line in _lines(root / "proc/self/limits"):
        if line.startswith("Max address space") and taken is not None:
            with contextlib.suppress(ValueError, IndexError):  # "unlimited"
                yield int(line.removeprefix("Max address space").split()[0]) - taken * _KB


def _left_of_limits(root: Path) -> Iterator[int]:
    """Bytes left of each limit that holds for this process."""
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controllers == "":
            for limit in ("memory.max", "memory.high"):  # beyond the latter it is slowed down until nothing moves
                yield from _left_of_groups(root / "sys/fs/cgroup", path, limit, "memory.current", ("file", "shmem"))
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes"
            yield from _left_of_groups(root / "sys/fs/cgroup/memory", path, *names, ("total_cache", "total_shmem"))


def _left_of_groups(top: Path, path: str, limit: str, usage: str, kinds: tuple[str, str]) -> Iterator[int]:
    """Bytes left in a group and in those it lies in; a container sees its own group as the topmost.

    Args:
        top: Where groups lie.
        path: Of the process's own.
        limit: Name of the file with the limit.
        usage: Of that with what is used.
        kinds: What of this are files, and which of these the system cannot drop (RAM disks, shared memory).
    """
    inner = top / path.strip("/")
    for group in (inner, *inner.parents):
        with contextlib.suppress(IndexError, ValueError):  # no such group here, or "max": no limit
            most, used = (int(_lines(group / name)[0]) for name in (limit, usage))
            told = dict(line.split()[:2] for line in _lines(group / "memory.stat") if len(line.split()) == 2)
            files, kept = (int(told.get(kind, "0")) for kind in kinds)
            yield most - used + max(0, files - kept)
        if group == top:
            return


def _lines(path: Path) -> list[str]:
    """A file's lines; none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
