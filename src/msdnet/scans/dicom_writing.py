"""What DICOM files made from a series' headers share: how these are mended, silence, the words where they fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.valuerep import DA, TM

from msdnet.labels import OWN_SCHEME
from msdnet.scans.dicom_files import quiet_pydicom, stated_number
from msdnet.scans.scan import Scan

_TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
_SCHEMES: dict[str, dict[str, Any]] = {
    OWN_SCHEME: {"name": "msdnet", "responsible_organization": "msdnet"},
    "DCM": {
        "uid": "1.2.840.10008.2.16.4",
        "registry": "HL7",
        "name": "DICOM Controlled Terminology",
        "responsible_organization": "NEMA",
    },
    "SCT": {
        "uid": "2.16.840.1.113883.6.96",
        "registry": "HL7",
        "name": "SNOMED CT",
        "responsible_organization": "SNOMED International",
    },
}


def write_from_headers(scan: Scan, path: Path, make: Callable[[list[Any]], Any]) -> str:
    """Writes what is made from the source's headers; while it is made, neither highdicom nor pydicom warns.

    Their warnings would quote the patient's name.

    Args:
        scan: Of a DICOM series.
        path: Where to write.
        make: Gives the dataset to write from the headers, of which the first is `completed_header`.

    Returns:
        Why the headers make it impossible, and then there is no file; empty if it was written.
    """
    logger = logging.getLogger("highdicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with quiet_pydicom():
            first, *others = scan.source.datasets
            make([completed_header(first, float(scan.volume.spacing[0])), *others]).save_as(path)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        path.unlink(missing_ok=True)
        return f"the slices' headers hold values that are not valid in DICOM ({type(error).__name__})"
    finally:
        logger.setLevel(level)
    return ""


def identify_schemes(designators: Iterable[str]) -> list[CodingSchemeIdentificationItem]:
    """What says where each scheme's codes come from: its UID, name and publisher, of those that are known."""
    return [CodingSchemeIdentificationItem(d, **_SCHEMES[d]) for d in sorted(designators) if d in _SCHEMES]


def completed_header(source: Any, spacing: float) -> Any:
    """The first source's header, from which highdicom copies patient and study: empty where missing or not valid.

    Text in code extensions (ISO 2022), of which highdicom takes a part, becomes UTF-8. A thickness that is missing or
    not valid becomes the slices' distance, in mm.
    """
    header = deepcopy(source)
    for keyword in _TYPE_2:
        if keyword not in header:
            setattr(header, keyword, "")
    if header.PatientSex not in ("", "M", "F", "O"):
        header.PatientSex = ""
    for keyword, read in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            read(header[keyword].value or "")
        except ValueError:
            header[keyword].value = ""
    if "ISO 2022" in str(header.get("SpecificCharacterSet")):
        header.decode()
        header.SpecificCharacterSet = "ISO_IR 192"
    header.SliceThickness = number_or_none(header, "SliceThickness") or spacing
    if number_or_none(header, "SpacingBetweenSlices") is None:
        header.pop("SpacingBetweenSlices", None)
    return header


def number_or_none(header: Any, keyword: str) -> float | None:
    """The number that an element states; None where it states none, or something else."""
    try:
        return stated_number(header, keyword)
    except ValueError:
        return None
