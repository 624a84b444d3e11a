"""The folder of a result: whether it can be written, and its change all at once. Light: a refusal comes at once."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from msdnet.errors import OptionError, OutputError
from msdnet.files import RUN_RECORD, alone_in, read_run_record

_DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_EXPECTED = "a new folder, an empty one, or an earlier result of msdnet"


def check_out(out: Path) -> None:
    """Refuses a result folder that cannot be written without touching what is not ours.

    It may be absent, empty, or an earlier result of msdnet to which nothing was added.

    Raises:
        OptionError: otherwise; the message names what is in the way.
    """
    check_writable(out)
    try:
        foreign = _foreign_entries(out)
    except OSError as error:
        raise _not_writable(out, error) from error
    if foreign:
        more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
        raise OptionError(
            "the output folder holds files that msdnet did not write; they would be lost or mixed with the result",
            got=f"{', '.join(foreign[:3])}{more} in {out}",
            expected=_EXPECTED,
            do="choose another folder with -o, or move these files elsewhere",
        )


def check_writable(out: Path) -> None:
    """Refuses a folder in whose place nothing can be written: makes a folder in the nearest one there, and removes it.

    Asking for the permission is not enough: the superuser has it everywhere, even where no file can be made.

    Raises:
        OptionError: if it is a file, lies below one, or cannot be written.
    """
    places = (out.absolute(), *out.absolute().parents)
    existing = next(place for place in places if _exists(place))
    if not existing.is_dir():
        raise OptionError(
            "the output is not a folder",
            got=f"a file named {existing}",
            expected=_EXPECTED,
            do="choose another name with -o",
        )
    resolved = out.resolve()
    place = _place_of_unfinished(resolved) if existing == out.absolute() else existing
    try:
        probe = place / _unfinished_name(resolved)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _not_writable(out, error) from error


@contextlib.contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `out` when the block ends well, and vanishes when it does not.

    Both lie on one file system, so that the change is a rename. Where `out` itself cannot be renamed (a mount point,
    the working folder) the files are moved into it one by one, run.json last. A process that is killed outright
    leaves a folder named `<out>.unfinished-*` behind, never a half-written `out`; the next call removes it.

    Raises:
        OutputError: if the disk is full or the folder cannot be written.
    """
    out = out.resolve()
    place = _place_of_unfinished(out)
    unfinished = place / _unfinished_name(out)
    try:
        place.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out, place)
        unfinished.mkdir()
        with alone_in(unfinished, wait=False):
            yield unfinished
            _move_into_place(unfinished, out, fixed=place == out)
    except OSError as error:
        raise OutputError(
            "the result could not be written",
            got=error.strerror or type(error).__name__,
            expected="a folder that can be written and enough free space",
            do="free some space or choose another folder with -o",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _place_of_unfinished(out: Path) -> Path:
    """Where the unfinished folder lies: beside `out`, or in it where it cannot be renamed."""
    fixed = out.exists() and (os.path.ismount(out) or out == Path.cwd() or not os.access(out.parent, os.W_OK))
    return out if fixed else out.parent


def _exists(place: Path) -> bool:
    """Whether it is there; not where the way to it is barred."""
    try:
        return place.exists()
    except OSError:
        return False


def _unfinished_name(out: Path) -> str:
    return f"{out.name}.unfinished-{secrets.token_hex(4)}"


def _is_unfinished(entry: Path, out: Path) -> bool:
    """Whether a folder is named as `_unfinished_name` does it for this result, to the letter."""
    named = re.fullmatch(re.escape(out.name) + r"\.unfinished-[0-9a-f]{8}", entry.name) is not None
    return named and entry.is_dir() and not entry.is_symlink()


def _remove_leftovers(out: Path, place: Path) -> None:
    """Removes the unfinished folders of runs into the same `out` that were killed."""
    for entry in list(place.iterdir()):
        if _is_unfinished(entry, out):
            with alone_in(entry, wait=False) as alone:
                if alone:
                    shutil.rmtree(entry, ignore_errors=True)


def _move_into_place(unfinished: Path, out: Path, *, fixed: bool) -> None:
    if fixed:
        for entry in out.iterdir():
            if entry != unfinished:
                entry.unlink()
        for entry in sorted(unfinished.iterdir(), key=lambda path: path.name == RUN_RECORD):
            entry.rename(out / entry.name)
    elif out.exists():
        retired = out.with_name(f"{out.name}.replaced-{secrets.token_hex(4)}")
        out.rename(retired)
        try:
            unfinished.rename(out)
        except BaseException:
            retired.rename(out)
            raise
        shutil.rmtree(retired, ignore_errors=True)
    else:
        unfinished.rename(out)


def _foreign_entries(out: Path) -> list[str]:
    """The names in the folder that are not part of a whole result of msdnet."""
    if not out.is_dir():
        return []
    record = read_run_record(out)
    ours = set(record["files"].values()) | _DROPPINGS if record else _DROPPINGS
    entries = [entry for entry in out.iterdir() if not _is_unfinished(entry, out.resolve())]
    return sorted(entry.name for entry in entries if entry.name not in ours or entry.is_dir())


def _not_writable(out: Path, error: OSError) -> OptionError:
    return OptionError(
        "the output folder cannot be written",
        got=f"{error.strerror or type(error).__name__} at {out}",
        expected="a place where you may write",
        do="choose another folder with -o",
    )
