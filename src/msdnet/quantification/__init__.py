"""Figures drawn from labels: how much of each class, where in the lungs and along the scan, how dense, how severe."""

from msdnet.quantification.lesions import LesionMeasure, count_lesion_voxels, measure_lesions
from msdnet.quantification.lung_measures import LungMeasures
from msdnet.quantification.scan_lungs import ScanLungs, measure_scan_lungs

__all__ = [
    "LesionMeasure",
    "LungMeasures",
    "ScanLungs",
    "count_lesion_voxels",
    "measure_lesions",
    "measure_scan_lungs",
]
