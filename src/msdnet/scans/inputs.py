"""What the user names -> scan inputs: folders, archives and files, told apart by extension and content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msdnet.errors import OptionError, ScanError
from msdnet.scans.dicom_files import DicomFile, list_archive, list_folder, looks_like_dicom, sniff
from msdnet.scans.dicom_series import Series, choose_series, group_series, notes_on_rest, usable_series
from msdnet.scans.scan import ScanInput

_SUFFIXES: dict[str, str] = {
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
_VOLUMES = ("NIfTI", "NRRD", "MetaImage")
_ACCEPTED = "a DICOM folder, zip or file, NIfTI (.nii, .nii.gz), NRRD, MHA, PNG, JPG or TIFF"


def find_scans(inputs: Sequence[Path], *, series: str | None = None) -> list[ScanInput]:
    """The scans that the inputs stand for, in the order given.

    A folder or zip archive with DICOM files is one scan: the series `series`, or the one that the rules of
    `dicom_series.choose_series` leave. DICOM files given one by one are grouped by series, each of them a scan. Volumes
    and pictures are a scan each; a folder without DICOM stands for the volumes or pictures in it.

    Args:
        inputs: Folders, archives and files.
        series: SeriesInstanceUID to use.

    Raises:
        OptionError: if there is no input, if two have the same name, or if `series` is given without DICOM input.
        ScanError: if an input is missing, empty, damaged, of an unknown kind or ambiguous.
    """
    if not inputs:
        raise OptionError("no input was given", got="nothing", expected=_ACCEPTED, do="name at least one input")
    found: list[ScanInput] = []
    single: list[Path] = []
    for path in map(Path, inputs):
        if not path.exists():
            raise ScanError(
                f"the input {path} does not exist",
                got="no such file or folder",
                expected=_ACCEPTED,
                do="check the path",
            )
        if path.is_dir():
            found += _from_folder(path, series)
        elif (kind := _kind_of(path)) == "zip":
            found.append(_from_archive(path, series))
        elif kind == "DICOM":
            single.append(path)
        else:
            found.append(ScanInput(stem(path), (path,), "picture" if kind == "picture" else "volume"))
    if single:
        found += _from_single_files(single, series)
    if series is not None and not any(f.kind == "dicom" for f in found):
        raise OptionError(
            "--series needs DICOM input", got="no DICOM input", expected="a DICOM folder", do="leave --series out"
        )
    _check_names(found)
    return found


def stem(path: Path) -> str:
    """The file name without its known extensions; a folder's name in full."""
    name = path.name or path.resolve().name or "scan"
    if name in (".", ".."):
        name = path.resolve().name or "scan"
    if path.is_dir():
        return name
    suffix = _suffix(path)
    return name[: -len(suffix)] or name if suffix in _SUFFIXES else name


def _from_folder(folder: Path, series: str | None) -> list[ScanInput]:
    dicom: list[DicomFile] = []
    others: list[tuple[str, Path]] = []
    for path in list_folder(folder):
        kind = _kind_in_folder(path)
        if kind == "DICOM":
            dicom.append(DicomFile(path))
        elif kind:
            others.append((kind, path))
    found = group_series(dicom)
    if found:
        chosen, notes = choose_series(found, f"the folder {folder.name or folder}", series)
        if others:
            notes += (f"Left out: {len(others)} other images or volumes in the folder.",)
        return [_dicom_input(stem(folder), chosen, notes)]
    if not others:
        raise ScanError(
            f"the folder {folder} holds no scan",
            got="no file at all" if not list_folder(folder) else "no DICOM file, volume or picture",
            expected="one DICOM series, or volumes or pictures",
            do="check the path",
        )
    if any(k == "picture" for k, _ in others) and any(k in _VOLUMES for k, _ in others):
        raise ScanError(
            f"the folder {folder} holds volumes and pictures",
            got=", ".join(sorted({k for k, _ in others})),
            expected="one kind of scan in a folder",
            do="name the files themselves",
        )
    return [ScanInput(stem(p), (p,), "picture" if _kind_of(p) == "picture" else "volume") for _, p in others]


