"""Scans in, label maps out.

Each name is imported when it is first used, so that the light modules here stay quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.deferred import deferred

if TYPE_CHECKING:
    from msdnet.prediction.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]

__getattr__ = deferred(
    __name__,
    {"Segmentation": "segmenter", "Segmenter": "segmenter"},
)
