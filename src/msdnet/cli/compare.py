"""`msdnet compare`: what has changed between results of one person."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from msdnet.cli.console import progress_bar

if TYPE_CHECKING:
    from msdnet.follow_up import FollowUp

STAGES = {"read": "Reading", "align": "Laying scans over each other", "report": "Report"}


def compare(arguments: argparse.Namespace) -> int:
    """`msdnet compare`: changes, maps and a page for two or more results in the order of time."""
    from msdnet.follow_up import compare_results

    with progress_bar(1, quiet=arguments.quiet) as advance:

        def tell(stage: str, share: float) -> None:
            advance(STAGES[stage], share)

        found = compare_results(
            arguments.results,
            arguments.out,
            same_person=arguments.same_person,
            dates=arguments.dates,
            progress=tell,
        )
    if not arguments.quiet:
        _print(found)
    return 0


def _print(found: FollowUp) -> None:
    from msdnet.quantification.follow_up.timepoint import SCAN, VOLUME
    from msdnet.reporting.follow_up.words import format_band, format_change, titles_of
    from msdnet.reporting.numbers import format_ml
    from msdnet.reporting.texts import TEXTS

    titles = titles_of(found.points[0].schema)
    changes = {c.class_name: c for c in found.changes if (c.region, c.measure) == (SCAN, VOLUME)}
    width = max(len(title) for title in titles.values())
    print(f"{'':{width}}  {'first, ml':>9}  {'last, ml':>9}  {'change':>8}  band of the technique")
    for name, title in titles.items():
        change = changes[name]
        if change.band_percent is None:
            band = TEXTS["no_band"].format(reason=TEXTS[f"reason_{change.band_absent}"])
        else:
            band = format_band(change) + (", beyond it" if change.is_beyond_band else ", within it")
        volumes = "  ".join(f"{format_ml(ml):>9}" for ml in (change.before, change.after))
        print(f"{title:{width}}  {volumes}  {format_change(change):>8}  {band}")
    for note in found.notes:
        print(f"Note: {note}")
    print(f"Report: {found.report}")
