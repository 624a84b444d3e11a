"""Figures drawn from labels: how much of each class, where along the scan, and how dense."""

from msdnet.quantification.lesions import LesionMeasure, count_lesion_voxels, measure_lesions

__all__ = ["LesionMeasure", "count_lesion_voxels", "measure_lesions"]
