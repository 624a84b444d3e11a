"""What a person keeps of a result: tables, a picture, a page, and the record of how it was made.

Each name is imported when it is first used, so that the light modules here stay quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.deferred import deferred

if TYPE_CHECKING:
    from msdnet.reporting.html import write_report
    from msdnet.reporting.lung_tables import join_scan_lines, write_lung_tables
    from msdnet.reporting.measures import write_measures, write_repeatability
    from msdnet.reporting.overview import draw_overview
    from msdnet.reporting.preview import write_preview
    from msdnet.reporting.run_record import write_run_record

__all__ = [
    "draw_overview",
    "join_scan_lines",
    "write_lung_tables",
    "write_measures",
    "write_preview",
    "write_repeatability",
    "write_report",
    "write_run_record",
]

__getattr__ = deferred(
    __name__,
    {
        "draw_overview": "overview",
        "join_scan_lines": "lung_tables",
        "write_lung_tables": "lung_tables",
        "write_measures": "measures",
        "write_preview": "preview",
        "write_repeatability": "measures",
        "write_report": "html",
        "write_run_record": "run_record",
    },
)
