"""Whether the probabilities of a run's networks are right, on the slices that they had not seen.

OUT/calibration_per_slice.csv       histograms of the classes' logits, of all pixels and of the classes' own
OUT/calibration.md, .csv, .tex      expected calibration error of each class, without and with a temperature
"""

from __future__ import annotations

from collections.abc import Sequence

from msdnet.data.training_slice import TrainingSlice
from msdnet.evaluation.calibration import (
    LogitHistogram,
    calibration_table,
    count_logits,
    read_histograms,
    write_histograms,
)
from msdnet.labels import ANY_LESION, get_schema
from msdnet.prediction.device import choose_device
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.training.data import TrainingData
from msdnet.training.progress import Progress
from msdnet.training.runs import FoldNetworks, Run, fold_networks


def measure_calibration(
    run: Run, data: TrainingData, notes: Sequence[str], *, device: str = "auto", progress: Progress
) -> None:
    """Writes what stands above; nothing where a fold's weights are not there.

    Args:
        run: Whose folds are finished.
        data: What it was run on.
        notes: For the table's head.
        device: "auto", "cpu" or "cuda".
        progress: Called after each slice with the share that is done, 0 to 1.
    """
    kept = run.folder / "calibration_per_slice.csv"
    if not kept.is_file():
        if run.missing_folds():
            return
        networks = fold_networks(run, data, device)
        histograms: list[LogitHistogram] = []
        for count, one in enumerate(data.labelled, start=1):
            histograms += _histograms_of(one, networks, run)
            progress("measuring calibration", count / len(data.labelled))
        write_histograms(kept, histograms)
    calibration_table(read_histograms(kept), get_schema(run.experiment.schema), notes=notes).write(
        run.folder, "calibration"
    )


def _histograms_of(one: TrainingSlice, networks: FoldNetworks, run: Run) -> list[LogitHistogram]:
    if one.labels is None:
        return []
    settings, schema = run.experiment.preprocessing, get_schema(run.experiment.schema)
    grey = to_grey(one.image, "grey", settings).to(choose_device(networks.device))
    [tensor] = predict_probabilities(networks.of(one), [grey], settings)
    probabilities = tensor.cpu().numpy()
    classes = [(c.name, probabilities[c.index], one.labels == c.index) for c in schema.classes]
    classes.append((ANY_LESION, probabilities[1:].sum(axis=0), one.labels > 0))
    fold = networks.fold_of[one.name]
    return [
        count_logits(probability, true, name=one.name, group=one.group, fold=fold, class_name=name)
        for name, probability, true in classes
    ]
