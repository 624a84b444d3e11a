"""A scan with a known lesion, on any grid, and the segmentation of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset

from msdnet.labels import get_schema
from msdnet.prediction import Segmentation
from msdnet.scans.scan import Scan, Source


def _patient() -> Dataset:
    dataset = Dataset()
    dataset.PatientName = "Plantedsurname^Plantedgiven"
    dataset.PatientID = "PID-4711"
    dataset.StudyDate = "20200317"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    return dataset


@pytest.fixture
def make_segmentation() -> Callable[..., Segmentation]:
    """A function that makes a body of 20 slices of 60 x 80 voxels with a lesion in the patient's right half."""

    def make(
        *, kind="dicom", marked=True, orientation="HPL", grey=False, spacing_known=True, orientation_known=True,
        num_slices=20, spacing=(2.0, 1.5, 0.75), notes=(), schema="ggo-consolidation", skipped=(),
        pixel_spacing_stated=False,
    ):  # fmt: skip
        affine = np.diag([0.0, 0.0, 0.0, 1.0])
        affine[2, 0], affine[1, 1], affine[0, 2] = spacing
        affine[:3, 3] = 3.0, 4.0, -50.0
        array = np.full((num_slices, 60, 80), 40, np.int16)
        array[:, :3], array[:, -3:] = -1000, -1000
        array[:, 15:45, 10:38] = array[:, 15:45, 42:70] = -850
        labels = np.zeros(array.shape, np.uint8)
        if marked:
            labels[num_slices // 4 : num_slices // 2 + 1, 20:40, 12:30] = 1
            labels[num_slices // 2, 25:30, 15:20] = 2
        if grey:
            array = ((array + 1000) / 5).astype(np.uint8)
        volume = hd.Volume(array, affine, coordinate_system="PATIENT")
        turned = volume.to_patient_orientation(orientation)
        datasets = (_patient(),) if kind == "dicom" else ()
        source = Source(kind, "plantedgiven-plantedsurname", "ab12" * 16, datasets=datasets)
        scan = Scan(turned, "grey" if grey else "HU", spacing_known, orientation_known, source, notes=notes)
        scan = replace(scan, pixel_spacing_stated=pixel_spacing_stated)
        turned_labels = volume.with_array(labels).to_patient_orientation(orientation).array
        return Segmentation(scan, turned_labels, get_schema(schema), "test-weights", "cd34" * 16, "cpu", skipped)

    return make
