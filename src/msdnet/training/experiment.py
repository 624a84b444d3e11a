"""One experiment, whole: pretraining, cross-validation with its table, then the weights trained on every slice.

    OUT/pretraining/   OUT/fold-0/ ... OUT/final/    checkpoints, loss curves and weights of each stage; a stage at low
                                                     resolution in low-resolution/ under each
    OUT/run.json                                     the experiment, the data's hash, versions
    OUT/folds.csv                                    slice, group, fold
    OUT/per_slice.csv                                out-of-fold pixel counts; every figure is made from it
    OUT/table.md                                     the cross-validation table
    OUT/weights/                                     card.json and model.safetensors

Each part is skipped where it is finished already.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import msdnet
from msdnet.config import Experiment
from msdnet.data.covid_semiseg import TrainingSlice, read_labelled, read_unlabelled
from msdnet.data.folds import assign_folds
from msdnet.errors import OptionError
from msdnet.evaluation.overlap import SliceOverlap, count_overlap, read_overlaps, write_overlaps
from msdnet.evaluation.tables import CONVENTIONS, figures_as_json, overlap_table
from msdnet.labels import get_schema
from msdnet.networks import build_network
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.training.stage import run_stage
from msdnet.weights import Card, save_weights


def run_experiment(experiment: Experiment, data: Path, out: Path, *, device: str = "auto") -> Path:
    """The folder with the weights trained on every slice; see the module's text for what else is written.

    Args:
        experiment: What to train and how.
        data: The COVID-SemiSeg folder.
        out: Receives everything; a second call with the same arguments goes on where the first one stopped.
        device: "auto", "cpu" or "cuda".

    Raises:
        DatasetError: if the data are unusable; before anything is trained.
        OptionError: if OUT holds a run of another experiment or other data.
    """
    labelled, unlabelled = read_labelled(data), read_unlabelled(data)
    folds = assign_folds(labelled, experiment.num_folds, experiment.seed)
    out.mkdir(parents=True, exist_ok=True)
    _claim(out / "run.json", experiment, [*labelled, *unlabelled])
    _write_folds(out / "folds.csv", labelled, folds)

    overlaps: list[SliceOverlap] = []
    for fold in range(experiment.num_folds):
        kept = out / f"fold-{fold}" / "per_slice.csv"
        if not kept.is_file():
            training = [s for s, f in zip(labelled, folds, strict=True) if f != fold]
            validation = [s for s, f in zip(labelled, folds, strict=True) if f == fold]
            network = train_on(training, unlabelled, experiment, out, f"fold-{fold}", device=device)
            write_overlaps(kept, evaluate_slices(network, validation, experiment, fold))
        overlaps += read_overlaps(kept)
    write_overlaps(out / "per_slice.csv", overlaps)
    (out / "table.md").write_text(overlap_table(overlaps, get_schema(experiment.schema)), encoding="utf-8")

    network = train_on(labelled, unlabelled, experiment, out, "final", device=device)
    save_weights(out / "weights", network, _card(experiment, overlaps, len(labelled), len(unlabelled)))
    return out / "weights"


def train_on(
    labelled: Sequence[TrainingSlice],
    unlabelled: Sequence[TrainingSlice],
    experiment: Experiment,
    out: Path,
    name: str,
    *,
    device: str = "auto",
) -> nn.Module:
    """The network after pretraining (done once per experiment) and the stages with labelled slices, in OUT/name."""
    torch.manual_seed(experiment.seed)
    network = build_network(
        experiment.network,
        num_classes=get_schema(experiment.schema).num_classes,
        in_channels=1,
        **experiment.network_arguments,
    )
    if experiment.pretraining is not None:
        run_stage(
            network,
            experiment.pretraining,
            experiment,
            unlabelled,
            out / "pretraining",
            seed=experiment.seed,
            device=device,
        )
    slices, folder = [*labelled, *unlabelled], out / name
    if experiment.low_resolution is not None:
        run_stage(
            network.train(),
            experiment.low_resolution,
            experiment,
            slices,
            folder / "low-resolution",
            seed=experiment.seed + 2,
            device=device,
        )
    return run_stage(
        network.train(), experiment.training, experiment, slices, folder, seed=experiment.seed + 1, device=device
    )


def evaluate_slices(
    network: nn.Module, slices: Sequence[TrainingSlice], experiment: Experiment, fold: int
) -> list[SliceOverlap]:
    """The pixel counts of each labelled slice at its own size; argmax, no flips."""
    schema = get_schema(experiment.schema)
    rows: list[SliceOverlap] = []
    for s in slices:
        if s.labels is None:
            continue
        grey = to_grey(s.image, "grey", experiment.preprocessing)
        predicted = predict_probabilities(network, [grey], experiment.preprocessing)[0].argmax(0).numpy()
        rows += count_overlap(predicted, s.labels, schema, name=s.name, group=s.group, fold=fold)
    return rows


def _card(experiment: Experiment, overlaps: Sequence[SliceOverlap], num_labelled: int, num_weak: int) -> Card:
    start = "pretrained" if experiment.network_arguments.get("pretrained") else "random"
    return Card(
        name=experiment.name,
        network=experiment.network,
        network_arguments={k: v for k, v in experiment.network_arguments.items() if k != "pretrained"},
        schema=experiment.schema,
        preprocessing=experiment.preprocessing,
        input="Axial chest CT slices: HU, or 8-bit grey in a lung window.",
        trained_on=(
            f"{num_labelled} labelled slices of the MedSeg COVID-19 CT set and {num_weak} unlabelled slices of"
            " coronacases.org and Radiopaedia with guessed lesion maps, in the split and crop of COVID-SemiSeg."
            " The guessed maps come from a network that had seen all labelled slices, so the out-of-fold figures are"
            f" slightly optimistic. The encoder started from {start} weights."
        ),
        recipe=_plain(dataclasses.asdict(experiment)),
        figures=figures_as_json(overlaps, get_schema(experiment.schema)),
        conventions=f"{experiment.num_folds}-fold cross-validation, folds by group of similar slices. {CONVENTIONS}",
        intended_use="Research on COVID-19 pneumonia in chest CT. Not a medical device.",
        limits=(
            "Trained on few slices of adults with COVID-19, mostly of moderate and severe disease. Other causes of"
            " opacity (effusion, atelectasis, tumour, tuberculosis, oedema) are marked too: it does not detect"
            " COVID-19. Interstitial infiltrates are not a class of their own, since no public labels were found."
        ),
        terms="Non-commercial research only: LICENSE-WEIGHTS; credits in NOTICE-DATA.",
        made_with={"msdnet": msdnet.__version__, "torch": torch.__version__, "python": platform.python_version()},
    )


def _claim(path: Path, experiment: Experiment, slices: Sequence[TrainingSlice]) -> None:
    """Writes what the folder is a run of, or refuses it where it is a run of something else."""
    digest = hashlib.sha256()
    for s in slices:
        for array in (s.image, s.labels, s.weak):
            digest.update(b"" if array is None else array.tobytes())
    record = {"experiment": _plain(dataclasses.asdict(experiment)), "data_sha256": digest.hexdigest()}
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [k for k, v in record["experiment"].items() if before["experiment"].get(k) != v]
        changed += ["the data"] if before["data_sha256"] != record["data_sha256"] else []
        if changed:
            raise OptionError(
                "the output folder holds a run of something else",
                got=f"changed since: {', '.join(changed)}",
                expected="the same experiment and data, to go on with",
                do="choose another folder with -o",
            )
        return
    versions = {"msdnet": msdnet.__version__, "torch": torch.__version__, "python": platform.python_version()}
    path.write_text(json.dumps(record | {"versions": versions}, indent=2) + "\n", encoding="utf-8")


def _plain(content: Any) -> Any:
    """The same with lists for tuples, as JSON has it."""
    if isinstance(content, dict):
        return {k: _plain(v) for k, v in content.items()}
    return [_plain(v) for v in content] if isinstance(content, list | tuple) else content


def _write_folds(path: Path, slices: Sequence[TrainingSlice], folds: Sequence[int]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("slice", "group", "fold"))
        writer.writerows((s.name, s.group, f) for s, f in zip(slices, folds, strict=True))
