"""The files of a result that a comparison reads, and whether they are as `msdnet segment` wrote them."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from msdnet.errors import OptionError
from msdnet.files import read_run_record
from msdnet.labels import SCHEMAS

_NEEDED = ("measures_json", "labels", "lungs_json", "lungs", "preview", "repeatability_json")
"""Roles of the files that are read, where a result has them."""

_KINDS: Mapping[str, tuple[type, ...]] = {
    "schema.name": (str,),
    "weights.name": (str,),
    "weights.sha256": (str,),
    "input.sha256": (str,),
    "input.spacing_mm.slice": (int, float, type(None)),
    "input.spacing_mm.row": (int, float, type(None)),
    "input.spacing_mm.column": (int, float, type(None)),
    "options": (dict,),
    "version": (str,),
    "subject": (dict,),
    "subject.key": (str,),
    "subject.day": (int,),
    "acquisition": (dict,),
    "engine": (dict,),
}
"""What is read of run.json, and what it must be."""

_OPTIONAL = ("subject", "subject.day", "acquisition", "engine")

_BLOCK, _SHOWN = 1 << 20, 8


def read_result_record(folder: Path) -> dict[str, Any]:
    """The run.json of a result that has volumes and all the files it names.

    Raises:
        OptionError: if it is no such result, or a damaged one; the message names the folder.
    """
    record = read_run_record(folder)
    if record is None or not {"measures_json", "labels"} <= set(record["files"]):
        raise OptionError(
            "not a result that can be followed up",
            got=f"{folder}: {'no result of msdnet' if record is None else 'no measures in it'}",
            expected="a folder that `msdnet segment` wrote",
            do="segment the scan first, and name the folder that was given with -o",
        )
    wrong = _wrong_entry(record)
    if wrong:
        raise damaged(folder, f"an incomplete run.json, without a usable {wrong}")
    missing = [name for role in _NEEDED if (name := record["files"].get(role)) and not (folder / name).is_file()]
    if missing:
        raise damaged(folder, f"no {missing[0]}")
    if record["schema"]["name"] not in SCHEMAS:
        raise damaged(folder, f"a label schema {record['schema']['name']!r} that this version does not know")
    if any(mm is None for mm in record["input"]["spacing_mm"].values()):
        raise OptionError(
            "a result without volumes cannot be followed up",
            got=f"{folder}: its scan's spacing is unknown",
            expected="scans whose slices have a known size and distance",
            do="segment the DICOM series or a volume with its spacing, not pictures",
        )
    return record


def read_volume(path: Path) -> sitk.Image:
    """A volume of three axes of a result; axes of length 1 beyond these are dropped.

    Raises:
        OptionError: if it is damaged or cut off; the message names result and file.
    """
    try:
        with gzip.open(path) as stream:  # to its end and its check sum: SimpleITK fills what is missing with nothing
            while stream.read(_BLOCK):
                pass
        image = sitk.ReadImage(str(path))
    except (OSError, EOFError, zlib.error, RuntimeError) as error:
        raise damaged(path.parent, f"{path.name} cannot be read to its end") from error
    while image.GetDimension() > 3:
        image = sitk.Extract(image, [*image.GetSize()[:-1], 0])
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise damaged(path.parent, f"{path.name} is no volume of three axes")
    return image


def check_voxels(path: Path, expected: Mapping[int, int]) -> None:
    """Refuses a label map that does not hold what the tables of its result say: it was cut off, edited or exchanged.

    Args:
        path: The label map, or a mask.
        expected: Voxels of each of its numbers but 0.

    Raises:
        OptionError: if it is damaged, or any number of voxels is another.
    """
    found: Counter[float] = Counter()
    for one in sitk.GetArrayFromImage(read_volume(path)):  # slice by slice: a copy of the whole may be large
        numbers, counts = np.unique(one[one != 0], return_counts=True)
        found.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
    wanted = {number: count for number, count in expected.items() if count}
    if found != wanted:
        told = [
            "; ".join(f"{n}: {count}" for n, count in sorted(of.items())[:_SHOWN]) or "none" for of in (found, wanted)
        ]
        raise damaged(
            path.parent, f"{path.name} has other voxels of each number ({told[0]}) than its tables ({told[1]})"
        )


def damaged(folder: Path, got: str) -> OptionError:
    """The error for a result that is not as it was written."""
    return OptionError(
        "a result is damaged",
        got=f"{folder}: {got}",
        expected="the folder as `msdnet segment` wrote it",
        do="segment that scan again",
    )


def _wrong_entry(record: Mapping[str, Any]) -> str:
    """The first entry of run.json that is missing or of another kind; empty where there is none."""
    if not all(isinstance(name, str) for name in record["files"].values()):
        return "files"
    for place, kinds in _KINDS.items():
        value: Any = record
        for step in place.split("."):
            value = value.get(step, ...) if isinstance(value, Mapping) else ...
        whole = place.split(".")[0]
        if value is ... and (place in _OPTIONAL or (whole in _OPTIONAL and whole not in record)):
            continue
        if not isinstance(value, kinds) or isinstance(value, bool):
            return place
    return ""
