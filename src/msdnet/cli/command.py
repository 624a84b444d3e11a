"""Runs a subcommand and turns what it raises into words and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from msdnet.cli.console import complain, report_failure, silent_libraries, termination_as_exit
from msdnet.cli.parser import build_parser, with_joined_values
from msdnet.errors import MsdnetError


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
        complain("stopped; nothing unfinished was left in the output folder")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 -- the last line of defence of the command
        report_failure(error, arguments.debug)
        return 1
