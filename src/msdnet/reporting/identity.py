"""Who was scanned and when, in words, for a report that is asked to say so. It then holds patient data."""

from __future__ import annotations

import datetime

from msdnet.errors import OptionError
from msdnet.reporting.texts import TEXTS
from msdnet.scans.privacy import stated_values
from msdnet.scans.scan import Scan

_FIELDS = {
    "identity_name": ("PatientName", "OtherPatientNames"),
    "identity_number": ("PatientID", "OtherPatientIDs"),
    "identity_born": ("PatientBirthDate",),
    "identity_sex": ("PatientSex",),
    "identity_scanned": ("AcquisitionDate", "SeriesDate", "StudyDate"),
    "identity_accession": ("AccessionNumber",),
}


def identity_of(scan: Scan) -> tuple[tuple[str, str], ...]:
    """Titles and values of what a DICOM header states of patient and study; dates as 2024-03-01.

    Raises:
        OptionError: if the scan has no DICOM header, or its header names nobody.
    """
    header = scan.source.datasets[0] if scan.source.datasets else None
    found = []
    for key, keywords in _FIELDS.items() if header is not None else ():
        values = next((v for v in (stated_values(header, keyword) for keyword in keywords) if v), [])
        words = [" ".join(part for part in value.split("^") if part) for value in values]
        if "Date" in keywords[0]:
            words = [_as_date(word) for word in words]
        if any(words):
            found.append((TEXTS[key], " = ".join(word for word in words if word)))
    if not {TEXTS["identity_name"], TEXTS["identity_number"]} & {title for title, _ in found}:
        raise OptionError(
            "the report cannot name the patient",
            got="a scan that states neither name nor number",
            expected="a DICOM series that does",
            do="leave out --identify",
        )
    return tuple(found)


def _as_date(value: str) -> str:
    try:
        return datetime.datetime.strptime(value, "%Y%m%d").replace(tzinfo=datetime.UTC).date().isoformat()
    except ValueError:
        return value
