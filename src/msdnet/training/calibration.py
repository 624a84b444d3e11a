"""Whether the probabilities of a run's networks are right, on the slices that they had not seen.

OUT/calibration_per_slice.csv       histograms of the classes' logits, of all pixels and of the classes' own
OUT/calibration.md, .csv, .tex      expected calibration error of each class, without and with a temperature
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msdnet.evaluation.calibration import calibration_table, read_histograms, write_histograms
from msdnet.labels import get_schema
from msdnet.training.out_of_fold import CALIBRATION, of_all_folds


def write_calibration(folder: Path, num_folds: int, schema_name: str, notes: Sequence[str]) -> None:
    """Writes what stands above; nothing where a fold has no rows of it.

    Args:
        folder: Of a run whose folds are finished.
        num_folds: How many it has.
        schema_name: Whose classes are shown.
        notes: For the table's head.
    """
    histograms = of_all_folds(folder, num_folds, CALIBRATION, read_histograms)
    if histograms:
        write_histograms(folder / CALIBRATION, histograms)
        calibration_table(histograms, get_schema(schema_name), notes=notes).write(folder, "calibration")
