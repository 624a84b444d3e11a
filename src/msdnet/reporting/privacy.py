"""Keeps the patient out of the sentences that other stations write about a scan."""

from __future__ import annotations

import re

from msdnet.scans.scan import Scan

_REMOVED = "[removed]"
_UID = re.compile(r"\b\d+(?:\.\d+){5,}\b")
_NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
_NUMBERS = ("PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID")
_DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


def without_patient_data(note: str, scan: Scan) -> str:
    """The sentence with UIDs, dates and everything that names the patient replaced by `[removed]`.

    Of the DICOM header count names in whole and in parts, numbers, and dates as DICOM writes them.
    """
    note = _UID.sub(_REMOVED, note)
    for word in sorted(_personal_words(scan), key=len, reverse=True):
        note = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", _REMOVED, note, flags=re.IGNORECASE)
    return note


def _personal_words(scan: Scan) -> set[str]:
    found: set[str] = set()
    for dataset in scan.source.datasets[:1]:
        names = [str(dataset.get(keyword) or "") for keyword in _NAMES]
        parts = [part for name in names for part in re.split(r"[\W_]+", name) if len(part) > 1 and not part.isdigit()]
        others = [str(dataset.get(keyword) or "") for keyword in _NUMBERS + _DATES]
        # A number of three digits or fewer tells nobody apart, and would tear holes into counts.
        found.update(parts, (name for name in names if name), (value for value in others if len(value) > 3))
    return found
