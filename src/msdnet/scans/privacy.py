"""What of a DICOM header identifies the patient, and a name for a scan that tells nothing about the patient."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from msdnet.scans.scan import Scan

_DIGEST_LENGTH = 12
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})

NAMES = ("PatientName", "OtherPatientNames", "PatientBirthName")
PATIENT_NUMBERS = ("PatientID", "OtherPatientIDs")
STUDY_NUMBERS = ("AccessionNumber", "StudyID")
DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def public_name(scan: Scan) -> str:
    """The scan's name, or the start of its digest where the name holds something that identifies the patient.

    Compared without regard to case, accents and separators: the patient's name, its parts, the patient's ID, and other
    IDs, dates and UIDs of the DICOM header. Values or parts of four characters or more count wherever they occur in
    the name, those in Chinese, Japanese or Korean of two or more; other short parts of name or ID as a word of their
    own, which also ends where small letters turn to capitals and letters to digits. For volumes and pictures nothing
    is known: the name is kept.
    """
    words = _words(scan.source.name)
    joined = {"".join(re.findall(r"[^\W_]+", spelling)) for spelling in _spellings(scan.source.name)}
    headers = scan.source.datasets[:1] + scan.source.datasets[-1:]
    for value in (v for header in headers for v in _identifying(header)):
        anywhere = len(value) >= 4 or (len(value) >= 2 and value.upper() == value.lower() and not value.isdigit())
        if any(value in name for name in joined) if anywhere else value in words:
            return scan.source.digest[:_DIGEST_LENGTH]
    return scan.source.name


def stated_values(header: Any, keyword: str) -> list[str]:
    """Every value of an element as text: each of several, and each writing of a person's name; none if it is empty."""
    return _values(header.get(keyword))


def _identifying(header: Any) -> Iterator[str]:
    for keyword in (*NAMES, *PATIENT_NUMBERS, *STUDY_NUMBERS, *DATES, *UIDS):
        for value in (spelling for stated in stated_values(header, keyword) for spelling in _spellings(stated)):
            parts = re.findall(r"[^\W_]+", value)
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


def _words(text: str) -> set[str]:
    """The words of a name in every spelling: between separators, and within them up to a change of letters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    pieces = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z]|\d+", plain)
    ends = itertools.pairwise(pieces)
    found = {word.casefold() for word in [*pieces, *(a + b for a, b in ends if a.isalpha() and b.isdigit())]}
    return found.union(*(re.findall(r"[^\W_]+", spelling) for spelling in _spellings(text)))


def _spellings(text: str) -> set[str]:
    """Small letters without accents; umlauts both without their dots and as two letters."""
    two_letters = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    return {_letters(text), _letters(two_letters)}


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
