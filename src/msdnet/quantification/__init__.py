"""Figures drawn from labels: how much of each class, where along the scan, and how dense."""

from msdnet.quantification.axial import axial_view
from msdnet.quantification.lesions import LesionMeasure, count_lesion_voxels, measure_lesions

__all__ = ["LesionMeasure", "axial_view", "count_lesion_voxels", "measure_lesions"]
