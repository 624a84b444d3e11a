"""`msdnet compare`: what has changed between results of one person."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from msdnet.cli.console import progress_bar
from msdnet.labels import ANY_LESION

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
    from msdnet.reporting.numbers import format_ml

    titles = {c.name: c.title for c in found.points[0].schema.classes} | {ANY_LESION: "All lesions"}
    width = max(len(title) for title in titles.values())
    print(f"{'':{width}}  {'first, ml':>9}  {'last, ml':>9}  {'change':>8}  band of the technique")
    for change in found.changes:
        if (change.region, change.measure) != (SCAN, VOLUME):
            continue
        percent = "-" if change.change_percent is None else f"{change.change_percent:+.0f} %"
        band = "not known"
        if change.band_percent is not None:
            band = "{:+.0f} to {:+.0f} %".format(*change.band_percent)
            band += ", beyond it" if change.is_beyond_band else ", within it"
        volumes = "  ".join(f"{format_ml(ml):>9}" for ml in (change.before, change.after))
        print(f"{titles[change.class_name]:{width}}  {volumes}  {percent:>8}  {band}")
    for note in found.notes:
        print(f"Note: {note}")
    print(f"Report: {found.report}")
