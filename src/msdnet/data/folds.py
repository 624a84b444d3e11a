"""Folds for cross-validation: stratified by the classes a slice shows, never splitting a group, drawn once and kept.

A file of folds is a CSV file whose first line names the data set it was drawn for:

    # msdnet folds, manifest SHA-256 HEX, num_folds 5, seed 0
    slice,group,fold
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from msdnet.data.faults import Fault, raise_faults, told
from msdnet.data.manifest import Manifest
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError
from msdnet.files import alone_in, whole_file
from msdnet.labels import LabelSchema, get_schema

_FIRST_LINE = re.compile(r"# msdnet folds, manifest SHA-256 ([0-9a-f]{64}), num_folds (\d+), seed (\d+)")
_HEADER = ["slice", "group", "fold"]


@dataclass(frozen=True)
class Folds:
    """The validation fold of every slice, and what a reader should know.

    Attributes:
        folds: 0 to num_folds - 1, in the order of the slices they were asked for.
        num_folds: How many there are.
        seed: They were drawn with.
        notes: Classes that a fold's validation part lacks.
    """

    folds: tuple[int, ...]
    num_folds: int
    seed: int
    notes: tuple[str, ...] = ()


def assign_folds(slices: Sequence[TrainingSlice], num_folds: int, seed: int) -> list[int]:
    """The validation fold of every slice, 0 to num_folds - 1.

    Raises:
        DatasetError: if there are fewer groups than folds.
    """
    groups = [s.group for s in slices]
    if len(set(groups)) < num_folds:
        raise DatasetError(
            "there are fewer groups than folds",
            got=f"{len(set(groups))} groups",
            expected=f"at least {num_folds}",
            do="lower num_folds, or check the groups",
        )
    classes = ["" if s.labels is None else "".join(map(str, np.unique(s.labels))) for s in slices]
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    folds = [-1] * len(slices)
    with warnings.catch_warnings():  # a combination of classes rarer than num_folds cannot be in every fold
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, validation) in enumerate(splitter.split(np.zeros(len(slices)), classes, groups)):
            for i in validation:
                folds[i] = fold
    return folds


def folds_for(manifest: Manifest, slices: Sequence[TrainingSlice], path: Path, *, num_folds: int, seed: int) -> Folds:
    """The folds in the file, or where there is no file the folds drawn now and written to it; never drawn again.

    Args:
        manifest: The data set.
        slices: Its labelled slices that take part.
        path: The file of folds.
        num_folds: How many.
        seed: To draw with.

    Raises:
        DatasetError: as `read_folds`; if the file has another number of folds or seed; if there are fewer groups than
            folds; if a class is missing from a fold's training part.
    """
    if not path.is_file():
        folds = assign_folds(slices, num_folds, seed)
        check_classes(slices, folds, get_schema(manifest.schema))
        with alone_in(path.parent):
            if not path.is_file():  # several processes may begin a run together
                write_folds(path, manifest, slices, folds, num_folds=num_folds, seed=seed)
    found = read_folds(path, manifest, slices)
    if (found.num_folds, found.seed) != (num_folds, seed):
        raise DatasetError(
            f"the folds in {path.name} are others than asked for",
            got=f"num_folds {found.num_folds}, seed {found.seed}",
            expected=f"num_folds {num_folds}, seed {seed}",
            do="ask for those in the file, or name another file",
        )
    return found


def write_folds(
    path: Path, manifest: Manifest, slices: Sequence[TrainingSlice], folds: Sequence[int], *, num_folds: int, seed: int
) -> None:
    """Writes the file of folds."""
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# msdnet folds, manifest SHA-256 {manifest.sha256}, num_folds {num_folds}, seed {seed}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows((s.name, s.group, f) for s, f in zip(slices, folds, strict=True))


def read_folds(path: Path, manifest: Manifest, slices: Sequence[TrainingSlice]) -> Folds:
    """The folds of the slices, from a file that was written for this very data set.

    Raises:
        DatasetError: if the file is malformed or of another state of the data set; if a slice is missing, unknown or
            listed twice, or a group lies in two folds; if a class is missing from a fold's training part. All at once.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    first = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    records = list(csv.reader(lines[1:]))
    if first is None or not records or records[0] != _HEADER or any(len(r) != 3 for r in records):
        raise DatasetError(
            f"{path.name} is no file of folds",
            got=lines[0][:60] if lines else "an empty file",
            expected="a first line with the manifest's SHA-256, then slice,group,fold",
            do="draw the folds anew into another file",
        )
    if first[1] != manifest.sha256:
        raise DatasetError(
            f"the data set has changed since the folds in {path.name} were drawn",
            got=f"a manifest with SHA-256 {manifest.sha256[:12]}...",
            expected=f"{first[1][:12]}...",
            do="restore that data set, or draw folds anew into another file and train every fold again",
        )
    num_folds = int(first[2])
    fold_of, faults = _read_rows(records[1:], num_folds)
    groups = {s.name: s.group for s in slices}
    faults += [Fault("a slice without fold", n) for n in groups if n not in fold_of]
    faults += [Fault("a slice that does not take part", n) for n in fold_of if n not in groups]
    folds_of_group: dict[str, set[int]] = {}
    for name, (group, fold) in fold_of.items():
        folds_of_group.setdefault(group, set()).add(fold)
        if groups.get(name, group) != group:
            faults.append(Fault("a slice with another group than in the data set", name))
    faults += [Fault("a group (patient) in two folds", g) for g, found in folds_of_group.items() if len(found) > 1]
    raise_faults(
        f"the folds in {path.name} cannot be used",
        faults,
        expected=f"every labelled slice once, in a fold 0 to {num_folds - 1}, all slices of a group in one",
        do="restore the file, or draw folds anew into another file",
    )
    folds = [fold_of[s.name][1] for s in slices]
    notes = check_classes(slices, folds, get_schema(manifest.schema))
    return Folds(tuple(folds), num_folds, int(first[3]), tuple(notes))


