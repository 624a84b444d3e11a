"""read_scan: one scan from whatever holds it; chooses the reader, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msdnet.errors import OptionError
from msdnet.scans.dicom import read_dicom
from msdnet.scans.dicom_files import DicomFile
from msdnet.scans.hu import check_grey_options
from msdnet.scans.inputs import find_scans
from msdnet.scans.picture import read_picture
from msdnet.scans.scan import Scan, ScanInput
from msdnet.scans.volume import read_volume


def read_scan(
    path: str | Path | ScanInput | Sequence[str | Path],
    *,
    series: str | None = None,
    window: tuple[float, float] | None = None,
    grey: bool = False,
) -> Scan:
    """The one scan in a file, folder, zip archive or list of DICOM files.

    Args:
        path: What to read; several paths are the files of one DICOM series.
        series: SeriesInstanceUID to use where there are several.
        window: LOW, HIGH: the values that become black and white, where the values are not HU.
        grey: The values are grey, 0 to 255, already.

    Raises:
        ScanError: if it cannot be read, or if reading it would mean guessing.
        OptionError: if `path` stands for several scans, or if an option has no use here.
    """
    check_grey_options(window, grey)
    found = path if isinstance(path, ScanInput) else _find_one(path, series)
    if found.kind == "dicom":
        files = [DicomFile(found.paths[0], m) for m in found.members]
        files = files or [DicomFile(p, given=found.given) for p in found.paths]
        return read_dicom(files, found.name, notes=found.notes, window=window, grey=grey)
    read = read_picture if found.kind == "picture" else read_volume
    return read(found.paths[0], found.name, given=found.given, window=window, grey=grey)


def _find_one(path: str | Path | Sequence[str | Path], series: str | None) -> ScanInput:
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    found = find_scans(paths, series=series)
    if len(found) != 1:
        raise OptionError(
            f"{paths[0]} stands for several scans",
            got=f"{len(found)} scans",
            expected="one",
            do="read each of find_scans(...) by itself",
        )
    return found[0]
