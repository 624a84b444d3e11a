"""write_phantom_dicom: a phantom as a valid DICOM CT series that says plainly that it is synthetic."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from msdnet.data.phantom.painting import Phantom
from msdnet.errors import OptionError

INTERCEPT_HU = -1024
DATE, TIME = "20200101", "120000"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "phantom.msdnet.invalid")


def write_phantom_dicom(phantom: Phantom, folder: str | Path) -> list[Path]:
    """The files written, one per slice, from feet to head: a CT series, uncompressed, explicit little endian.

    The patient, the study and the frame of reference follow from the seed; the series and its images from the
    voxels too, so that two different images never share a UID.

    Args:
        phantom: What to write.
        folder: Where; made if it is absent. Files of an earlier phantom with the same number of slices are replaced.

    Raises:
        OptionError: if the folder holds anything else, or is a file.
    """
    folder = Path(folder)
    num_slices = len(phantom.voxels_hu)
    paths = [folder / f"slice-{index + 1:04d}.dcm" for index in range(num_slices)]
    _check(folder, {path.name for path in paths})
    folder.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256(phantom.voxels_hu.tobytes() + repr(phantom.spacing_mm).encode()).hexdigest()
    for index, path in enumerate(paths):
        _slice_dataset(phantom, index, content).save_as(path, enforce_file_format=True)
    return paths


def _slice_dataset(phantom: Phantom, index: int, content: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = _uid("image", phantom.seed, content, index)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID

    ds.PatientName, ds.PatientID = "PHANTOM^SYNTHETIC", f"PHANTOM-{phantom.seed:04d}"
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.PatientComments = "Synthetic image made by code. Not a person."

    ds.StudyInstanceUID, ds.StudyID = _uid("study", phantom.seed), "1"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = TIME
    ds.StudyDescription, ds.SeriesDescription = "Synthetic chest CT", "Phantom, axial"
    ds.ReferringPhysicianName = ds.AccessionNumber = ""

    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "CT", _uid("series", phantom.seed, content), 1
    ds.PatientPosition, ds.BodyPartExamined = "HFS", "CHEST"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = _uid("frame", phantom.seed), ""
    ds.Manufacturer, ds.ManufacturerModelName = "msdnet", "phantom"

    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber, ds.InstanceNumber = 1, index + 1
    ds.PatientOrientation = ["L", "P"]
    ds.ImageComments, ds.BurnedInAnnotation = "Synthetic image, not a patient", "NO"
    ds.KVP, ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "120", str(INTERCEPT_HU), "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "-600", "1500"

    dz, dy, dx = phantom.spacing_mm
    x, y, z = phantom.origin_mm
    ds.PixelSpacing, ds.SliceThickness = [_decimal(dy), _decimal(dx)], _decimal(phantom.slab_mm)
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = [_decimal(x), _decimal(y), _decimal(z + index * dz)]
    ds.SliceLocation = ds.ImagePositionPatient[2]

    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = phantom.voxels_hu.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    stored = phantom.voxels_hu[index].astype(np.int32) - INTERCEPT_HU
    ds.PixelData = stored.astype("<u2").tobytes()
    return ds


def _uid(*parts: object) -> UID:
    """A UID under the root 2.25, always the same for the same parts."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}")


def _decimal(value: float) -> str:
    """A number as DICOM's decimal string of at most 16 characters."""
    return f"{round(value, 6):.10g}"


def _check(folder: Path, names: set[str]) -> None:
    if folder.exists() and not folder.is_dir():
        found = "a file of that name"
    else:
        others = sorted(p.name for p in folder.iterdir() if p.name not in names) if folder.exists() else []
        found = f"{len(others)} other entries, the first {others[0]!r}" if others else ""
    if found:
        raise OptionError(
            "the phantom's folder cannot be used",
            got=found,
            expected="a folder that is new, empty, or holds an earlier phantom with as many slices",
            do="choose another folder",
        )
