"""Figures drawn from labels: how much of each class, where in the lungs and along the scan, how dense, how severe."""

from msdnet.quantification.lesions import LesionMeasure, count_lesion_voxels, measure_lesions
from msdnet.quantification.lung_measures import LungMeasures
from msdnet.quantification.scan_lungs import GivenLungs, ScanLungs, check_given_lungs, measure_scan_lungs

__all__ = [
    "GivenLungs",
    "LesionMeasure",
    "LungMeasures",
    "ScanLungs",
    "check_given_lungs",
    "count_lesion_voxels",
    "measure_lesions",
    "measure_scan_lungs",
]
