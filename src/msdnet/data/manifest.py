"""A data set as a manifest: one row per slice in a CSV file, and beside it a JSON file with what holds for all rows.

    manifest.csv     name, image, slice, labels, weak, group, source, split
    manifest.json    label schema, what the label values mean, intensity, and a SHA-256 over the rows and all files

`msdnet.data.preparation.prepare` writes both after it has checked everything. A manifest whose rows or files have
changed since is refused, so that folds and figures always belong to the data that they were made from.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from msdnet.data.faults import Fault, raise_faults
from msdnet.errors import DatasetError, OptionError
from msdnet.files import whole_file
from msdnet.labels import get_schema

FORMAT = 1
COLUMNS = ("name", "image", "slice", "labels", "weak", "group", "source", "split")
SYNTHETIC = "synthetic"  # the source of made-up slices
NO_GROUPS = "No groups.csv: "  # begins the note of what is taken as a patient where nobody said it
PREPARATIONS = ("files", "covid-semiseg")


@dataclass(frozen=True)
class Row:
    """One slice.

    Attributes:
        name: Unique within the data set.
        image: The file it is in; in the CSV relative to its folder, or absolute.
        group: The patient, or a group of near-duplicates; never in two folds.
        slice: Index from feet to head in a volume (`slices.to_canonical`); None for a picture.
        labels: Label map on the image's grid, or None for a slice without truth. All zero: a slice without lesion.
        weak: A guess of any lesion, 0 to 255, on the image's grid, or None.
        source: Where it came from, free text.
        split: For example "train" or "test", or empty.
    """

    name: str
    image: Path
    group: str
    slice: int | None = None
    labels: Path | None = None
    weak: Path | None = None
    source: str = ""
    split: str = ""


class Joined(NamedTuple):
    """Two slices whose groups became one.

    Attributes:
        one, two: Their names.
        similarity: See `similarity`; None for the same image.
        splits: Of both.
    """

    one: str
    two: str
    similarity: float | None
    splits: tuple[str, str]

    def __str__(self) -> str:
        first, second = (split or "none" for split in self.splits)
        alike = "the same image" if self.similarity is None else f"alike at {self.similarity:.3f}"
        apart = "" if first == second else f" and lie in two splits ({first}, {second})"
        return f"{self.one} and {self.two} are {alike}{apart}: one group."


@dataclass(frozen=True)
class Manifest:
    """The rows and what holds for all of them.

    Attributes:
        path: The CSV file.
        rows: One per slice.
        schema: Name of the label schema.
        intensity: "HU" or "grey". HU become grey when slices are loaded, by the window of the preprocessing in use:
            the manifest keeps no window for them, so that training and prediction cannot differ.
        label_values: Number in the label files to number in the schema.
        preparation: "files": slices are loaded as their files are; "covid-semiseg": by `data.covid_semiseg`.
        window: LOW, HIGH: what becomes black and white in files that are neither HU nor 8-bit grey.
        grey: The values of the files are grey, 0 to 255 (as `read_scan` takes it).
        notes: What `prepare` found that a reader should know and that the rows do not tell, one sentence each.
        patients_known: Whether a group is a patient, as far as `prepare` was told; else slices of one patient may lie
            in several groups.
        joined: The pairs of slices by which groups were put together.
        made_from: The folder or list that `prepare` read, as `origin_of` writes it; empty where it is not known.
        sha256: Over the rows, the settings and the content of every file; paths and notes left out.
    """

    path: Path
    rows: tuple[Row, ...]
    schema: str
    intensity: str
    label_values: Mapping[int, int]
    preparation: str = "files"
    window: tuple[float, float] | None = None
    grey: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    patients_known: bool = field(default=True, compare=False)
    joined: tuple[Joined, ...] = field(default=(), compare=False)
    made_from: str = field(default="", compare=False)
    sha256: str = ""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that occur, in the order of the rows."""
        return tuple(dict.fromkeys(row.split for row in self.rows))

    @property
    def is_synthetic(self) -> bool:
        """Whether every slice is made up: no figure from it says anything about patients."""
        return all(row.source == SYNTHETIC for row in self.rows)

    def rows_of(self, split: str | None) -> tuple[Row, ...]:
        """The rows of one split; all for None.

        Raises:
            OptionError: if no row has that split.
        """
        if split is not None and split not in self.splits:
            raise OptionError(
                f"the data set has no split {split!r}",
                got=repr(split),
                expected="one of " + ", ".join(map(repr, self.splits)),
                do="choose one of these, or correct the column `split` and prepare the data set again",
            )
        return tuple(row for row in self.rows if split is None or row.split == split)


