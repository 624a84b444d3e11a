"""What kind of file an input is, by its extension and first bytes; light, so that a mistake is told at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msdnet.errors import OptionError, ScanError
from msdnet.scans.messages import name_within

SUFFIXES: dict[str, str] = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".png": "picture",
    ".jpg": "picture",
    ".jpeg": "picture",
    ".tif": "picture",
    ".tiff": "picture",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".ima": "DICOM",
    ".zip": "zip",
}
VOLUMES = ("NIfTI", "NRRD", "MetaImage")
_ACCEPTED = "a DICOM folder, zip or file, NIfTI (.nii, .nii.gz), NRRD, MHA, PNG, JPG or TIFF"


def check_inputs(inputs: Sequence[Path]) -> None:
    """Refuses what can be refused before anything is read but the first bytes of the files named.

    Raises:
        OptionError: if there is no input.
        ScanError: if an input is missing, or a file that is empty, of an unknown kind, or not what its extension says.
    """
    if not inputs:
        raise OptionError("no input was given", got="nothing", expected=_ACCEPTED, do="name at least one input")
    for path in inputs:
        if not path.exists():
            raise ScanError(
                f"the input {path} does not exist",
                got="no such file or folder",
                expected=_ACCEPTED,
                do="check the path",
            )
        if not path.is_dir():
            kind_of(path)


def kind_of(path: Path, given: Path | None = None) -> str:
    """The kind of a file that is to be read.

    Args:
        path: The file.
        given: The folder it was found in, if it was not named by itself.

    Raises:
        ScanError: if it is empty, of no kind that can be read, or another kind than its extension says.
    """
    name = name_within(path, given)
    suffix, content = suffix_of(path), _sniff(path, name)
    stated = SUFFIXES.get(suffix, "")
    if content == "empty":
        raise ScanError(f"{name} is empty", got="0 bytes", expected=_ACCEPTED, do="copy or export the file again")
    if stated and content == ("gzip" if suffix == ".nii.gz" else stated):
        return stated
    if not stated and content == "DICOM":
        return "DICOM"
    if stated == "DICOM" and not content:
        raise not_dicom(name, "content that is not DICOM")
    if stated:
        raise ScanError(
            f"{name} is not what its extension says",
            got=f"content that looks like {content}" if content else f"content that is no {stated}",
            expected=f"{stated} in a file named {suffix}",
            do=f"rename it to its true extension ({content})" if content else "export the file again",
        )
    raise ScanError(
        f"{name} is of no kind that can be read",
        got=f"extension {path.suffix or '(none)'}" + (f", content {content}" if content else ""),
        expected=_ACCEPTED,
        do="give it its true extension" if content else "convert it to one of these",
    )


def kind_in_folder(path: Path, folder: Path) -> str:
    """The kind of a file in a folder; empty for one that is no scan.

    Raises:
        ScanError: if it is named as DICOM and is not: a slice may be damaged.
    """
    name = name_within(path, folder)
    stated, content = SUFFIXES.get(suffix_of(path), ""), _sniff(path, name)
    if content == "DICOM":
        return "DICOM"
    if stated == "DICOM":
        raise not_dicom(name, "an empty file" if content == "empty" else "content that is not DICOM")
    return stated if stated == "picture" or stated in VOLUMES else ""


def not_dicom(name: str, got: str) -> ScanError:
    """The error for a file that is named as DICOM and is not."""
    return ScanError(
        f"{name} is not a DICOM file",
        got=got,
        expected="DICOM files of one CT series",
        do="remove the file, or copy or export the series again",
    )


def suffix_of(path: Path) -> str:
    """The extension in lower case; `.nii.gz` is one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file that starts so is DICOM: by its preamble, or without one by a first tag of group 2 or 8."""
    return head[128:132] == b"DICM" or (head[:2] in (b"\x08\x00", b"\x02\x00") and head[3:4] == b"\x00")


def _sniff(path: Path, name: str) -> str:
    """The kind of a file by its first bytes; empty if they tell nothing. `name` is for the message."""
    try:
        with path.open("rb") as stream:
            head = stream.read(352)
    except OSError as error:
        raise ScanError(
            f"{name} cannot be read", got=str(error.strerror), expected="a readable file", do="check its permissions"
        ) from error
    if not head:
        return "empty"
    if looks_like_dicom(head):
        return "DICOM"
    if head[:8] == b"\x89PNG\r\n\x1a\n" or head[:3] == b"\xff\xd8\xff" or head[:4] in (b"II*\0", b"MM\0*"):
        return "picture"
    if head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"):
        return "NIfTI"
    if head[:4] == b"NRRD":
        return "NRRD"
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return "zip"
    if re.match(rb"\s*(ObjectType|NDims|Comment)\s*=", head):
        return "MetaImage"
    return "gzip" if head[:2] == b"\x1f\x8b" else ""
