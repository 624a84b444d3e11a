"""Files that are whole or not there, folders in which one process at a time works, and the mark of a result."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUN_RECORD, TOOL = "run.json", "msdnet"
"""The file that marks a folder as a result, and what stands under `tool` in it."""
_CLUTTER = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"}


def read_run_record(folder: Path) -> dict[str, Any] | None:
    """The record of the msdnet result in that folder, or None if the folder holds no such result."""
    try:
        record = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("tool") != TOOL or not isinstance(record.get("files"), dict):
        return None
    return record


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; the file takes the place of `path` when the block ends well.

    Whoever reads `path`, or is killed while writing, finds the file as it was before or as it is after. The folder is
    made where it is missing. What a killed process leaves, NAME.partial, the next one writes over.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.partial")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:  # Ctrl-C, too
        unfinished.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Holds a folder, made where it is missing, against every other process that asks for it in this way.

    Gives whether it is held: with wait=False it may be another's, and where folders cannot be locked (Windows, some
    network drives) it never is. The system lets go of it with the process, however that ends.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except OSError:
            held = False
        yield held
    finally:
        os.close(opened)


def is_clutter(path: Path) -> bool:
    """Whether a file or folder is hidden, or one that a system leaves in every folder it shows."""
    return path.name.startswith(".") or path.name.lower() in _CLUTTER


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
