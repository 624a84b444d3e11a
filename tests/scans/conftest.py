"""Small DICOM series, volumes and pictures for the tests of `msdnet.scans`, made in code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
_ROOT = "1.2.826.0.1.3680043.8.498.1"


def chest_hu(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Int16 HU: air around, tissue with noise in the middle, lung within it; no symmetry, so that a flip shows."""
    rng = np.random.default_rng(seed)
    voxels = np.full(shape, -1000, dtype=np.int16)
    body = tuple(slice(n // 8, n - n // 8) if n > 4 else slice(None) for n in shape)
    voxels[body] = rng.integers(-50, 120, voxels[body].shape)
    lung = tuple(slice(n // 4, n // 2) if n > 4 else slice(None) for n in shape)
    voxels[lung] = rng.integers(-900, -700, voxels[lung].shape)
    return voxels


def make_slices(
    hu: np.ndarray | None = None,
    *,
    origin: tuple[float, float, float] = (-20.0, -30.0, 40.0),
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    spacing: tuple[float, float, float] = (2.5, 0.7, 0.8),
    series: int = 1,
    **changes: Any,
) -> list[Dataset]:
    """CT slices in the order of their position along the normal; `changes` sets attributes, None deletes one."""
    hu = chest_hu((6, 32, 24)) if hu is None else hu
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    slices = []
    for k, pixels in enumerate(hu):
        d = Dataset()
        d.file_meta = FileMetaDataset()
        d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        d.SOPClassUID = d.file_meta.MediaStorageSOPClassUID = CT_IMAGE
        d.SOPInstanceUID = d.file_meta.MediaStorageSOPInstanceUID = f"{_ROOT}.{series}.{k + 1}"
        d.StudyInstanceUID, d.SeriesInstanceUID = f"{_ROOT}.100", f"{_ROOT}.{series}"
        d.FrameOfReferenceUID = f"{_ROOT}.200"
        d.Modality, d.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        d.PatientName, d.PatientID, d.PatientSex = "Sample^Quintus", "PID-4711", "O"
        d.PatientBirthDate, d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = "", "20200102", "101112", "7", ""
        d.ReferringPhysicianName, d.SeriesNumber, d.InstanceNumber = "", series, k + 1
        d.Manufacturer = "none"
        d.ImagePositionPatient = [float(v) for v in np.array(origin) + np.cross(row, column) * spacing[0] * k]
        d.ImageOrientationPatient = [float(v) for v in orientation]
        d.PixelSpacing, d.SliceThickness = [spacing[1], spacing[2]], spacing[0]
        d.PositionReferenceIndicator = ""
        d.Rows, d.Columns = pixels.shape
        d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 1, -1024, "HU"
        d.PixelData = (pixels.astype(np.int16) + 1024).astype("<i2").tobytes()
        for keyword, value in changes.items():
            if value is None:
                del d[keyword]
            else:
                setattr(d, keyword, value)
        slices.append(d)
    return slices


def write_slices(slices: list[Dataset], folder: Path, prefix: str = "slice") -> list[Path]:
    """Writes the slices in an order by name that is not their order by position."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, d in enumerate(slices):
        path = folder / f"{prefix}{(k * 7) % 10}{k:03d}.dcm"
        d.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def some_labels(shape: tuple[int, ...]) -> np.ndarray:
    """Labels of two classes that no flip or swap of axes leaves alone."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[tuple(slice(0, max(1, n // 3)) for n in shape)] = 1
    labels[tuple(slice(-max(1, n // 4), None) for n in shape)] = 2
    return labels


@pytest.fixture(scope="session")
def ct() -> SimpleNamespace:
    """The functions of this file: `ct.chest_hu`, `ct.make_slices`, `ct.write_slices`, `ct.some_labels`."""
    return SimpleNamespace(
        chest_hu=chest_hu, make_slices=make_slices, write_slices=write_slices, some_labels=some_labels
    )
