"""A synthetic chest CT made by code and a seed alone, its truth known: for the demo and for tests without real data."""

from msdnet.data.phantom.dicom import write_phantom_dicom
from msdnet.data.phantom.painting import Phantom, make_phantom, to_scan

__all__ = ["Phantom", "make_phantom", "to_scan", "write_phantom_dicom"]
