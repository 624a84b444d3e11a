"""Where DICOM bytes come from: files on disk or members of a zip archive, read in memory and never unpacked."""

from __future__ import annotations

import io
import math
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pydicom
import pydicom.config
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from msdnet.errors import ScanError
from msdnet.files import is_clutter
from msdnet.scans.kinds import looks_like_dicom
from msdnet.scans.messages import name_within

MAX_MEMBER_BYTES = 1 << 28
MAX_ARCHIVE_BYTES = 1 << 34

_DAMAGES = (
    EOFError,
    OSError,
    ValueError,
    KeyError,
    NotImplementedError,
    AttributeError,
    TypeError,
    zlib.error,
    zipfile.BadZipFile,
)
_DICOMDIR = "1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class DicomFile:
    """One DICOM file: a path, or an archive's path and the name of the member in it; and the folder given, if any."""

    path: Path
    member: str = ""
    given: Path | None = None

    def __str__(self) -> str:
        return f"{self.path.name}:{self.member}" if self.member else name_within(self.path, self.given)


def list_folder(folder: Path) -> list[Path]:
    """Every file below the folder in a fixed order, without hidden ones; links to folders are not followed."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not is_clutter(Path(f)))
        found += [Path(root) / n for n in sorted(names) if not is_clutter(Path(n))]
    return found


def list_archive(path: Path) -> list[str]:
    """The archive's members in a fixed order, without folders and hidden files.

    Raises:
        ScanError: if the archive is damaged, encrypted, has members that point outside it, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if not i.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged_archive(path, getattr(error, "strerror", None) or str(error)) from error
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
            raise ScanError(
                f"the archive {path.name} is not safe to read",
                got=f"a member that points outside the archive: {info.filename!r}",
                expected="members with plain relative names",
                do="pack the folder again with an ordinary zip program",
            )
        if info.flag_bits & 0x1:
            raise ScanError(
                f"the archive {path.name} is encrypted",
                got="members that need a password",
                expected="an archive without a password",
                do="unpack it and pass the folder",
            )
    total = sum(i.file_size for i in infos)
    largest = max((i.file_size for i in infos), default=0)
    if total > MAX_ARCHIVE_BYTES or largest > MAX_MEMBER_BYTES:
        raise ScanError(
            f"the archive {path.name} unpacks to too much",
            got=f"{total / 2**20:,.0f} MiB in all, the largest member {largest / 2**20:,.0f} MiB",
            expected=f"at most {MAX_ARCHIVE_BYTES >> 20:,} MiB in all and {MAX_MEMBER_BYTES >> 20:,} MiB a file",
            do="unpack it, make sure that it is what you think, and pass the folder",
        )
    names = [i.filename for i in infos]
    return sorted(n for n in names if not any(p.startswith((".", "__MACOSX")) for p in PurePosixPath(n).parts))


def sniff(files: Iterable[DicomFile]) -> Iterator[bool]:
    """Whether each file looks like DICOM.

    Raises:
        ScanError: if an archive is damaged.
    """
    for file, stream in _open_each(files):
        try:
            head = stream.read(132)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise _damaged_archive(file.path, f"{file.member}: {error}") from error
        yield looks_like_dicom(head)


def read_headers(files: Iterable[DicomFile], tags: Sequence[str] | None = None) -> Iterator[Any]:
    """Each file's header without pixel data as a pydicom dataset; None for a DICOMDIR.

    Raises:
        ScanError: if one is not a DICOM file or breaks off within the header.
    """
    for file, stream in _open_each(files):
        dataset = _parse(file, stream, stop_before_pixels=True, specific_tags=list(tags) if tags else None)
        is_directory = getattr(dataset.file_meta, "MediaStorageSOPClassUID", "") == _DICOMDIR
        yield None if is_directory else dataset


def read_wholes(files: Iterable[DicomFile]) -> Iterator[Any]:
    """Each file with its pixel data as a pydicom dataset, one after the other.

    Raises:
        ScanError: if one is not a DICOM file or breaks off within the header.
    """
    for file, stream in _open_each(files):
        yield _parse(file, stream)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom from warning about odd values, as its warnings quote them and they may be patient data."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def stated_number(header: Any, keyword: str) -> float | None:
    """The number that an element states; None where it is absent or empty.

    Raises:
        ValueError: if it states something else than one finite number; without the value, which may be anything.
    """
    try:
        with quiet_pydicom():
            value = header.get(keyword)
            number = None if value in (None, "") else float(value)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
        raise ValueError("not a single number") from error
    if number is not None and not math.isfinite(number):
        raise ValueError(f"{number:g}")
    return number


def _open_each(files: Iterable[DicomFile]) -> Iterator[tuple[DicomFile, IO[bytes]]]:
    """Each file's bytes, seekable; an archive is opened once for all its members."""
    with ExitStack() as stack:
        archives: dict[Path, zipfile.ZipFile] = {}
        for file in files:
            try:
                if not file.member:
                    with file.path.open("rb") as stream:
                        yield file, stream
                    continue
                if file.path not in archives:
                    archives[file.path] = stack.enter_context(zipfile.ZipFile(file.path))
                with archives[file.path].open(file.member) as member:
                    yield file, member
            except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
                raise _damaged_archive(file.path, f"{file.member}: {error}") from error
            except OSError as error:
                raise ScanError(
                    f"{file} cannot be read",
                    got=error.strerror or type(error).__name__,
                    expected="a readable file",
                    do="check its permissions",
                ) from error


def _parse(file: DicomFile, stream: IO[bytes], **options: Any) -> Any:
    """The dataset in a stream, with a transfer syntax even where the file states none."""
    head = stream.read(132)
    stream.seek(0)
    if not looks_like_dicom(head):
        raise ScanError(
            f"{file} is not a DICOM file",
            got="content without the DICM mark" if head else "an empty file",
            expected="DICOM files of one CT series",
            do="remove the file or export the series again",
        )
    with quiet_pydicom():
        try:
            content = stream if "stop_before_pixels" in options or not file.member else io.BytesIO(stream.read())
            dataset = pydicom.dcmread(content, force=head[128:132] != b"DICM", **options)
            if "TransferSyntaxUID" not in dataset.file_meta:
                implicit, little = dataset.original_encoding
                explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
            return dataset
        except _DAMAGES as error:
            raise ScanError(
                f"{file} cannot be read as DICOM",
                got=f"a damaged or truncated file ({type(error).__name__})",
                expected="a complete DICOM file",
                do="copy or export the series again",
            ) from error


def _damaged_archive(path: Path, reason: str) -> ScanError:
    return ScanError(
        f"the archive {path.name} cannot be read",
        got=reason,
        expected="a complete zip archive",
        do="pack or download it again, or pass the unpacked folder",
    )