def read_manifest(path: Path) -> Manifest:
    """The manifest in a CSV file (or in the folder's manifest.csv) and the JSON file beside it.

    Raises:
        DatasetError: if one of the two is missing or malformed, if a file is missing, or if rows or files have changed
            since the manifest was made; all faults of the rows at once.
    """
    path = path / "manifest.csv" if path.is_dir() else path
    rows = read_rows(path)
    manifest = with_settings(path, rows)
    digest = content_sha256(manifest)
    if digest != manifest.sha256:
        raise DatasetError(
            f"the data set of {path.name} has changed since it was prepared",
            got=f"content with SHA-256 {digest[:12]}...",
            expected=f"{manifest.sha256[:12]}..., as {settings_path(path).name} says",
            do="restore the files, or prepare it again (its folds must then be drawn again, too)",
        )
    return manifest


def write_manifest(manifest: Manifest) -> Manifest:
    """The manifest with its hash, after both its files were written; files below its folder get relative paths."""
    manifest = dataclasses.replace(manifest, sha256=content_sha256(manifest))
    manifest.path.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "format": FORMAT,
        "schema": manifest.schema,
        "intensity": manifest.intensity,
        "label_values": {str(k): v for k, v in manifest.label_values.items()},
        "preparation": manifest.preparation,
        "window": manifest.window,
        "grey": manifest.grey,
        "sha256": manifest.sha256,
        "made_from": manifest.made_from,
        "notes": manifest.notes,
        "patients_known": manifest.patients_known,
        "joined": manifest.joined,
    }
    with whole_file(settings_path(manifest.path)) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    with (  # last, so that a killed call leaves no list that looks prepared
        whole_file(manifest.path) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(_as_text(row, manifest.path.parent) for row in manifest.rows)
    return manifest


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a CSV file alone, whoever wrote it.

    Raises:
        DatasetError: if it cannot be used; all faults at once.
    """
    if not path.is_file():
        raise DatasetError(
            "the manifest is missing",
            got=str(path),
            expected="a CSV file",
            do="check the path, or prepare the data set",
        )
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        columns = tuple(reader.fieldnames or ())
        records = list(reader)
    unknown, missing = set(columns) - set(COLUMNS), {"name", "image", "group"} - set(columns)
    faults = [Fault(f"unknown column {c!r}") for c in sorted(map(str, unknown))]
    faults += [Fault(f"no column {c!r}") for c in sorted(missing)]
    faults += [] if records else [Fault("no row")]
    rows = []
    if not missing:
        for number, record in enumerate(records, start=2):
            row, row_faults = _row_of(record, number, path.parent)
            faults += row_faults
            if row is not None:
                rows.append(row)
        faults += check_rows(rows)
    raise_faults(
        f"the manifest {path.name} cannot be used",
        faults,
        expected="the columns " + ", ".join(COLUMNS) + ", one row per slice, each name once, each file present",
        do="correct the rows (docs/data.md describes them); if the files were moved, prepare the data set again",
    )
    return tuple(rows)


def check_rows(rows: Sequence[Row]) -> list[Fault]:
    """What is wrong with the rows by themselves: names that repeat, files that are missing, empty groups."""
    faults, seen = [], set()
    present: dict[Path, bool] = {}
    for row in rows:
        if row.name in seen:
            faults.append(Fault("a name that stands twice", row.name))
        seen.add(row.name)
        if not row.group:
            faults.append(Fault("no group", row.name))
        for path in (row.image, row.labels, row.weak):
            if path is not None and not present.setdefault(path, path.exists()):
                faults.append(Fault(f"no such file as {path.name}", row.name))
    return faults


def with_settings(path: Path, rows: tuple[Row, ...]) -> Manifest:
    """The rows with what the JSON file beside their CSV file says; not compared with its hash.

    Raises:
        DatasetError: if that file is missing or malformed.
    """
    beside = settings_path(path)
    try:
        settings = json.loads(beside.read_text(encoding="utf-8"))
        if settings["format"] != FORMAT or settings["preparation"] not in PREPARATIONS:
            raise ValueError(f"format {settings['format']!r}, preparation {settings['preparation']!r}")
        manifest = Manifest(
            path=path,
            rows=rows,
            schema=get_schema(settings["schema"]).name,
            intensity=str(settings["intensity"]),
            label_values={int(k): int(v) for k, v in settings["label_values"].items()},
            preparation=settings["preparation"],
            window=None if settings["window"] is None else (settings["window"][0], settings["window"][1]),
            grey=bool(settings["grey"]),
            notes=tuple(settings["notes"]),
            patients_known=bool(settings["patients_known"]),
            joined=tuple(Joined(one, two, found, (a, b)) for one, two, found, (a, b) in settings["joined"]),
            made_from=str(settings.get("made_from", "")),
            sha256=str(settings["sha256"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DatasetError(
            f"the manifest {path.name} was not prepared",
            got=f"{beside.name} " + ("is missing" if isinstance(error, OSError) else f"is malformed ({error!r})"),
            expected=f"{beside.name} beside it, as `prepare` writes it",
            do="prepare the data set; a CSV file written by hand is a source for that, too",
        ) from error
    return manifest


def settings_path(path: Path) -> Path:
    """The JSON file beside a CSV file."""
    return path.with_suffix(".json")


def origin_of(source: Path | None, folder: Path) -> str:
    """A source as the manifest in a folder names it: below the folder by its relative path; None is synthetic."""
    return SYNTHETIC if source is None else _shown(source.resolve(), folder)


def content_sha256(manifest: Manifest) -> str:
    """SHA-256 over the rows, the settings and the bytes of every file, each read once."""
    files: dict[Path, str] = {}

    def of(path: Path | None) -> str:
        if path is None:
            return ""
        if path not in files:
            files[path] = _file_sha256(path)
        return files[path]

    digest = hashlib.sha256()
    settings = [FORMAT, manifest.schema, manifest.intensity, sorted(manifest.label_values.items())]
    digest.update(json.dumps([*settings, manifest.preparation, manifest.window, manifest.grey]).encode())
    for row in manifest.rows:
        content = [row.name, row.slice, row.group, row.source, row.split, of(row.image), of(row.labels), of(row.weak)]
        digest.update(json.dumps(content).encode())
    return digest.hexdigest()


def _file_sha256(path: Path) -> str:
    """SHA-256 of a file, or of the files in a folder (a DICOM series) in the order of their names."""
    digest = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _row_of(record: Mapping[str, Any], number: int, folder: Path) -> tuple[Row | None, list[Fault]]:
    text = {c: (record.get(c) or "").strip() for c in COLUMNS}
    faults = [Fault(f"no {c}", f"line {number}") for c in ("name", "image") if not text[c]]
    if None in record:
        faults.append(Fault("more values than columns", f"line {number}"))
    if text["slice"] and not text["slice"].isdecimal():
        faults.append(Fault(f"slice {text['slice']!r} is no index 0, 1, 2, ...", f"line {number}"))
    if faults:
        return None, faults
    paths = {c: (folder / text[c]).resolve() if text[c] else None for c in ("image", "labels", "weak")}
    image = paths.pop("image")
    if image is None:
        return None, faults
    index = int(text["slice"]) if text["slice"] else None
    return Row(text["name"], image, text["group"], index, **paths, source=text["source"], split=text["split"]), []


def _as_text(row: Row, folder: Path) -> dict[str, str]:
    return {
        "name": row.name,
        "image": _shown(row.image, folder),
        "slice": "" if row.slice is None else str(row.slice),
        "labels": "" if row.labels is None else _shown(row.labels, folder),
        "weak": "" if row.weak is None else _shown(row.weak, folder),
        "group": row.group,
        "source": row.source,
        "split": row.split,
    }


def _shown(path: Path, folder: Path) -> str:
    """The path relative to the folder where it lies in it, so that both may move together; else as it is."""
    base = folder.resolve()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