def check_classes(slices: Sequence[TrainingSlice], folds: Sequence[int], schema: LabelSchema) -> list[str]:
    """Notes on classes that a fold's validation part lacks; classes that occur nowhere are no matter of folds.

    Raises:
        DatasetError: if a class that occurs is missing from the training part of a fold; all such at once.
    """
    shown = [set() if s.labels is None else set(np.unique(s.labels).tolist()) for s in slices]
    occurring = set().union(*shown) - {0}
    faults, notes = [], []
    for c in (c for c in schema.classes if c.index in occurring):
        holding = {fold for fold, classes in zip(folds, shown, strict=True) if c.index in classes}
        for fold in sorted(set(folds)):
            if holding == {fold}:
                faults.append(Fault(f"no slice with {c.name} in the training part of", f"fold {fold}"))
            elif fold not in holding:
                notes.append(Fault(f"No slice with {c.name} in the validation part of", f"fold {fold}"))
    raise_faults(
        "the folds leave a class without training slices",
        faults,
        expected="every class of the data set in the training part of every fold",
        do="draw them with another seed; a class that one patient alone shows cannot be cross-validated",
    )
    return told(notes)


def training_part(
    slices: Sequence[TrainingSlice], folds: Sequence[int], fold: int, unlabelled: Sequence[TrainingSlice] = ()
) -> list[TrainingSlice]:
    """What a fold's network may see: slices of other folds, and unlabelled ones of no group in its validation part."""
    held_back = {s.group for s, f in zip(slices, folds, strict=True) if f == fold}
    return [s for s in [*slices, *unlabelled] if s.group not in held_back]


def _read_rows(records: Sequence[Sequence[str]], num_folds: int) -> tuple[dict[str, tuple[str, int]], list[Fault]]:
    found: dict[str, tuple[str, int]] = {}
    faults = []
    for name, group, fold in records:
        if name in found:
            faults.append(Fault("a slice that stands twice", name))
        if not fold.isdecimal() or int(fold) >= num_folds:
            faults.append(Fault(f"fold {fold!r}, which is none", name))
            continue
        found[name] = group, int(fold)
    return found, faults
