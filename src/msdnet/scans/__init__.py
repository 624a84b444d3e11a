"""Files to scans, and labels back to files.

Each name is imported when it is first used, so that the light modules here stay quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.deferred import deferred

if TYPE_CHECKING:
    from msdnet.scans.inputs import find_scans
    from msdnet.scans.label_writer import write_labels, write_lungs
    from msdnet.scans.privacy import public_name
    from msdnet.scans.reader import read_scan
    from msdnet.scans.scan import Scan, ScanInput, Source

__all__ = ["Scan", "ScanInput", "Source", "find_scans", "public_name", "read_scan", "write_labels", "write_lungs"]

__getattr__ = deferred(
    __name__,
    {
        "Scan": "scan",
        "ScanInput": "scan",
        "Source": "scan",
        "find_scans": "inputs",
        "public_name": "privacy",
        "read_scan": "reader",
        "write_labels": "label_writer",
        "write_lungs": "label_writer",
    },
)
