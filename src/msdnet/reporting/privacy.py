"""Keeps the patient out of the sentences that other stations write about a scan."""

from __future__ import annotations

import re

from msdnet.scans.privacy import DATES, NAMES, PATIENT_NUMBERS, STUDY_NUMBERS, stated_values
from msdnet.scans.scan import Scan

_REMOVED = "[removed]"
_UID = re.compile(r"\b\d+(?:\.\d+){5,}\b")


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
        names = [value for keyword in NAMES for value in stated_values(dataset, keyword)]
        parts = [part for name in names for part in re.split(r"[\W_]+", name) if len(part) > 1 and not part.isdigit()]
        numbers_and_dates = (*PATIENT_NUMBERS, *STUDY_NUMBERS, *DATES)
        others = [value for keyword in numbers_and_dates for value in stated_values(dataset, keyword)]
        # A number of three digits or fewer tells nobody apart, and would tear holes into counts.
        found.update(parts, names, (value for value in others if len(value) > 3))
    return found
