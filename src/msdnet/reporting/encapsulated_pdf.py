"""report.dcm: the PDF of the report in the patient's study, for archives that show documents and no SR."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian

from msdnet.scans.dicom_files import quiet_pydicom
from msdnet.scans.dicom_repeat import product_version, take_times_of, uid_of

SERIES_NUMBER = 9_107
_OF_STUDY = (
    "SpecificCharacterSet",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)


def write_encapsulated_pdf(pdf: Path, segmentation: Path, path: Path) -> None:
    """Writes the PDF as DICOM; the same bytes for the same report.

    Args:
        pdf: The report.
        segmentation: The DICOM SEG beside it, whose patient and study the document takes.
        path: Where to write.
    """
    content = pdf.read_bytes()
    with quiet_pydicom():
        source = pydicom.dcmread(segmentation, stop_before_pixels=True)
        seed = hashlib.sha256(content + str(source.SOPInstanceUID).encode()).hexdigest()
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
        meta.MediaStorageSOPInstanceUID = UID(uid_of(seed, "instance"))
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        document = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        for keyword in _OF_STUDY:
            if keyword in source:
                document[keyword] = source[keyword]
        contents: dict[str, Any] = {
            "SOPClassUID": EncapsulatedPDFStorage,
            "SOPInstanceUID": uid_of(seed, "instance"),
            "SeriesInstanceUID": uid_of(seed, "series"),
            "Modality": "DOC",
            "SeriesNumber": SERIES_NUMBER,
            "InstanceNumber": 1,
            "SeriesDescription": "msdnet report. Research use only",
            "DocumentTitle": "COVID-19 lesions on chest CT",
            "Manufacturer": "msdnet",
            "ManufacturerModelName": "msdnet",
            "SoftwareVersions": product_version(),
            "DeviceSerialNumber": str(source.get("DeviceSerialNumber", "0")),
            "ConversionType": "WSD",
            "BurnedInAnnotation": "NO",
            "ConceptNameCodeSequence": [],
            "ContentDate": "",
            "ContentTime": "",
            "AcquisitionDateTime": "",
            "MIMETypeOfEncapsulatedDocument": "application/pdf",
            "EncapsulatedDocument": content + b"\0" * (len(content) % 2),
            "EncapsulatedDocumentLength": len(content),
        }
        for keyword, value in contents.items():
            setattr(document, keyword, value)
        take_times_of(source, document)
        document.save_as(path, enforce_file_format=True)
