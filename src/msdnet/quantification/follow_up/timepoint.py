"""A result folder as one point in time, and several of them in the order of time."""

from __future__ import annotations

import datetime
import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msdnet.errors import OptionError, SchemaError
from msdnet.labels import LabelSchema, get_schema
from msdnet.quantification.follow_up.person import check_person, find_days
from msdnet.quantification.follow_up.result_files import check_voxels, damaged, read_result_record
from msdnet.quantification.regions import SIDES

SCAN, LUNGS = "scan", "lungs"
"""Regions: everything that is marked, wherever it lies; and both lungs."""

VOLUME, MASS, PERCENT = "volume_ml", "mass_g", "percent"
_MEASURES = (VOLUME, MASS, PERCENT)

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Timepoint:
    """One result.

    Attributes:
        folder: Where it lies.
        day: Days since the first of the results that are compared.
        mark: A letter, where another scan is of the same day.
        schema: Of its labels.
        record: Its run.json.
        figures: (region, class, measure) -> value, of every class of the schema and any lesion, as far as known.
        lungs_ml: Volume of both lungs, if found.
        lung_mass_g: Their mass.
        cut: Where the scan cuts the lungs off; empty where it holds them whole, or none were found.
        sd: Class -> standard deviation of the logarithm of its area under the technique alone; without classes of
            which no further look shows anything.
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
    mark: str = ""

    @property
    def name(self) -> str:
        """The day, with its letter."""
        return f"{self.day}{self.mark}"

    @property
    def key(self) -> str | None:
        """The person's key; None where the result does not tell."""
        subject = self.record.get("subject")
        return subject["key"] if subject else None

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
    """The results in the order of time. Scans of one day keep the order of the folders, and a letter parts them.

    Args:
        folders: Results of `msdnet segment`; two at least.
        same_person: Whether the caller says so: needed where a result does not tell whose it is, or tells otherwise.
        dates: When the scans were taken, in the order of the folders: needed where the results do not tell.

    Raises:
        OptionError: if a folder is no result, has no volumes, is damaged, or is not of the same person; or times are
            missing.
        SchemaError: if label schemas differ.
    """
    if len(folders) < 2 or len({f.resolve() for f in folders}) < len(folders):
        raise OptionError(
            "a follow-up needs results of two or more scans",
            got=f"{len(folders)} folders, {len({f.resolve() for f in folders})} of them different",
            expected="two or more result folders of msdnet segment",
            do="name each scan's result once",
        )
    records = [read_result_record(folder) for folder in folders]
    names = {r["schema"]["name"] for r in records}
    if len(names) > 1:
        raise SchemaError(
            "the results have different label schemas",
            got=", ".join(sorted(names)),
            expected="one schema",
            do="segment all scans with the same weights",
        )
    subjects = [r.get("subject") for r in records]
    check_person(folders, subjects, same_person=same_person)
    days = find_days(folders, subjects, dates)
    points = []
    for folder, record, day in zip(folders, records, days, strict=True):
        try:
            points.append(_read(folder, record, day))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise damaged(folder, f"{type(error).__name__} in its tables") from error
    return _marked(sorted(points, key=lambda point: point.day))


def _marked(points: Sequence[Timepoint]) -> list[Timepoint]:
    """With letters, where several are of one day."""
    days = [point.day for point in points]
    return [
        replace(point, mark=string.ascii_lowercase[days[:place].count(point.day) % 26])
        if days.count(point.day) > 1
        else point
        for place, point in enumerate(points)
    ]


def _read(folder: Path, record: Mapping[str, Any], day: int) -> Timepoint:
    schema = get_schema(record["schema"]["name"])
    files = record["files"]
    figures: dict[Key, float] = {}
    total = 0.0
    entries = {entry["class"]: entry for entry in _json(folder / files["measures_json"])}
    check_voxels(folder / files["labels"], {c.index: int(entries[c.name]["voxels"]) for c in schema.classes})
    measured = {name: float(entry["volume_ml"]) for name, entry in entries.items()}
    for name in schema.names:
        figures[SCAN, name, VOLUME] = measured[name]
        total += measured[name]
    if len(schema.classes) > 1:
        figures[SCAN, "any_lesion", VOLUME] = total
    told: dict[str, Any] = {}
    if "lungs_json" in files:
        lungs = _json(folder / files["lungs_json"])
        if "lungs" in files:
            voxels = {region["name"]: int(region["voxels"]) for region in lungs["regions"]}
            check_voxels(folder / files["lungs"], {number: voxels[name] for name, number in SIDES.items()})
        for region in lungs["regions"]:
            for entry in region["classes"]:
                for measure in _MEASURES:
                    if entry[measure] is not None:
                        figures[region["name"], entry["class_name"], measure] = entry[measure]
        told["lungs_ml"], told["lung_mass_g"] = (lungs["regions"][0][key] for key in ("volume_ml", "mass_g"))
        told["cut"] = tuple(lungs["findings"]["cut"])
    if "repeatability_json" in files:
        looks = _json(folder / files["repeatability_json"])
        told["sd"] = {look["class"]: look["sd_log_area"] for look in looks if any(look["again"])}
        told["num_looks"] = min(look["num_looks"] for look in looks)
    return Timepoint(folder, day, schema, record, figures, **told)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
