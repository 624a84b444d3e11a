"""How the command speaks: errors, one progress bar for the whole, and silence of the libraries."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import NoReturn

from msdnet.errors import MsdnetError

LINE_SECONDS, CHANGE_SECONDS = 60.0, 10.0  # between two lines of progress, and where something else is being done


@contextlib.contextmanager
def progress_bar(total: float, *, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """One bar for the whole, with the time left, on a terminal's standard error; elsewhere a line of text now and then.

    Gives a function that takes what is being done, and how much of the total is done.
    """
    if quiet:
        yield lambda doing, completed: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _spaced_lines(total)
        return
    columns = (TextColumn("{task.description:10}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Loading", total=total)

        def advance(doing: str, completed: float) -> None:
            progress.update(task, completed=completed, description=doing)

        yield advance


def _spaced_lines(total: float) -> Callable[[str, float], None]:
    """Prints once a minute, and sooner where something else is being done; nothing for what is over in seconds."""
    told_at, told = time.monotonic(), ""

    def advance(doing: str, completed: float) -> None:
        nonlocal told_at, told
        now = time.monotonic()
        waited = now - told_at
        if waited >= LINE_SECONDS or (doing != told and waited >= CHANGE_SECONDS):
            told_at, told = now, doing
            print(f"msdnet: {doing}, {100 * completed / total:.0f} % of the whole done", file=sys.stderr, flush=True)

    return advance


def complain(words: str) -> None:
    """One message on standard error."""
    print(f"msdnet: {words}", file=sys.stderr)


def report_failure(error: Exception, debug: bool, *, name: str = "") -> None:
    """Says what failed and what to do; with debug its traceback first."""
    if debug:
        traceback.print_exception(error)
    before = f"{name}: " if name else ""
    if isinstance(error, MsdnetError):
        complain(f"{before}{error}")
    else:
        detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        complain(f"{before}unexpected error\n  got:      {detail}\n  do:       run again with --debug and report it")


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """No warnings and log lines of other libraries: they may quote DICOM values, and with them the patient."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def termination_as_exit() -> Iterator[None]:
    """Lets a polite kill (SIGTERM) unwind, so that unfinished folders are removed."""

    def leave(signum: int, frame: object) -> NoReturn:
        raise SystemExit(128 + signum)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
