"""msdnet: COVID-19 lesions on chest CT, from files on disk to masks, measures and a report.

The names below are the public ones. Each is imported when it is first used, so that `msdnet --help` stays fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.deferred import deferred

if TYPE_CHECKING:
    from msdnet.errors import InputError, MsdnetError
    from msdnet.networks import NETWORKS, MSDNet, build_network
    from msdnet.prediction import Segmentation, Segmenter
    from msdnet.scans import Scan, read_scan

__version__ = "0.1.0"

__all__ = [
    "NETWORKS",
    "InputError",
    "MSDNet",
    "MsdnetError",
    "Scan",
    "Segmentation",
    "Segmenter",
    "__version__",
    "build_network",
    "read_scan",
]

__getattr__ = deferred(
    __name__,
    {
        "NETWORKS": "networks",
        "InputError": "errors",
        "MSDNet": "networks",
        "MsdnetError": "errors",
        "Scan": "scans",
        "Segmentation": "prediction",
        "Segmenter": "prediction",
        "build_network": "networks",
        "read_scan": "scans",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
