"""Runs a subcommand and turns what it raises into words and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from msdnet.cli.console import complain, report_failure, silent_libraries, termination_as_exit
from msdnet.cli.parser import build_parser, with_joined_values
from msdnet.errors import MsdnetError, OptionError

_NOTHING_LEFT = "nothing unfinished was left in the output folder"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The words after `msdnet`; those of the process by default.

    Returns:
        The exit code: 0, 2 where an input or option is at fault, 1 for any other error, 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal or pipe that lacks a character must not end a run
    try:
        arguments = build_parser().parse_args(with_joined_values(sys.argv[1:] if argv is None else list(argv)))
    except MsdnetError as error:
        complain(str(error))
        return error.exit_code
    try:
        with termination_as_exit(), contextlib.nullcontext() if arguments.debug else silent_libraries():
            code: int = arguments.run(arguments)
            sys.stdout.flush()
            return code
    except MsdnetError as error:
        report_failure(error, arguments.debug)
        return error.exit_code
    except KeyboardInterrupt:
        complain(f"stopped; {getattr(arguments, 'when_stopped', _NOTHING_LEFT)}")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        told = _of_the_output(error, arguments)
        report_failure(told or error, arguments.debug)
        return told.exit_code if told else 1
    except Exception as error:  # noqa: BLE001 -- the last line of defence of the command
        report_failure(error, arguments.debug)
        return 1


def _of_the_output(error: OSError, arguments: argparse.Namespace) -> OptionError | None:
    """The error of an output that cannot be written; None where it is about something else."""
    out, place = getattr(arguments, "out", None), error.filename
    if out is None or not isinstance(place, str):
        return None
    if Path(out).absolute() not in (Path(place).absolute(), *Path(place).absolute().parents):
        return None
    return OptionError(
        "the output folder cannot be written",
        got=f"{error.strerror or type(error).__name__} at {place}",
        expected="a place where you may write, with enough room",
        do="choose another folder with -o, or free some space",
    )
