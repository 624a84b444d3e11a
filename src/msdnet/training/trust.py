"""Per-case trust of a recipe: measured on every labelled slice by the network of the fold that has not seen it.

OUT/trust_per_slice.csv             how steady each result is, beside the truth
OUT/trust.md, .csv, .tex            how well that tells DSC and area, by nested cross-validation
OUT/trust.png, trust.svg            predicted against true DSC
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msdnet.data.training_slice import TrainingSlice
from msdnet.evaluation.pictures.reliability import draw_reliability
from msdnet.evaluation.rendering import Table
from msdnet.evaluation.trust import fit_trust, judge_trust, trust_table
from msdnet.evaluation.trust_rows import TrustRow, read_trust_rows, write_trust_rows
from msdnet.labels import ANY_LESION, get_schema
from msdnet.prediction.device import choose_device
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.prediction.steadiness import measure_steadiness
from msdnet.prediction.trust import Calibration
from msdnet.slices import to_grey
from msdnet.training.data import TrainingData
from msdnet.training.progress import Progress, part_of
from msdnet.training.runs import FoldNetworks, Run, fold_networks

ROWS = "trust_per_slice.csv"


def calibrate_trust(
    run: Run, data: TrainingData, notes: Sequence[str], *, device: str = "auto", progress: Progress | None = None
) -> list[Calibration]:
    """The calibrations for the weights' card, fitted on all out-of-fold rows; see above for what is written.

    None where a fold's weights are not there: its rows alone do not tell how steady its network is. None of a class
    that is marked on too few slices to be judged in every fold.

    Args:
        run: Whose folds are finished.
        data: What it was run on.
        notes: For the table's head.
        device: "auto", "cpu" or "cuda".
        progress: Called with what is being done and the share that is done, 0 to 1.
    """
    kept = run.folder / ROWS
    if not kept.is_file():
        if run.missing_folds():
            return []
        write_trust_rows(kept, _measure(run, data, device, part_of(progress, 0.0, 1.0)))
    rows = read_trust_rows(kept)
    judgements = judge_trust(rows)
    if judgements:
        judged_trust(run, notes).write(run.folder, "trust")
        title = "synthetic" if data.manifest.is_synthetic else ""
        draw_reliability(judgements, get_schema(run.experiment.schema), run.folder, "trust", title=title)
    judged = {j.class_name for j in judgements if {r.fold for r, _ in j.told} == {r.fold for r in rows}}
    return [calibration for calibration in fit_trust(rows) if calibration.class_name in judged]


def judged_trust(run: Run, notes: Sequence[str]) -> Table:
    """How well the trust of a run that `calibrate_trust` has measured holds; the notes stand in the table's head."""
    rows = read_trust_rows(run.folder / ROWS)
    return trust_table(rows, get_schema(run.experiment.schema), notes=notes)


def _measure(run: Run, data: TrainingData, device: str, tell: Progress) -> list[TrustRow]:
    networks = fold_networks(run, data, device)
    rows: list[TrustRow] = []
    for count, one in enumerate(data.labelled, start=1):
        rows += _rows_of(one, networks, run)
        tell("measuring trust", count / len(data.labelled))
    return rows


def _rows_of(one: TrainingSlice, networks: FoldNetworks, run: Run) -> list[TrustRow]:
    if one.labels is None:
        return []
    settings, schema = run.experiment.preprocessing, get_schema(run.experiment.schema)
    network = networks.of(one)
    grey = to_grey(one.image, "grey", settings).to(choose_device(networks.device))
    [probabilities] = predict_probabilities(network, [grey], settings)
    reported = probabilities.argmax(dim=0).cpu().numpy().astype(np.uint8)
    [steadiness] = measure_steadiness(network, [grey], [reported], settings, schema)
    numbers = {c.name: c.index for c in schema.classes}
    rows = []
    for s in steadiness:
        marked, true = (
            labels > 0 if s.class_name == ANY_LESION else labels == numbers[s.class_name]
            for labels in (reported, one.labels)
        )
        shared = int(np.count_nonzero(marked & true))
        rows.append(TrustRow(one.name, one.group, networks.fold_of[one.name], s, int(np.count_nonzero(true)), shared))
    return rows
