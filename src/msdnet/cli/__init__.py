"""The command `msdnet`. What a subcommand needs is imported when it runs, so that help and version are fast."""

from __future__ import annotations

from msdnet.cli.command import main

__all__ = ["main"]
