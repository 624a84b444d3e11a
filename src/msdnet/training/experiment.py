"""One experiment, whole: cross-validation with its table, then the weights trained on every slice.

    OUT/summary.md   the main figures of the cross-validation, one line for each class
    OUT/trust*       how far results can be trusted, and how well that holds
    OUT/calibration* whether probabilities are right
    OUT/final/       checkpoints, loss curves, weights and run.json of the training on all slices
    OUT/weights/     card.json, model.safetensors, and model-card.md for people

and what `cross_validation` writes for one network, directly in OUT. Each part is skipped where it is finished already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from msdnet.config import Experiment
from msdnet.evaluation.model_card import model_card
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.tables import CONVENTIONS, figures_as_json, overlap_table
from msdnet.files import whole_file
from msdnet.labels import get_schema
from msdnet.prediction.trust import TrustModel
from msdnet.training.calibration import write_calibration
from msdnet.training.cross_validation import check_experiment, check_precision, cross_validate_network
from msdnet.training.data import TrainingData, load_training_data
from msdnet.training.network import train_network
from msdnet.training.processes import find_processes
from msdnet.training.progress import Progress, part_of
from msdnet.training.run_folder import as_plain, claim, versions
from msdnet.training.start import data_seen, start_notes, start_of
from msdnet.training.trust import fit_trust_of_run
from msdnet.weights import Card, save_weights


def run_experiment(
    experiment: Experiment,
    data: Path,
    out: Path,
    *,
    only_folds: Collection[int] = (),
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """The folder with the weights trained on every slice; see the module's text for what else is written.

    Several processes can train folds of one OUT at a time, each with its own `only_folds`; a call without them then
    makes the rest. With them OUT is returned.

    Args:
        experiment: What to train and how.
        data: The data set's manifest, or its folder.
        out: Receives everything; a second call with the same arguments goes on where the first one stopped.
        only_folds: Train these alone, and no final weights; all by default.
        device: "auto", "cpu" or "cuda".
        progress: Called with what is being done and the share of the whole that is done, 0 to 1.

    Raises:
        DatasetError: if the data are unusable; before anything is trained.
        OptionError: if OUT holds a run of another experiment or other data, or the schemas differ.
    """
    check_experiment(experiment, only_folds)
    check_precision(experiment, out, only_folds, device)
    training_data = load_training_data(data, experiment)
    training_data.folds(out / "folds.csv", experiment)
    claim(out, experiment, training_data.manifest.sha256)
    folds_share = experiment.num_folds / (experiment.num_folds + 1)
    of_folds = part_of(progress, 0.0, folds_share)
    of_rest = part_of(progress, folds_share, 1 - folds_share, "all slices, ")
    where = out / "folds.csv", out
    rows = cross_validate_network(
        experiment, training_data, *where, only_folds=only_folds, device=device, progress=of_folds
    )
    if only_folds:
        return out
    if find_processes().writes:
        notes = [*training_data.notes, *start_notes([experiment], training_data.manifest.sha256)]
        summary = overlap_table(rows, get_schema(experiment.schema), notes=notes)
        with whole_file(out / "summary.md") as unfinished:
            unfinished.write_text(summary, encoding="utf-8")
        of_run = out, experiment.num_folds, experiment.schema, notes
        write_calibration(*of_run)
        synthetic = "synthetic" if training_data.manifest.is_synthetic else ""
        seen = training_data.manifest.sha256 in data_seen(start_of(experiment))  # then nothing of it is out of fold
        trust, held = ([], None) if seen else fit_trust_of_run(*of_run, title=synthetic)
    everything = [*training_data.labelled, *training_data.unlabelled]
    network = train_network(everything, experiment, out, "final", training_data, device=device, progress=of_rest)
    if find_processes().writes:
        card = save_weights(out / "weights", network, _card(experiment, rows, training_data, trust))
        with whole_file(out / "weights" / "model-card.md") as unfinished:
            unfinished.write_text(model_card(card, rows, notes=notes, trust=held), encoding="utf-8")
    return out / "weights"


def _card(
    experiment: Experiment, rows: Sequence[SliceOverlap], data: TrainingData, trust: Sequence[TrustModel]
) -> Card:
    before = start_of(experiment)
    if before is not None:
        start = f"The network started from the weights {before.name} (sha256 {before.sha256})."
    else:
        kind = "pretrained" if experiment.network_arguments.get("pretrained") else "random"
        start = f"The encoder started from {kind} weights."
    sha256 = data.manifest.sha256
    recipe = as_plain(experiment) | {
        "start": before.name if before else None,  # a folder's path says where somebody's files lie; a name does not
        "data_sha256": sha256,
        "data_seen_sha256": sorted({sha256} | data_seen(before)),
    }
    folds = f"{experiment.num_folds}-fold cross-validation, folds by patient or group"
    notes = start_notes([experiment], sha256)
    num_groups = len({s.group for s in data.labelled})
    counted = (
        f"{len(data.labelled)} labelled slices in {num_groups} groups or patients, {len(data.unlabelled)} unlabelled"
        f" slices. {start}"
    )
    return Card(
        name=experiment.name,
        network=experiment.network,
        network_arguments={k: v for k, v in experiment.network_arguments.items() if k != "pretrained"},
        schema=experiment.schema,
        preprocessing=experiment.preprocessing,
        input="Axial chest CT slices: HU, or 8-bit grey in a lung window.",
        trained_on=f"{counted} {experiment.card.trained_on}".strip(),
        recipe=recipe,
        figures=figures_as_json(rows, get_schema(experiment.schema)),
        trust=[dataclasses.asdict(model) for model in trust],
        conventions=f"{'; '.join([folds, *notes])}. {CONVENTIONS}",
        intended_use=experiment.card.intended_use,
        limits=experiment.card.limits,
        terms=experiment.card.terms or "Those that the training data demand.",
        made_with=versions(),
    )
