"""What of a DICOM header identifies the patient, and a name for a scan that tells nothing about the patient."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from msdnet.scans.scan import Scan

_DIGEST_LENGTH = 12

NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
PATIENT_NUMBERS = ("PatientID", "OtherPatientIDs")
STUDY_NUMBERS = ("AccessionNumber", "StudyID")
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def public_name(scan: Scan) -> str:
    """The scan's name, or the start of its digest where the name holds something that identifies the patient.

    Compared without regard to case, accents and separators: the patient's name, its parts, the patient's ID, and other
    IDs, dates and UIDs of the DICOM header. Values or parts of four characters or more count wherever they occur in
    the name; shorter parts of name or ID as a word of their own. For volumes and pictures nothing is known: the name
    is kept.
    """
    name = _letters(scan.source.name)
    words = set(re.findall(r"[^\W_]+", name))
    joined = "".join(re.findall(r"[^\W_]+", name))
    headers = scan.source.datasets[:1] + scan.source.datasets[-1:]
    for value in (v for header in headers for v in _identifying(header)):
        if value in joined if len(value) >= 4 else value in words:
            return scan.source.digest[:_DIGEST_LENGTH]
    return scan.source.name


def stated_values(header: Any, keyword: str) -> list[str]:
    """Every value of an element as text: each of several, and each writing of a person's name; none if it is empty."""
    return _values(header.get(keyword))


def _identifying(header: Any) -> Iterator[str]:
    for keyword in (*NAMES, *PATIENT_NUMBERS, *STUDY_NUMBERS, *DATES, *UIDS):
        for value in stated_values(header, keyword):
            parts = re.findall(r"[^\W_]+", _letters(value))
            wholes = ["".join(parts), "".join(reversed(parts))]
            if keyword in NAMES + PATIENT_NUMBERS:
                yield from wholes
                yield from (p for p in parts if len(p) >= 4 or (len(p) >= 2 and not p.isdigit()))
            else:
                yield from (w for w in wholes if len(w) >= 4)


def _values(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if hasattr(value, "alphabetic"):  # a person's name: alphabetic, ideographic and phonetic
        return [v for v in (value.alphabetic, value.ideographic, value.phonetic) if v]
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [str(value)]
    return [text for item in value for text in _values(item)]


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
