"""Predicted masks against true ones, from files to tables: the task of `msdnet evaluate`.

OUT/per_slice.csv, per_patient.csv    pixel counts and measures; every figure is made from the slices' rows
OUT/table.md, table.csv, table.tex    one table in three forms
OUT/run.json                          how it was made

Of several predictions OUT/comparison.*, significance.* and detection.* stand instead of the table, as
`msdnet cross-validate` writes them, and the rows are in OUT/per_slice.NAME.csv and OUT/per_patient.NAME.csv.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msdnet import __version__
from msdnet.errors import InputError, OptionError
from msdnet.evaluation.bootstrap import LEVEL, RESAMPLES, SEED
from msdnet.evaluation.comparison import comparison_table, detection_table, significance_table
from msdnet.evaluation.figures import check_min_pixels
from msdnet.evaluation.masks import (
    NO_GROUP,
    Kind,
    MaskFiles,
    MaskSlice,
    TrueMask,
    all_faults,
    check_soft,
    check_threshold,
    check_values,
    mask_stem,
    match_masks,
    read_groups,
    read_pair,
    read_true,
)
from msdnet.evaluation.overlap import SliceOverlap, count_overlap, pool_groups, write_overlaps
from msdnet.evaluation.rendering import Table
from msdnet.evaluation.tables import figures_table
from msdnet.files import RUN_RECORD, TOOL
from msdnet.labels import LabelSchema


def evaluate_masks(
    predictions: Path | Sequence[Path],
    labels: Path,
    schema: LabelSchema,
    out: Path,
    *,
    reference: str | None = None,
    groups: Path | None = None,
    values: Mapping[int, int] | None = None,
    label_values: Mapping[int, int] | None = None,
    threshold: float | None = None,
    hausdorff: bool = True,
    min_pixels: int = 1,
) -> Path:
    """The table in Markdown; beside it in `out` the rows it is made from and how (see the module's text).

    Nothing is written unless every pair can be compared.

    Args:
        predictions: A folder of index PNGs or NIfTI files, a folder of results of `msdnet segment`, or one file; or
            several of these, each named as its folder or file is.
        labels: The truth, of the same kind, with the same file names up to their endings.
        schema: What the numbers mean.
        out: Made if missing; files of these names in it are replaced.
        reference: Of several predictions the one that the others are tested against; None for the first.
        groups: CSV with the columns name (of a slice) and group (patient). Without it each volume or picture is one.
        values: Number in the predictions -> number in the schema.
        label_values: The same for the true labels.
        threshold: The predictions are soft maps of the schema's one class, marked from this share of white (PNG) or of
            1 (NIfTI) on.
        hausdorff: Whether to take the 95 % Hausdorff distance where the spacing is known.
        min_pixels: From how many pixels on a slice counts as predicted positive.

    Raises:
        DatasetError: if masks are missing, damaged, in colours, of different size or place, or without group: all
            faults in one error.
        SchemaError: if the only fault are numbers outside the schema, listed for all files.
        OptionError: if a mapping leads outside the schema, the threshold or the reference cannot be meant, two
            predictions have one name, or min_pixels is less than 1.
    """
    check_values(values, schema, "--values")
    check_values(label_values, schema, "--label-values")
    check_threshold(threshold, values, schema)
    check_min_pixels(min_pixels)
    named = _named([predictions] if isinstance(predictions, Path) else predictions, reference)
    group_of = read_groups(groups) if groups is not None else None
    pairs, faults = _match(named, labels)
    reader = _Reader(
        functools.partial(read_true, schema=schema, label_values=label_values),
        functools.partial(read_pair, schema=schema, values=values, threshold=threshold),
        {} if group_of is None else group_of,
    )
    measured: dict[str, _Measured] = {}
    for name, of_name in pairs.items():
        measured[name], found = _measure(of_name, schema, reader, hausdorff=hausdorff, only_check=bool(faults))
        faults += found if len(named) == 1 else [_prefixed(f, name) for f in found]
    faults = [*reader.faults.values(), *faults]
    if faults:
        raise all_faults(faults, schema)

    first = next(iter(measured.values()))
    rows = {name: m.rows for name, m in measured.items()}
    notes = [] if group_of is not None else [_UNGROUPED[first.kind]]
    if hausdorff and len(rows) == 1 and not first.spacing_known:
        notes.append("no HD95: the spacing is not known")
    if threshold is not None:
        notes.append(f"soft maps, marked from {threshold:g} on")
    reference = (reference or next(iter(rows))) if len(rows) > 1 else None
    tables = _tables(rows, schema, reference, min_pixels, notes)
    out.mkdir(parents=True, exist_ok=True)
    markdown, *others = (file for stem, one in tables.items() for file in one.write(out, stem))
    for name, of_network in rows.items():
        for stem, level in (("per_slice", of_network), ("per_patient", pool_groups(of_network))):
            others.append(f"{stem}.{name}.csv" if reference else f"{stem}.csv")
            write_overlaps(out / others[-1], level, with_measures=True)
    record: dict[str, Any] = {
        "tool": TOOL,
        "task": "evaluate",
        "version": __version__,
        "schema": {
            "name": schema.name,
            "labels": {"0": "background", **{str(c.index): c.name for c in schema.classes}},
        },
        "input": {
            "sha256": {name: m.sha256 for name, m in measured.items()},
            "kind": first.kind,
            "num_pairs": first.num_pairs,
            "num_slices": len({r.name for r in first.rows}),
            "num_groups": len({r.group for r in first.rows}),
        },
        "options": {
            "reference": reference,
            "groups": groups is not None,
            "values": _plain(values),
            "label_values": _plain(label_values),
            "threshold": threshold,
            "hausdorff": hausdorff,
            "min_pixels": min_pixels,
        },
        "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED, "unit": "group"},
        "conventions": " ".join(next(iter(tables.values())).foot.split()),
        "notes": notes,
        "files": {name: name for name in (markdown, *others, RUN_RECORD)},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("numpy", "scipy", "nibabel", "pillow")},
    }
    (out / RUN_RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return out / markdown


def _tables(
    rows: Mapping[str, Sequence[SliceOverlap]],
    schema: LabelSchema,
    reference: str | None,
    min_pixels: int,
    notes: Sequence[str],
) -> dict[str, Table]:
    """By the names of their files, the first one first; the reference is None where there is one network alone."""
    if reference is None:
        [alone] = rows.values()
        return {"table": figures_table(alone, schema, min_pixels=min_pixels, notes=notes)}
    return {
        "comparison": comparison_table(rows, schema, reference=reference, notes=notes),
        "significance": significance_table(rows, schema, reference=reference, notes=notes),
        "detection": detection_table(rows, schema, min_pixels=min_pixels, notes=notes),
    }


@dataclass(frozen=True)
class _Measured:
    rows: list[SliceOverlap]
    kind: Kind
    num_pairs: int
    sha256: str
    spacing_known: bool


@dataclass(frozen=True)
class _Reader:
    """Reads pairs; what is wrong with a true label map is kept once, however many networks are held against it."""

    read_true: Callable[[MaskFiles], TrueMask]
    read_pair: Callable[[MaskFiles, TrueMask], list[MaskSlice]]
    group_of: Mapping[str, str]
    faults: dict[str, InputError] = field(default_factory=dict)

    def read(self, files: MaskFiles) -> list[MaskSlice]:
        """The slices of a pair; none where the fault is the truth's.

        Raises:
            InputError: if the prediction cannot be used.
        """
        if files.name in self.faults:
            return []
        try:
            true = self.read_true(files)
        except InputError as error:
            self.faults[files.name] = error
            return []
        return self.read_pair(files, true)


def _named(predictions: Sequence[Path], reference: str | None) -> dict[str, Path]:
    names = [mask_stem(Path(os.path.abspath(path))) for path in predictions]  # noqa: PTH100 - a link keeps its name
    named = dict(zip(names, predictions, strict=True))
    if not named or len(named) < len(names) or (reference is not None and reference not in named):
        raise OptionError(
            "the predictions cannot be told apart" if reference in (None, *names) else "no prediction is the reference",
            got=", ".join(names) + (f"; reference {reference}" if reference is not None else ""),
            expected="one or more folders or files, each with a name of its own",
            do="rename the folders: their names stand in the table"
            if reference in (None, *names)
            else "name one of them with --reference",
        )
    return named


def _match(named: Mapping[str, Path], labels: Path) -> tuple[dict[str, list[MaskFiles]], list[str | InputError]]:
    """The pairs of every network, before any is read, and all that is without a partner."""
    pairs: dict[str, list[MaskFiles]] = {}
    faults: list[str | InputError] = []
    for name, path in named.items():
        try:
            pairs[name], alone = match_masks(path, labels)
        except InputError as error:
            if len(named) == 1:
                raise
            alone = []
            faults.append(_prefixed(error, name))
        faults += [_prefixed(line, name) if len(named) > 1 else line for line in alone]
    return pairs, faults


def _measure(
    pairs: Sequence[MaskFiles], schema: LabelSchema, reader: _Reader, *, hausdorff: bool, only_check: bool
) -> tuple[_Measured, list[str | InputError]]:
    group_of = reader.group_of
    faults: list[str | InputError] = []
    rows: list[SliceOverlap] = []
    highest: list[float | None] = []
    spacing_known = False
    digest = hashlib.sha256()
    for files in pairs:
        try:
            slices = reader.read(files)
        except InputError as error:
            faults.append(error)
            continue
        if group_of and files.name not in group_of and any(s.name not in group_of for s in slices):
            faults.append(f"{files.name}{NO_GROUP}")
        highest += [s.highest for s in slices]
        for s in slices if not (only_check or faults or reader.faults) else ():
            group = files.name if not group_of else group_of.get(s.name, group_of.get(files.name, ""))
            _add(digest, s)
            spacing_known |= s.spacing_mm is not None
            spacing_mm = s.spacing_mm if hausdorff else None
            rows += count_overlap(s.predicted, s.true, schema, name=s.name, group=group, spacing_mm=spacing_mm)
    faults += check_soft(highest)
    kind = pairs[0].kind if pairs else "PNG"
    return _Measured(rows, kind, len(pairs), digest.hexdigest(), spacing_known), faults


_UNGROUPED = {
    "PNG": "patients not known: each slice counts as its own, so the intervals are too narrow",
    "NIfTI": "each volume counts as one patient",
}


def _prefixed(fault: str | InputError, name: str) -> str | InputError:
    if isinstance(fault, str):
        return f"{name}: {fault}"
    return type(fault)(f"{name}: {fault.what}", got=fault.got, expected=fault.expected, do=fault.do)


def _add(digest: Any, s: MaskSlice) -> None:
    digest.update(f"{s.name} {s.true.shape} {s.spacing_mm}".encode())
    digest.update(s.predicted.tobytes())
    digest.update(s.true.tobytes())


def _plain(values: Mapping[int, int] | None) -> dict[str, int] | None:
    return None if values is None else {str(old): new for old, new in values.items()}
