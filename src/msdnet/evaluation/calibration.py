"""Are a network's probabilities right? Expected calibration error, before and after a temperature for each class.

Each class stands against the rest: its probability p has the logit log(p / (1 - p)), which a temperature divides.
What is kept of a slice is a histogram of the logits, of all pixels and of those that truly are of the class; every
figure is made from that. The temperature that a fold's slices are judged with was fitted on the other folds.

Source: Guo et al., "On calibration of modern neural networks", ICML 2017.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.evaluation.bootstrap import LEVEL, RESAMPLES, SEED
from msdnet.evaluation.figures import Estimate
from msdnet.evaluation.rendering import Column, Table
from msdnet.evaluation.tables import titles
from msdnet.files import whole_file
from msdnet.labels import LabelSchema

Array = np.ndarray[Any, Any]

NUM_LOGITS, LARGEST_LOGIT = 80, 10.0
STEP = 2 * LARGEST_LOGIT / NUM_LOGITS
NUM_BINS = 15
TEMPERATURES = np.round(np.geomspace(0.2, 5.0, 81), 4)

_EDGES = np.linspace(-LARGEST_LOGIT, LARGEST_LOGIT, NUM_LOGITS + 1)
_MIDDLES = (_EDGES[:-1] + _EDGES[1:]) / 2
_FOOT = f"""\
Each class against the rest, over the pixels of all slices, each by the network that had not seen it.
ECE: mean over {NUM_BINS} bins of probability, weighted with their pixels, of |share of pixels truly of
the class - mean probability|, with its 95 % percentile interval from 2,000 bootstrap samples of whole
groups. Temperature: divides the logit; the one that a fold is judged with was fitted on the others (mean
over folds), by the lowest negative log-likelihood. Logits are kept in steps of {STEP:g}. Labels do not
change with it: what is marked is the class with the highest probability as the network gives it."""


@dataclass(frozen=True)
class LogitHistogram:
    """One class on one slice.

    Attributes:
        name: The slice.
        group: What it is resampled with.
        fold: Its validation fold.
        class_name: A class of the schema, or "any_lesion".
        pixels: Number of pixels in each step of the logit.
        positives: Of these, the pixels truly of the class.
    """

    name: str
    group: str
    fold: int
    class_name: str
    pixels: tuple[int, ...]
    positives: tuple[int, ...]


def count_logits(
    probability: Array, true: Array, *, name: str, group: str, fold: int, class_name: str
) -> LogitHistogram:
    """The histogram of a class's probability on a slice.

    Shapes: probability (H, W) in 0..1, true (H, W) bool.
    """
    p = np.clip(probability.astype(np.float64), 1e-9, 1 - 1e-9)
    logits = np.clip(np.log(p / (1 - p)), -LARGEST_LOGIT, LARGEST_LOGIT)
    pixels, positives = (np.histogram(logits[chosen], _EDGES)[0] for chosen in (np.ones_like(true), true))
    return LogitHistogram(name, group, fold, class_name, _plain(pixels), _plain(positives))


def fit_temperature(histograms: Sequence[LogitHistogram]) -> float:
    """The temperature of `TEMPERATURES` with the lowest negative log-likelihood of one class."""
    pixels, positives = _sums(histograms)
    logits = _MIDDLES[None] / TEMPERATURES[:, None]
    losses = positives * np.logaddexp(0, -logits) + (pixels - positives) * np.logaddexp(0, logits)
    return float(TEMPERATURES[int(losses.sum(axis=1).argmin())])


def fit_for_folds(histograms: Sequence[LogitHistogram]) -> dict[int, float]:
    """For each fold of one class the temperature that the other folds give."""
    folds = sorted({h.fold for h in histograms})
    return {fold: fit_temperature([h for h in histograms if h.fold != fold]) for fold in folds}


def calibration_error(pixels: Array, positives: Array, temperature: float = 1.0) -> Array:
    """Expected calibration error.

    Shapes: pixels, positives (..., NUM_LOGITS) -> (...).
    """
    p = 1 / (1 + np.exp(-_MIDDLES / temperature))
    bins = np.minimum((p * NUM_BINS).astype(int), NUM_BINS - 1)
    into = np.eye(NUM_BINS)[bins]  # (NUM_LOGITS, NUM_BINS)
    gaps = np.abs(positives @ into - (pixels * p) @ into)
    error: Array = gaps.sum(axis=-1) / np.maximum(pixels.sum(axis=-1), 1)
    return error


def calibration_table(histograms: Sequence[LogitHistogram], schema: LabelSchema, *, notes: Sequence[str] = ()) -> Table:
    """ECE of every class and of any lesion, as it is and with temperatures fitted on the other folds.

    Args:
        histograms: Of every slice and class, of at least two folds.
        schema: Whose classes are shown.
        notes: For the table's head.
    """
    lines = []
    for name, title in titles(schema).items():
        of_class = [h for h in histograms if h.class_name == name]
        temperatures = fit_for_folds(of_class)
        before, after = _error(of_class, dict.fromkeys(temperatures, 1.0)), _error(of_class, temperatures)
        lines.append((title, len(of_class), before, float(np.mean(list(temperatures.values()))), after))
    columns = (
        Column("class", "class"),
        Column("num", "slices", "number"),
        Column("ece", "ECE", "estimate", 4),
        Column("temperature", "temperature", "number", 2),
        Column("ece_scaled", "ECE with it", "estimate", 4),
    )
    return Table(columns, tuple(lines), tuple(notes), _FOOT)


def write_histograms(path: Path, histograms: Iterable[LogitHistogram]) -> None:
    """The histograms as CSV, a column for each step of the logit: pixels_0, ..., positives_0, ..."""
    steps = range(NUM_LOGITS)
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        counts = [f"{kind}_{i}" for kind in ("pixels", "positives") for i in steps]
        writer.writerow(["name", "group", "fold", "class_name", *counts])
        for h in histograms:
            writer.writerow([h.name, h.group, h.fold, h.class_name, *h.pixels, *h.positives])


def read_histograms(path: Path) -> list[LogitHistogram]:
    """The histograms of a CSV that `write_histograms` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            LogitHistogram(
                row["name"],
                row["group"],
                int(row["fold"]),
                row["class_name"],
                tuple(int(row[f"pixels_{i}"]) for i in range(NUM_LOGITS)),
                tuple(int(row[f"positives_{i}"]) for i in range(NUM_LOGITS)),
            )
            for row in csv.DictReader(file)
        ]