def _from_archive(path: Path, series: str | None) -> ScanInput:
    members = [DicomFile(path, m) for m in list_archive(path)]
    dicom = []
    for file, is_dicom in zip(members, sniff(members), strict=True):
        if is_dicom:
            dicom.append(file)
        elif _SUFFIXES.get(Path(file.member).suffix.lower()) == "DICOM":
            raise _not_dicom(str(file), "content that is not DICOM")
    found = group_series(dicom)
    if not found:
        raise ScanError(
            f"the archive {path.name} holds no DICOM image",
            got=f"{len(members)} files, none of them DICOM",
            expected="a zipped DICOM series",
            do="unpack it and pass the volume or pictures",
        )
    chosen, notes = choose_series(found, f"the archive {path.name}", series)
    return _dicom_input(stem(path), chosen, notes)


def _from_single_files(paths: Sequence[Path], series: str | None) -> list[ScanInput]:
    found = group_series(DicomFile(p) for p in paths)
    used = usable_series(found, "the DICOM files given", series)
    notes = notes_on_rest(found, used)
    return [_dicom_input(stem(s.files[0].path), s, notes) for s in used]


def _dicom_input(name: str, series: Series, notes: tuple[str, ...]) -> ScanInput:
    members = tuple(f.member for f in series.files if f.member)
    paths = (series.files[0].path,) if members else tuple(f.path for f in series.files)
    return ScanInput(name, paths, "dicom", notes, members)


def _suffix(path: Path) -> str:
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def _sniff(path: Path) -> str:
    """The kind of a file by its first bytes; empty if they tell nothing."""
    try:
        with path.open("rb") as stream:
            head = stream.read(352)
    except OSError as error:
        raise ScanError(
            f"{path} cannot be read", got=str(error.strerror), expected="a readable file", do="check its permissions"
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


def _kind_of(path: Path) -> str:
    """The kind of a file that was named by itself.

    Raises:
        ScanError: if it is empty, of no kind that can be read, or another kind than its extension says.
    """
    suffix, content = _suffix(path), _sniff(path)
    stated = _SUFFIXES.get(suffix, "")
    if content == "empty":
        raise ScanError(f"{path.name} is empty", got="0 bytes", expected=_ACCEPTED, do="copy or export the file again")
    if stated and content == ("gzip" if suffix == ".nii.gz" else stated):
        return stated
    if not stated and content == "DICOM":
        return "DICOM"
    if stated == "DICOM" and not content:
        raise _not_dicom(path.name, "content that is not DICOM")
    if stated:
        raise ScanError(
            f"{path.name} is not what its extension says",
            got=f"content that looks like {content}" if content else f"content that is no {stated}",
            expected=f"{stated} in a file named {suffix}",
            do=f"rename it to its true extension ({content})" if content else "export the file again",
        )
    raise ScanError(
        f"{path.name} is of no kind that can be read",
        got=f"extension {path.suffix or '(none)'}" + (f", content {content}" if content else ""),
        expected=_ACCEPTED,
        do="give it its true extension" if content else "convert it to one of these",
    )


def _kind_in_folder(path: Path) -> str:
    """The kind of a file in a folder; empty for one that is no scan.

    Raises:
        ScanError: if it is named as DICOM and is not: a slice may be damaged.
    """
    stated, content = _SUFFIXES.get(_suffix(path), ""), _sniff(path)
    if content == "DICOM":
        return "DICOM"
    if stated == "DICOM":
        raise _not_dicom(path.name, "an empty file" if content == "empty" else "content that is not DICOM")
    return stated if stated == "picture" or stated in _VOLUMES else ""


def _not_dicom(name: str, got: str) -> ScanError:
    return ScanError(
        f"{name} is not a DICOM file",
        got=got,
        expected="DICOM files of one CT series",
        do="remove the file, or copy or export the series again",
    )


def _check_names(found: Sequence[ScanInput]) -> None:
    seen: dict[str, ScanInput] = {}
    for scan_input in found:
        first = seen.setdefault(scan_input.name.casefold(), scan_input)
        if first is not scan_input:
            raise OptionError(
                "two inputs have the same name, so their results would overwrite each other",
                got=f"{first.paths[0]} and {scan_input.paths[0]}, both {scan_input.name!r}",
                expected="names that differ without their extensions",
                do="rename one, or run them one after the other",
            )
