"""A result folder as one point in time, and whether several are of one person and can be compared."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msdnet.errors import OptionError, SchemaError
from msdnet.files import read_run_record
from msdnet.labels import LabelSchema, get_schema

SCAN, LUNGS = "scan", "lungs"
"""Regions: everything that is marked, wherever it lies; and both lungs."""

VOLUME, MASS, PERCENT = "volume_ml", "mass_g", "percent"
_MEASURES = (VOLUME, MASS, PERCENT)

_NEEDED = ("measures_json", "labels", "lungs_json", "lungs", "preview", "repeatability_json")
"""Roles of the files that are read, where a result has them."""

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Timepoint:
    """One result.

    Attributes:
        folder: Where it lies.
        day: Days since the first of the results that are compared.
        schema: Of its labels.
        record: Its run.json.
        figures: (region, class, measure) -> value, of every class of the schema and any lesion, as far as known.
        lungs_ml: Volume of both lungs, if found.
        lung_mass_g: Their mass.
        cut: Where the scan cuts the lungs off; empty where it holds them whole, or none were found.
        sd: Class -> standard deviation of the logarithm of its area under the technique alone.
        num_looks: From so many further looks.
    """

    folder: Path
    day: int
    schema: LabelSchema
    record: Mapping[str, Any]
    figures: Mapping[Key, float]
    lungs_ml: float | None = None
    lung_mass_g: float | None = None
    cut: tuple[str, ...] = ()
    sd: Mapping[str, float] = field(default_factory=dict)
    num_looks: int = 0

    @property
    def acquisition(self) -> Mapping[str, Any]:
        """How the series was taken, as far as its header says; and the grid it lies on."""
        spacing = self.record["input"]["spacing_mm"]
        return {
            **self.record.get("acquisition", {}),
            "slice_spacing_mm": spacing["slice"],
            "pixel_spacing_mm": spacing["row"],
        }

    @property
    def any_marked(self) -> bool:
        """Whether anything is marked in the scan."""
        return any(value > 0 for (region, _, _), value in self.figures.items() if region == SCAN)

    def file(self, role: str) -> Path | None:
        """A file of the result by its role; None where there is none."""
        name = self.record["files"].get(role)
        return None if name is None else self.folder / name


def read_timepoints(
    folders: Sequence[Path], *, same_person: bool = False, dates: Sequence[datetime.date] = ()
) -> list[Timepoint]:
    """The results in the order of time.

    Args:
        folders: Results of `msdnet segment`; two at least.
        same_person: Whether the caller says so: needed where a result does not tell whose it is.
        dates: When the scans were taken, in the order of the folders: needed where the results do not tell.

    Raises:
        OptionError: if a folder is no result, has no volumes, or is not of the same person; or times are missing.
        SchemaError: if label schemas differ.
    """
    if len(folders) < 2 or len({f.resolve() for f in folders}) < len(folders):
        raise OptionError(
            "a follow-up needs results of two or more scans",
            got=f"{len(folders)} folders, {len({f.resolve() for f in folders})} of them different",
            expected="two or more result folders of msdnet segment",
            do="name each scan's result once",
        )
    records = [_read_record(folder) for folder in folders]
    names = {r["schema"]["name"] for r in records}
    if len(names) > 1:
        raise SchemaError(
            "the results have different label schemas",
            got=", ".join(sorted(names)),
            expected="one schema",
            do="segment all scans with the same weights",
        )
    subjects = [r.get("subject") for r in records]
    _check_person(folders, subjects, same_person=same_person)
    days = _days(folders, subjects, dates)
    points = []
    for folder, record, day in zip(folders, records, days, strict=True):
        try:
            points.append(_read(folder, record, day))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise _damaged(folder, f"{type(error).__name__} in its tables") from error
    return sorted(points, key=lambda point: point.day)


def _read_record(folder: Path) -> dict[str, Any]:
    record = read_run_record(folder)
    if record is None or not {"measures_json", "labels"} <= set(record["files"]):
        raise OptionError(
            "not a result that can be followed up",
            got=f"{folder}: {'no result of msdnet' if record is None else 'no measures in it'}",
            expected="a folder that `msdnet segment` wrote",
            do="segment the scan first, and name the folder that was given with -o",
        )
    missing = [name for role in _NEEDED if (name := record["files"].get(role)) and not (folder / name).is_file()]
    if missing or not {"input", "schema", "weights", "options", "version"} <= set(record):
        raise _damaged(folder, f"no {missing[0]}" if missing else "an incomplete run.json")
    if any(mm is None for mm in record["input"]["spacing_mm"].values()):
        raise OptionError(
            "a result without volumes cannot be followed up",
            got=f"{folder}: its scan's spacing is unknown",
            expected="scans whose slices have a known size and distance",
            do="segment the DICOM series or a volume with its spacing, not pictures",
        )
    return record


def _damaged(folder: Path, got: str) -> OptionError:
    return OptionError(
        "a result is damaged",
        got=f"{folder}: {got}",
        expected="the folder as `msdnet segment` wrote it",
        do="segment that scan again",
    )


def _check_person(folders: Sequence[Path], subjects: Sequence[Any], *, same_person: bool) -> None:
    keys = {subject["key"] for subject in subjects if subject}
    if len(keys) > 1:
        raise OptionError(
            "the results are of different people",
            got=f"{len(keys)} subject keys in run.json",
            expected="one person's scans, keyed with one site key",
            do="choose results of one person; if these are, segment all with one site key (MSDNET_SITE_KEY)",
        )
    unknown = [str(folder) for folder, subject in zip(folders, subjects, strict=True) if not subject]
    if unknown and not same_person:
        raise OptionError(
            "it is not known whether these are scans of one person",
            got=f"no subject in run.json of {', '.join(unknown)}",
            expected="results of DICOM series with a patient's number, or your word",
            do="add --same-person and --dates, if they are",
        )


def _days(folders: Sequence[Path], subjects: Sequence[Any], dates: Sequence[datetime.date]) -> list[int]:
    """Days since the earliest."""
    if dates:
        if len(dates) != len(folders):
            raise OptionError(
                "each result needs its date",
                got=f"{len(dates)} dates for {len(folders)} results",
                expected="as many dates, in the order of the results",
                do="for instance --dates 2024-03-01,2024-03-08",
            )
        numbers = [date.toordinal() for date in dates]
        told = [subject.get("day") for subject in subjects if subject]
        if len(told) == len(folders) and None not in told:
            known = [int(day) - int(told[0]) for day in told]
            if known != [number - numbers[0] for number in numbers]:
                raise OptionError(
                    "the dates are not those of the results",
                    got=f"--dates that are {', '.join(str(n - numbers[0]) for n in numbers)} days after the first",
                    expected=f"{', '.join(map(str, known))} days, as the DICOM series tell",
                    do="leave --dates out",
                )
    elif all(subject and "day" in subject for subject in subjects):
        numbers = [int(subject["day"]) for subject in subjects]
    else:
        raise OptionError(
            "it is not known when the scans were taken",
            got="a result without a day in run.json",
            expected="results of dated DICOM series, or the dates",
            do="add --dates, one for each result, for instance --dates 2024-03-01,2024-03-08",
        )
    return [number - min(numbers) for number in numbers]


def _read(folder: Path, record: Mapping[str, Any], day: int) -> Timepoint:
    schema = get_schema(record["schema"]["name"])
    files = record["files"]
    figures: dict[Key, float] = {}
    total = 0.0
    measured = {entry["class"]: float(entry["volume_ml"]) for entry in _json(folder / files["measures_json"])}
    for name in schema.names:
        figures[SCAN, name, VOLUME] = measured[name]
        total += measured[name]
    if len(schema.classes) > 1:
        figures[SCAN, "any_lesion", VOLUME] = total
    told: dict[str, Any] = {}
    if "lungs_json" in files:
        lungs = _json(folder / files["lungs_json"])
        for region in lungs["regions"]:
            for entry in region["classes"]:
                for measure in _MEASURES:
                    if entry[measure] is not None:
                        figures[region["name"], entry["class_name"], measure] = entry[measure]
        told["lungs_ml"], told["lung_mass_g"] = (lungs["regions"][0][key] for key in ("volume_ml", "mass_g"))
        told["cut"] = tuple(lungs["findings"]["cut"])
    if "repeatability_json" in files:
        entries = _json(folder / files["repeatability_json"])
        told["sd"] = {entry["class"]: entry["sd_log_area"] for entry in entries}
        told["num_looks"] = min(entry["num_looks"] for entry in entries)
    return Timepoint(folder, day, schema, record, figures, **told)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