def _error(histograms: Sequence[LogitHistogram], temperatures: dict[int, float]) -> Estimate:
    """The error over all slices, each fold with its own temperature, and its interval over groups.

    With several temperatures a fold's logits are first moved to where its temperature puts them.
    """
    groups = sorted({h.group for h in histograms})
    pixels, positives = (np.zeros((len(groups), NUM_LOGITS)) for _ in range(2))
    for h in histograms:
        place, moved = groups.index(h.group), _moved(temperatures[h.fold])
        np.add.at(pixels[place], moved, h.pixels)
        np.add.at(positives[place], moved, h.positives)
    value = float(calibration_error(pixels.sum(axis=0), positives.sum(axis=0)))
    generator = np.random.default_rng(SEED)
    times = generator.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=RESAMPLES)
    errors = calibration_error(times @ pixels, times @ positives)
    low, high = np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, None, (float(low), float(high)) if len(groups) > 1 else None, len(histograms))


def _moved(temperature: float) -> Array:
    """The step of the logit in which each step lies after division by the temperature."""
    logits = np.clip(_MIDDLES / temperature, -LARGEST_LOGIT, LARGEST_LOGIT - 1e-9)
    return np.asarray(np.digitize(logits, _EDGES) - 1)


def _sums(histograms: Sequence[LogitHistogram]) -> tuple[Array, Array]:
    return np.sum([h.pixels for h in histograms], axis=0), np.sum([h.positives for h in histograms], axis=0)


def _plain(values: Array) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
