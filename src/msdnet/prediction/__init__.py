"""Scans in, label maps out."""

from __future__ import annotations

from msdnet.prediction.segmenter import Segmentation, Segmenter

__all__ = ["Segmentation", "Segmenter"]
