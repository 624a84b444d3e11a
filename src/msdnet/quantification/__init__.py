"""Figures drawn from labels: how much of each class, where in the lungs and along the scan, how dense, how severe."""

from msdnet.quantification.lesions import LesionMeasure, count_lesion_voxels, measure_lesions

__all__ = ["LesionMeasure", "count_lesion_voxels", "measure_lesions"]
