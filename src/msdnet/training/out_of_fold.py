"""What is measured of a fold's validation slices, by the network that has not seen them; every table is made from it.

FOLD/trust_per_slice.csv            how steady each result is, beside the truth
FOLD/calibration_per_slice.csv      histograms of the classes' logits, of all pixels and of the classes' own
FOLD/per_slice.csv                  pixel counts; written last, so that the fold is finished where it is
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from torch import nn

from msdnet.config import Experiment
from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.evaluation.calibration import LogitHistogram, count_logits, write_histograms
from msdnet.evaluation.overlap import SliceOverlap, count_overlap, write_overlaps
from msdnet.evaluation.trust_rows import TrustRow, write_trust_rows
from msdnet.labels import ANY_LESION, LabelSchema, get_schema
from msdnet.prediction.device import choose_device
from msdnet.prediction.steadiness import count_looks, take_looks
from msdnet.slices import to_grey

OVERLAPS, TRUST, CALIBRATION = "per_slice.csv", "trust_per_slice.csv", "calibration_per_slice.csv"

Rows = TypeVar("Rows")


@dataclass(frozen=True)
class FoldRows:
    """One row for each labelled slice and class.

    Attributes:
        overlaps: Pixel counts of the result beside the truth, and the outlines' distance where the spacing is known;
            argmax, no flips, at the slices' own sizes.
        trust: How steady the result is.
        calibration: How often each probability is right.
    """

    overlaps: list[SliceOverlap]
    trust: list[TrustRow]
    calibration: list[LogitHistogram]

    def write(self, folder: Path) -> None:
        """The CSV files that stand above."""
        write_trust_rows(folder / TRUST, self.trust)
        write_histograms(folder / CALIBRATION, self.calibration)
        write_overlaps(folder / OVERLAPS, self.overlaps)


def measure_fold(
    network: nn.Module, slices: Sequence[TrainingSlice], experiment: Experiment, fold: int, *, device: str = "cpu"
) -> FoldRows:
    """What the network makes of slices that it has not seen; those without labels are left out.

    Args:
        network: In evaluation mode; moved to the device.
        slices: The fold's.
        experiment: Its preprocessing and schema.
        fold: Its number.
        device: "auto", "cpu" or "cuda".
    """
    schema, settings = get_schema(experiment.schema), experiment.preprocessing
    chosen = choose_device(device)
    network = network.to(chosen)
    rows = FoldRows([], [], [])
    for one in slices:
        if one.labels is None:
            continue
        [looks] = take_looks(network, [to_grey(one.image, "grey", settings).to(chosen)], settings)
        reported = looks[0].argmax(axis=0).astype(np.uint8)
        rows.overlaps.extend(
            count_overlap(
                reported, one.labels, schema, name=one.name, group=one.group, fold=fold, spacing_mm=one.spacing_mm
            )
        )
        rows.trust.extend(_trust_rows(one, one.labels, reported, looks, schema, fold))
        rows.calibration.extend(_histograms(one, one.labels, looks[0], schema, fold))
    return rows


def of_all_folds(folder: Path, num_folds: int, name: str, read: Callable[[Path], list[Rows]]) -> list[Rows]:
    """The rows that the folds of a run have in the files of a name; none where a fold lacks it.

    Args:
        folder: The run's.
        num_folds: How many folds it has.
        name: `TRUST` or `CALIBRATION`, which runs of earlier versions and rows kept without them lack.
        read: Reads one file.
    """
    paths = [folder / f"fold-{fold}" / name for fold in range(num_folds)]
    return [row for path in paths for row in read(path)] if all(path.is_file() for path in paths) else []


def _trust_rows(
    one: TrainingSlice, labels: Array, reported: Array, looks: Sequence[Array], schema: LabelSchema, fold: int
) -> list[TrustRow]:
    rows = []
    for steadiness in count_looks(reported, looks, schema):
        marked, true = (_of_class(m, steadiness.class_name, schema) for m in (reported, labels))
        counts = (int(np.count_nonzero(mask)) for mask in (true, marked & true))
        rows.append(TrustRow(one.name, one.group, fold, steadiness, *counts))
    return rows


def _histograms(
    one: TrainingSlice, labels: Array, probabilities: Array, schema: LabelSchema, fold: int
) -> list[LogitHistogram]:
    of_class = {c.name: probabilities[c.index] for c in schema.classes}
    if len(schema.classes) > 1:
        of_class[ANY_LESION] = probabilities[1:].sum(axis=0)
    return [
        count_logits(p, _of_class(labels, name, schema), name=one.name, group=one.group, fold=fold, class_name=name)
        for name, p in of_class.items()
    ]


def _of_class(labels: Array, class_name: str, schema: LabelSchema) -> Array:
    """(H, W) bool."""
    index = {c.name: c.index for c in schema.classes}
    mask: Array = labels > 0 if class_name == ANY_LESION else labels == index[class_name]
    return mask
