"""What makes a DICOM file the same bytes for the same input: UIDs and times that follow from it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydicom.valuerep import DA, TM

_DATES, _TIMES = (
    ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"),
    ("StudyTime", "SeriesTime", "ContentTime"),
)


def uid_of(seed: str, part: str) -> str:
    """A UID under the root for UUIDs (2.25) that depends on nothing but its arguments."""
    return f"2.25.{int.from_bytes(hashlib.sha256(f'{seed} {part}'.encode()).digest()[:16], 'big')}"


def product_version() -> str:
    """The version that a file names."""
    try:
        return version("msdnet")
    except PackageNotFoundError:
        return "0"


def take_times_of(source: Any, dataset: Any) -> None:
    """Replaces each time of writing in a dataset with that of the source's study; 1900 where it states none."""
    date = _first_valid(source, _DATES, DA) or "19000101"
    time = _first_valid(source, _TIMES, TM) or "000000"
    for item in elements_but_frames(dataset):
        if item.keyword in ("InstanceCreationDate", "ContentDate"):
            item.value = date
        elif item.keyword in ("InstanceCreationTime", "ContentTime"):
            item.value = time
        elif item.keyword == "ContributionDateTime":
            item.value = f"{date}{time}"


def elements_but_frames(dataset: Any) -> Iterator[Any]:
    """Every element of a dataset, those in sequences too, but for those of single frames: thousands, without times."""
    for item in dataset:
        yield item
        if item.VR == "SQ" and item.keyword != "PerFrameFunctionalGroupsSequence":
            for nested in item.value:
                yield from nested.iterall()


def _first_valid(source: Any, keywords: Iterable[str], read: Any) -> str:
    for keyword in keywords:
        value = str(source.get(keyword, "") or "")
        try:
            if value and read(value):
                return value
        except ValueError:
            continue
    return ""
