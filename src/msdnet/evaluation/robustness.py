"""How much worse labels get when the picture gets worse: networks measured on spoilt slices, row by row.

Source: section IV and figure 6 of the paper, which show one slice under Gaussian noise; here every slice is measured,
under every kind in `perturbations.PERTURBATIONS`.
"""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation.overlap import SliceOverlap, count_overlap
from msdnet.evaluation.perturbations import PERTURBATIONS, check_level, draw_noise, get_perturbation, perturb
from msdnet.files import whole_file
from msdnet.labels import ANY_LESION, LabelSchema

Predictor = Callable[[TrainingSlice, Tensor], Array]
"""A slice and its grey (H, W) in 0..1, perhaps spoilt -> labels (H, W). The slice tells which fold's network to use:
one that was not trained on it. Its own `image` must not be looked at."""


class Condition(NamedTuple):
    """What was measured together: one network under one level of one kind of perturbation."""

    kind: str
    level: float
    network: str


Results = dict[Condition, list[SliceOverlap]]


def measure_robustness(
    networks: Mapping[str, Predictor],
    slices: Sequence[TrainingSlice],
    schema: LabelSchema,
    levels: Mapping[str, Sequence[float]] | None = None,
    *,
    as_seen: Mapping[str, Sequence[TrainingSlice]] | None = None,
    seed: int = 0,
    folds: Mapping[str, int] | None = None,
    path: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Results:
    """The overlaps of every network under every level of every kind.

    A kind's neutral level, against which drops are taken, is always measured, and only once per network: it is the
    same slice for all kinds.

    Args:
        networks: What predicts, by name.
        slices: With labels.
        schema: Of the labels.
        levels: Kind -> levels; the usual ones of every kind by default.
        as_seen: Network -> the slices with the grey of its own window, where that is not the grey in `slices`.
        seed: Of the noise.
        folds: Slice -> validation fold, to be kept in the rows.
        path: CSV that is written after each condition. What it already holds is not measured again; a network is
            known by its name alone: the caller sees to it that its weights are the same.
        progress: Called after each slice with the condition and the share of the whole that is done, 0 to 1.

    Raises:
        OptionError: if a kind or level cannot be used, or the file was made with another seed.
        DatasetError: if a slice has no labels or two have one name, or the file is about other slices or classes.
        SchemaError: if predicted labels do not fit the slice or the schema.
    """
    conditions = _plan(list(networks), levels)
    labelled = {network: _labelled((as_seen or {}).get(network, slices)) for network in networks}
    kept = read_robustness(path, seed=seed) if path is not None and path.exists() else {}
    classes = [*schema.names, ANY_LESION]
    expected = sorted((s.name, class_name) for s in slices for class_name in classes)
    for condition, rows in kept.items():
        if sorted((r.name, r.class_name) for r in rows) != expected:
            raise DatasetError(
                f"{path} holds {condition.kind} {condition.level:g} of {condition.network} on other slices or classes",
                got=f"{len(rows)} rows",
                expected=f"{len(expected)} rows: the classes of {schema.name!r} on the {len(slices)} slices asked for",
                do="write to another file, or measure the same slices and classes",
            )
    clean = {c.network: rows for c, rows in kept.items() if c.level == PERTURBATIONS[c.kind].neutral}
    for number, condition in enumerate(conditions):

        def tell(share: float, condition: Condition = condition, number: int = number) -> None:
            if progress is not None:
                progress(
                    f"{condition.network}: {condition.kind} {condition.level:g}", (number + share) / len(conditions)
                )

        if condition in kept:
            continue
        neutral = condition.level == PERTURBATIONS[condition.kind].neutral
        if neutral and condition.network in clean:
            kept[condition] = clean[condition.network]
        else:
            kept[condition] = _measure(
                networks[condition.network], labelled[condition.network], schema, condition, seed, folds or {}, tell
            )
        if neutral:
            clean[condition.network] = kept[condition]
        if path is not None:
            write_robustness(path, kept, seed=seed)
    return {condition: kept[condition] for condition in conditions}


def perturb_slice(one: TrainingSlice, kind: str, level: float, seed: int) -> Tensor:
    """The slice's grey (H, W) in 0..1, spoilt with the noise that belongs to its name and the seed.

    Raises:
        OptionError: if the kind is unknown or the level cannot be used.
    """
    grey = torch.from_numpy(one.image.astype(np.float32)) / 255
    height, width = one.image.shape
    return perturb(grey, kind, level, draw_noise(one.name, (height, width), seed))


def write_robustness(path: Path, results: Results, *, seed: int) -> None:
    """The rows as CSV: kind, level, network and seed, then one column per field of a row."""
    fields = [f.name for f in dataclasses.fields(SliceOverlap) if f.name != "hd95_mm"]
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*Condition._fields, "seed", *fields])
        for condition, rows in results.items():
            writer.writerows([*condition, seed, *(getattr(row, f) for f in fields)] for row in rows)


def read_robustness(path: Path, *, seed: int | None = None) -> Results:
    """The rows of a CSV that `write_robustness` wrote.

    Raises:
        OptionError: if a kind in it is unknown, or a seed is given and the file was made with another.
    """
    results: Results = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if seed is not None and int(row["seed"]) != seed:
                raise OptionError(
                    f"{path} was made with another seed",
                    got=f"seed {row['seed']} in the file",
                    expected=f"seed {seed}",
                    do="use that seed, or write to another file",
                )
            get_perturbation(row["kind"])
            counts = (int(row[c]) for c in ("tp", "fp", "fn", "tn"))
            overlap = SliceOverlap(row["name"], row["group"], int(row["fold"]), row["class_name"], *counts)
            results.setdefault(Condition(row["kind"], float(row["level"]), row["network"]), []).append(overlap)
    return results


def _plan(networks: Sequence[str], levels: Mapping[str, Sequence[float]] | None) -> list[Condition]:
    if levels is None:
        levels = {kind: p.levels for kind, p in PERTURBATIONS.items()}
    conditions = []
    for kind, of_kind in levels.items():
        neutral = get_perturbation(kind).neutral
        for level in of_kind:
            check_level(kind, level)
        wanted = dict.fromkeys(float(v) for v in of_kind)
        in_order = wanted if neutral in wanted else (neutral, *wanted)
        conditions += [Condition(kind, level, network) for level in in_order for network in networks]
    return conditions


def _labelled(slices: Sequence[TrainingSlice]) -> list[tuple[TrainingSlice, Array]]:
    counted = Counter(s.name for s in slices)
    labelled = [(s, s.labels) for s in slices if s.labels is not None]
    bad = sorted({s.name for s in slices if s.labels is None or counted[s.name] > 1})
    if bad or not slices:
        raise DatasetError(
            "robustness cannot be measured on these slices",
            got=f"without labels, or more than one of the name: {', '.join(bad[:5])}" if bad else "no slices",
            expected="slices with labels, each with its own name",
            do="leave out the slices without truth",
        )
    return labelled


def _measure(
    predict: Predictor,
    labelled: Sequence[tuple[TrainingSlice, Array]],
    schema: LabelSchema,
    condition: Condition,
    seed: int,
    folds: Mapping[str, int],
    tell: Callable[[float], None],
) -> list[SliceOverlap]:
    rows: list[SliceOverlap] = []
    for count, (one, true) in enumerate(labelled, start=1):
        predicted = predict(one, perturb_slice(one, condition.kind, condition.level, seed))
        fold = folds.get(one.name, 0)
        rows += count_overlap(predicted, true, schema, name=one.name, group=one.group, fold=fold)
        tell(count / len(labelled))
    return rows
