"""What an NRRD or MetaImage header states. SimpleITK puts 1 mm and the patient's own axes where it states nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MAX_HEADER_BYTES = 1 << 20
_PATIENT_SPACES = {"right-anterior-superior", "left-anterior-superior", "left-posterior-superior", "ras", "las", "lps"}
_META_DIRECTIONS = {"transformmatrix", "rotation", "orientation"}
_META_SPACINGS = {"elementspacing", "elementsize"}


@dataclass(frozen=True)
class Stated:
    """Which parts of its geometry a header states.

    Attributes:
        spacing: The distance of the voxels.
        orientation: The axes' directions in the patient.
    """

    spacing: bool
    orientation: bool


def read_itk_header(path: Path) -> Stated:
    """What the header at the start of an NRRD or MetaImage file states.

    Reading: an NRRD header orients the voxels if it has `space directions` in one of the three spaces of the patient;
    `space dimension` alone, or a space of the scanner, does not say where the patient's left is.
    """
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER_BYTES)
    if head.startswith(b"NRRD"):
        fields = _fields(head.replace(b"\r\n", b"\n").partition(b"\n\n")[0], ":")
        directions = fields.get("space directions", "")
        oriented = "(" in directions and fields.get("space", "").lower() in _PATIENT_SPACES
        return Stated(spacing="(" in directions or "spacings" in fields, orientation=oriented)
    fields = _fields(head.partition(b"ElementDataFile")[0], "=")
    return Stated(spacing=bool(_META_SPACINGS & set(fields)), orientation=bool(_META_DIRECTIONS & set(fields)))


def _fields(head: bytes, separator: str) -> dict[str, str]:
    """Name in lower case and value of every line with the separator, without comments and NRRD's key:=value."""
    found = {}
    for line in head.decode("latin-1").splitlines():
        name, parted, value = line.partition(separator)
        if parted and not line.startswith("#") and not value.startswith("="):
            found[name.strip().lower()] = value.strip()
    return found
