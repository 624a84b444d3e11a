"""Label maps from anywhere, in pairs: index PNGs or NIfTI volumes, predicted against true, matched by file name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from msdnet.data.csv_files import read_csv
from msdnet.errors import DatasetError, InputError, OptionError, SchemaError
from msdnet.evaluation.mask_files import Mask, read_nifti, read_png
from msdnet.files import is_clutter
from msdnet.labels import LabelSchema

Array = np.ndarray[Any, Any]
Kind = Literal["PNG", "NIfTI"]

_MAX_SHIFT = 0.1  # of the smallest voxel side: files of one grid differ by the rounding of their headers
_NUM_SHOWN = 20
NO_GROUP = ": not among the slices of --groups"
_DARK = 0.1  # a soft map's highest share is above this


@dataclass(frozen=True)
class MaskFiles:
    """A predicted and a true label map that belong together."""

    name: str
    kind: Kind
    predicted: Path
    true: Path


@dataclass(frozen=True)
class MaskSlice:
    """One slice of both.

    Attributes:
        name: The file's stem; for volumes with the number of the slice behind a colon.
        predicted, true: (row, column) uint8, numbers of the schema.
        spacing_mm: Size of a pixel along rows and columns of the array, or None where it is not known.
        highest: The largest share in a soft map; None where the predictions are class numbers.
    """

    name: str
    predicted: Array
    true: Array
    spacing_mm: tuple[float, float] | None
    highest: float | None = None


@dataclass(frozen=True)
class TrueMask:
    """A true label map.

    Attributes:
        array: (row, column, slice) uint8, numbers of the schema.
        affine: As in its file; None for a picture.
        spacing_mm: As of a `MaskSlice`.
    """

    array: Array
    affine: Array | None
    spacing_mm: tuple[float, float] | None


def match_masks(predictions: Path, labels: Path) -> tuple[list[MaskFiles], list[str]]:
    """The pairs in the order of their names, and a line for each file without a partner.

    Either both are files, which then need not have one name, or both are folders of PNG or of NIfTI files. In a folder
    of result folders, as `msdnet segment` writes them, each labels.nii.gz or labels.png goes by its folder's name.

    Raises:
        DatasetError: if there are no masks, or if they are of two kinds.
    """
    predicted, of_predictions = _list_masks(predictions, "predictions")
    true, of_labels = _list_masks(labels, "labels")
    if of_predictions != of_labels:
        raise DatasetError(
            "predictions and labels are of two kinds",
            got=f"{of_predictions} against {of_labels}",
            expected="index PNGs against index PNGs, or NIfTI against NIfTI",
            do="convert one of them; slices of a volume and pictures cannot be matched safely",
        )
    if predictions.is_file() and labels.is_file():
        return [MaskFiles(mask_stem(labels), of_labels, predictions, labels)], []
    faults = [f"{name}: predicted, but not among the labels" for name in sorted(predicted.keys() - true.keys())]
    faults += [f"{name}: among the labels, but not predicted" for name in sorted(true.keys() - predicted.keys())]
    names = sorted(predicted.keys() & true.keys())
    return [MaskFiles(name, of_labels, predicted[name], true[name]) for name in names], faults


def read_true(files: MaskFiles, schema: LabelSchema, *, label_values: Mapping[int, int] | None = None) -> TrueMask:
    """The true label map of a pair.

    Args:
        files: What to read.
        schema: What the numbers mean.
        label_values: Number in the true labels -> number in the schema; 0 stays 0 unless named.

    Raises:
        DatasetError: if the file is damaged or in colours.
        SchemaError: if a number is neither in the schema nor in the mapping.
    """
    mask = _read(files, files.true)
    labels = _to_schema(mask.array, label_values, schema, f"{files.name}, true")
    return TrueMask(labels, mask.affine, mask.spacing_mm)


def read_pair(
    files: MaskFiles,
    true: TrueMask,
    schema: LabelSchema,
    *,
    values: Mapping[int, int] | None = None,
    threshold: float | None = None,
) -> list[MaskSlice]:
    """The slices of a pair; those of a volume lie along its third axis.

    Args:
        files: What to read.
        true: Of the same pair.
        schema: What the numbers mean.
        values: Number in the predictions -> number in the schema; 0 stays 0 unless named.
        threshold: The predictions are soft maps of the schema's one class, which is where they reach this share:
            of white in a PNG, of 1 in a NIfTI file of fractions.

    Raises:
        DatasetError: if a file is damaged, in colours, or not on the other's grid.
        SchemaError: if a number is neither in the schema nor in the mapping.
    """
    predicted = _read(files, files.predicted, soft=threshold is not None)
    _check_grids(files.name, predicted, true)
    if threshold is None:
        p = _to_schema(predicted.array, values, schema, f"{files.name}, predicted")
    else:
        p = (predicted.array >= threshold).astype(np.uint8)
    slices = []
    for k in range(p.shape[2]):
        name = f"{files.name}:{k}" if files.kind == "NIfTI" else files.name
        highest = None if threshold is None else float(predicted.array[..., k].max())
        slices.append(MaskSlice(name, p[..., k], true.array[..., k], true.spacing_mm, highest))
    return slices


def check_soft(slices: Iterable[float | None]) -> list[InputError]:
    """The fault of soft maps that are all but black: class numbers that were taken for shares.

    Args:
        slices: The highest share in each slice of one network.
    """
    highest = max((h for h in slices if h is not None), default=0.0)
    if not 0 < highest < _DARK:
        return []
    return [
        DatasetError(
            "the soft maps are all but black",
            got=f"no pixel with more than {highest:.2g} of white",
            expected="grey from black, 0, to white, 1",
            do="evaluate class numbers without --threshold",
        )
    ]


def read_groups(path: Path) -> dict[str, str]:
    """Slice (or the stem of a volume) -> group, from a CSV with the columns name and group, as `msdnet prepare` has it.

    The first column may be called slice, too; where both are there, slice is another number. Others are ignored. A
    name may carry its file's ending.

    Raises:
        DatasetError: if the file cannot be read, a column is missing, or a slice stands in two groups.
    """
    columns, rows = read_csv(path)
    name = "name" if "name" in columns else "slice"
    groups: dict[str, str] = {}
    twice: list[str] = []
    for row in rows if {name, "group"} <= set(columns) else ():
        if groups.setdefault(mask_stem(Path(row[name])), row["group"]) != row["group"]:
            twice.append(row[name])
    if not groups or twice:
        raise DatasetError(
            f"the groups in {path.name} cannot be used",
            got=f"in two groups: {', '.join(twice)}" if twice else "columns " + (", ".join(columns) or "(none)"),
            expected="the columns name (or slice) and group, and each slice in one group",
            do="give each slice the patient it comes from",
        )
    return groups


def check_values(values: Mapping[int, int] | None, schema: LabelSchema, option: str) -> None:
    """Refuses a mapping to numbers that the schema does not have; `option` is what a user gives it with.

    Raises:
        OptionError: then.
    """
    wrong = [f"{old} to {new}" for old, new in (values or {}).items() if not 0 <= new < schema.num_classes]
    if wrong:
        raise OptionError(
            f"{option} leads to numbers that the schema {schema.name!r} does not have",
            got=", ".join(wrong),
            expected=f"new numbers from 0 to {schema.num_classes - 1}",
            do=_meaning(schema),
        )


def check_threshold(threshold: float | None, values: Mapping[int, int] | None, schema: LabelSchema) -> None:
    """Refuses a threshold for soft maps that cannot be meant.

    Raises:
        OptionError: if it is not above 0 and at most 1, if the schema has several classes, or beside `values`.
    """
    if threshold is None:
        return
    if not 0 < threshold <= 1 or values or len(schema.classes) > 1:
        raise OptionError(
            "--threshold cannot be used so",
            got=f"{threshold:g} with the schema {schema.name!r}" + (" and --values" if values else ""),
            expected="a share above 0 and at most 1, a schema with one class, and no --values",
            do="for instance --threshold 0.5 --schema infection; maps of several classes are compared as class numbers",
        )


def all_faults(faults: Sequence[str | InputError], schema: LabelSchema) -> InputError:
    """One error for all that is wrong: a SchemaError if only numbers outside the schema are, else a DatasetError."""
    lines = [f"{f.what}: {f.got}" if isinstance(f, InputError) else f for f in faults]
    shown = lines[:_NUM_SHOWN] + ([f"and {len(lines) - _NUM_SHOWN} more"] if len(lines) > _NUM_SHOWN else [])
    advice = dict.fromkeys(f.do for f in faults if isinstance(f, InputError))
    plain = [f for f in faults if isinstance(f, str)]
    if any(f.endswith(NO_GROUP) for f in plain):
        advice = dict.fromkeys([*advice, "give --groups a line for every slice or volume"])
    if not all(f.endswith(NO_GROUP) for f in plain):
        advice = dict.fromkeys([*advice, "complete the folders, or take out what has no partner"])
    error = SchemaError if all(isinstance(f, SchemaError) for f in faults) else DatasetError
    return error(
        f"the masks cannot be compared: {len(lines)} fault{'s' if len(lines) > 1 else ''}",
        got="\n            ".join(shown),
        expected=f"pairs of label maps on one grid, with the numbers 0 to {schema.num_classes - 1}",
        do="; ".join(advice),
    )


def _list_masks(path: Path, role: str) -> tuple[dict[str, Path], Kind]:
    entries = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    files = {p: mask_stem(p) for p in entries if p.is_file() and not is_clutter(p)}
    if not any(_kind(p) for p in files):
        files = {p / n: p.name for p in entries for n in ("labels.nii.gz", "labels.png") if (p / n).is_file()}
    found = {p: name for p, name in files.items() if _kind(p)}
    kinds = {_kind(p) for p in found}
    if len(kinds) != 1 or len(set(found.values())) < len(found):
        endings = sorted({p.suffix or "no extension" for p in entries if p.is_file() and not is_clutter(p)})
        raise DatasetError(
            f"the {role} cannot be used" if found else f"the {role} hold no masks",
            got="PNG and NIfTI together, or one name twice"
            if found
            else f"files with {', '.join(endings) or 'nothing'}",
            expected="a PNG or NIfTI file, or a folder of one of them, each name once",
            do=f"check the path {path.name}, or save the masks as PNG, without loss",
        )
    (kind,) = kinds
    return {name: p for p, name in found.items()}, "PNG" if kind == "PNG" else "NIfTI"


def _kind(path: Path) -> Kind | None:
    name = path.name.lower()
    return "PNG" if name.endswith(".png") else "NIfTI" if name.endswith((".nii", ".nii.gz")) else None


def mask_stem(path: Path) -> str:
    """The name of a mask or of a folder without the ending of a mask, .nii.gz as one.

    Letters with accents are one character each: some systems store them as two, and the names would look the same.
    """
    return re.sub(r"\.(png|nii|nii\.gz)$", "", unicodedata.normalize("NFC", path.name), flags=re.IGNORECASE)


def _read(files: MaskFiles, path: Path, *, soft: bool = False) -> Mask:
    return read_png(path, soft=soft) if files.kind == "PNG" else read_nifti(path, soft=soft)


def _check_grids(name: str, predicted: Mask, true: TrueMask) -> None:
    if predicted.array.shape != true.array.shape:
        raise DatasetError(
            f"{name}: predicted and true labels differ in size",
            got=f"{_size(predicted)} against {_size(true)}",
            expected="one size",
            do="bring the predictions onto the grid of the labels",
        )
    if predicted.affine is None or true.affine is None:
        return
    ends = [(0, n - 1) for n in true.array.shape]
    corners = np.array([[i, j, k, 1] for i in ends[0] for j in ends[1] for k in ends[2]])
    shift = float(np.abs(corners @ (predicted.affine - true.affine).T).max())
    if not shift <= _MAX_SHIFT * float(np.linalg.norm(true.affine[:3, :3], axis=0).min()):
        raise DatasetError(
            f"{name}: predicted and true labels lie on different grids",
            got=f"affines that put a corner {shift:.3g} mm apart",
            expected="one affine",
            do="bring the predictions onto the grid of the labels",
        )


def _to_schema(array: Array, values: Mapping[int, int] | None, schema: LabelSchema, name: str) -> Array:
    mapping = {i: i for i in range(schema.num_classes)} if values is None else {0: 0, **values}
    unknown = sorted({int(v) for v in np.unique(array)} - mapping.keys())
    if unknown:
        more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        raise SchemaError(
            f"{name}: numbers that are {'not in the schema ' + repr(schema.name) if values is None else 'not mapped'}",
            got=", ".join(map(str, unknown[:8])) + more,
            expected=", ".join(map(str, sorted(mapping))),
            do="say which number is which class with --values OLD=NEW (predictions) or --label-values OLD=NEW (labels);"
            f" {_meaning(schema)}",
        )
    mapped = np.zeros(array.shape, dtype=np.uint8)
    for old, new in mapping.items():
        if new:
            mapped[array == old] = new
    return mapped


def _meaning(schema: LabelSchema) -> str:
    return "0 is background, " + ", ".join(f"{c.index} {c.name}" for c in schema.classes)


def _size(mask: Mask | TrueMask) -> str:
    return " x ".join(map(str, mask.array.shape if mask.affine is not None else mask.array.shape[:2]))
