"""What the user names -> scan inputs: folders, archives and files, told apart by extension and content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msdnet.errors import OptionError, ScanError
from msdnet.files import RUN_RECORD, read_run_record
from msdnet.scans.dicom_files import DicomFile, list_archive, list_folder, sniff
from msdnet.scans.dicom_series import Series, choose_series, group_series, notes_on_rest, usable_series
from msdnet.scans.kinds import SUFFIXES, VOLUMES, check_inputs, kind_in_folder, kind_of, not_dicom, suffix_of
from msdnet.scans.messages import count_of
from msdnet.scans.scan import ScanInput


def find_scans(inputs: Sequence[Path], *, series: str | None = None) -> list[ScanInput]:
    """The scans that the inputs stand for, in the order given; DICOM files given one by one come last.

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
    inputs = [Path(path) for path in inputs]
    check_inputs(inputs)
    found: list[ScanInput] = []
    single: list[Path] = []
    for path in inputs:
        if path.is_dir():
            found += _from_folder(path, series)
        elif (kind := kind_of(path)) == "zip":
            found.append(_from_archive(path, series))
        elif kind == "DICOM":
            single.append(path)
        else:
            found.append(ScanInput(stem(path), (path,), "picture" if kind == "picture" else "volume", given=path))
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
    suffix = suffix_of(path)
    return name[: -len(suffix)] or name if suffix in SUFFIXES else name


def _from_folder(folder: Path, series: str | None) -> list[ScanInput]:
    dicom: list[DicomFile] = []
    others: list[tuple[str, Path]] = []
    files, about_results = _without_results(list_folder(folder), folder)
    for path in files:
        kind = kind_in_folder(path, folder)
        if kind == "DICOM":
            dicom.append(DicomFile(path, given=folder))
        elif kind:
            others.append((kind, path))
    found = group_series(dicom)
    if found:
        chosen, notes = choose_series(found, f"the folder {folder.name or folder}", series)
        if others:
            notes += (f"Left out: {len(others)} other images or volumes in the folder.",)
        return [_dicom_input(folder, chosen, notes + about_results)]
    if not others:
        raise ScanError(
            f"the folder {folder} holds no scan",
            got="no file at all" if not files and not about_results else "no DICOM file, volume or picture",
            expected="one DICOM series, or volumes or pictures",
            do="check the path",
        )
    if any(k == "picture" for k, _ in others) and any(k in VOLUMES for k, _ in others):
        raise ScanError(
            f"the folder {folder} holds volumes and pictures",
            got=", ".join(sorted({k for k, _ in others})),
            expected="one kind of scan in a folder",
            do="name the files themselves",
        )
    kinds = [kind_of(p, folder) for _, p in others]
    return [
        ScanInput(stem(p), (p,), "picture" if kind == "picture" else "volume", about_results, given=folder)
        for kind, (_, p) in zip(kinds, others, strict=True)
    ]


def _without_results(files: Sequence[Path], folder: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files without those in results of msdnet below the folder, as after -o FOLDER/out; and a note on these."""
    results = {p.parent for p in files if p.name == RUN_RECORD and p.parent != folder and read_run_record(p.parent)}
    kept = [p for p in files if results.isdisjoint(p.parents)]
    return kept, (f"Left out: {count_of(len(results), 'earlier result')} in the folder.",) if results else ()


def _from_archive(path: Path, series: str | None) -> ScanInput:
    members = [DicomFile(path, m) for m in list_archive(path)]
    dicom = []
    for file, is_dicom in zip(members, sniff(members), strict=True):
        if is_dicom:
            dicom.append(file)
        elif SUFFIXES.get(suffix_of(Path(file.member))) == "DICOM":
            raise not_dicom(str(file), "content that is not DICOM")
    found = group_series(dicom)
    if not found:
        raise ScanError(
            f"the archive {path.name} holds no DICOM image",
            got=f"{len(members)} files, none of them DICOM",
            expected="a zipped DICOM series",
            do="unpack it and pass the volume or pictures",
        )
    chosen, notes = choose_series(found, f"the archive {path.name}", series)
    return _dicom_input(path, chosen, notes)


def _from_single_files(paths: Sequence[Path], series: str | None) -> list[ScanInput]:
    found = group_series(DicomFile(p) for p in paths)
    used = usable_series(found, "the DICOM files given", series)
    notes = notes_on_rest(found, used)
    return [_dicom_input(s.files[0].path, s, notes) for s in used]


def _dicom_input(given: Path, series: Series, notes: tuple[str, ...]) -> ScanInput:
    members = tuple(f.member for f in series.files if f.member)
    paths = (series.files[0].path,) if members else tuple(f.path for f in series.files)
    return ScanInput(stem(given), paths, "dicom", notes, members, given)


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
