"""One network through all stages of its experiment.

FOLDER/pretraining/       shared by the folds
FOLDER/NAME/              checkpoints, loss curves, weights and run.json of the last stage
FOLDER/NAME/teacher/      with self-training: those of the network that guesses, and its guesses
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from msdnet.config import Experiment, Stage
from msdnet.data.training_slice import TrainingSlice
from msdnet.labels import get_schema
from msdnet.networks import build_network
from msdnet.training.data import TrainingData
from msdnet.training.guesses import guess_targets
from msdnet.training.progress import Progress, StepProgress, part_of
from msdnet.training.samples import SampleDrawing
from msdnet.training.stage import run_stage
from msdnet.training.start import load_start

PRETRAINING, TRAINING, SELF_TRAINING = _ORDER = ("pretraining", "training", "self-training")
TEACHER = "teacher"


def train_network(
    slices: Sequence[TrainingSlice],
    experiment: Experiment,
    folder: Path,
    name: str,
    data: TrainingData,
    validation: Sequence[TrainingSlice] = (),
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> nn.Module:
    """The network after all stages of the experiment, in FOLDER/NAME; the pretraining is in FOLDER, done once.

    With self-training, the network that guesses is in FOLDER/NAME/teacher; the further stage goes on from its weights.

    Args:
        slices: Labelled and unlabelled ones that this network may see.
        experiment: What to train.
        folder: The experiment's.
        name: Of this network's folder.
        data: The whole data set; the pretraining sees its unlabelled slices of no labelled group.
        validation: Slices whose loss is watched.
        device: "auto", "cpu" or "cuda".
        progress: Called with the stage and the share of all stages that is done, 0 to 1.
    """
    torch.manual_seed(experiment.seed)
    network = network_of(experiment)
    labelled_groups = {s.group for s in data.labelled}
    elsewhere = [s for s in data.unlabelled if s.group not in labelled_groups]
    stages = _stages(experiment, folder, folder / name)
    for number, (doing, stage, where) in enumerate(stages):
        tell = part_of(progress, number / len(stages), 1 / len(stages))
        tell(doing, 0.0)
        seen = elsewhere if doing == PRETRAINING else slices
        if doing == SELF_TRAINING and not (where / "weights.safetensors").is_file():
            seen = guess_targets(network, slices, experiment, where / TEACHER, device=device, progress=tell)
        watched = validation if doing != PRETRAINING else ()
        drawing = SampleDrawing(watched, experiment, where / "samples")
        run_stage(
            network.train(),
            stage,
            experiment,
            seen,
            where,
            seed=experiment.seed + _ORDER.index(doing),
            device=device,
            validation=watched,
            callbacks=[StepProgress(tell, doing), *([drawing] if watched else [])],
        )
    return network.eval()


def network_of(experiment: Experiment) -> nn.Module:
    """The experiment's network before its first step: with random weights, or those it starts from.

    Raises:
        OptionError: if there is no such network, or it does not fit the weights that it starts from.
        WeightsError: if there are no such weights.
    """
    network = build_network(
        experiment.network,
        num_classes=get_schema(experiment.schema).num_classes,
        in_channels=1,
        **experiment.network_arguments,
    )
    if experiment.start is not None:
        network.load_state_dict(load_start(experiment)[0].state_dict())
    return network


def _stages(experiment: Experiment, folder: Path, result: Path) -> list[tuple[str, Stage, Path]]:
    """What is done in which folder, in order."""
    taught = experiment.self_training is not None
    planned = (
        (PRETRAINING, experiment.pretraining, folder / PRETRAINING),
        (TRAINING, experiment.training, result / TEACHER if taught else result),
        (SELF_TRAINING, experiment.self_training, result),
    )
    return [(doing, stage, where) for doing, stage, where in planned if stage is not None]
