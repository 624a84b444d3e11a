"""What a trained network guesses of the slices without labels: weak targets for self-training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from msdnet.config import Experiment
from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.files import alone_in, whole_file
from msdnet.prediction.device import choose_device
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.training.progress import Progress

GIVEN_SHARE = 0.5
"""How much of a target is the data set's own guess of any lesion, where it has one; the rest is the network's."""


def guess_targets(
    network: nn.Module,
    slices: Sequence[TrainingSlice],
    experiment: Experiment,
    folder: Path,
    *,
    device: str = "auto",
    progress: Progress,
) -> list[TrainingSlice]:
    """The slices, those without labels with a guess of every class as their weak target.

    Args:
        network: Guesses; mirror images would take four times as long and gain less than 0.01 of DSC.
        slices: All that may be seen.
        experiment: Its preprocessing.
        folder: Keeps the guesses as a NumPy archive; what is there already is not guessed again.
        device: "auto", "cpu" or "cuda".
        progress: Told of every slice, with a share of 0: the steps come after.
    """
    path = folder / "guesses.npz"
    unlabelled = [s for s in slices if s.labels is None]
    with alone_in(folder):  # several processes may share the training
        if not path.is_file():
            guesses = _guess(unlabelled, network, experiment, device, progress)
            with whole_file(path) as unfinished, unfinished.open("wb") as file:
                np.savez_compressed(file, *guesses, names=np.array([s.name for s in unlabelled]))
    with np.load(path) as kept:
        guessed = {str(name): kept[f"arr_{i}"] for i, name in enumerate(kept["names"])}
    return [s if s.labels is not None else dataclasses.replace(s, weak=guessed[s.name]) for s in slices]


def _guess(
    slices: Sequence[TrainingSlice], network: nn.Module, experiment: Experiment, device: str, progress: Progress
) -> list[Array]:
    chosen = choose_device(device)
    network = network.to(chosen).eval()
    guesses = []
    for one in slices:
        grey = to_grey(one.image, "grey", experiment.preprocessing).to(chosen)
        [probabilities] = predict_probabilities(network, [grey], experiment.preprocessing)
        guesses.append(_blend(probabilities[1:].cpu(), one.weak))
        progress("guessing", 0.0)
    return guesses


def _blend(lesions: torch.Tensor, given: Array | None) -> Array:
    """The network's guess of each class, and the given one of any lesion in the network's own proportions.

    Shapes: lesions (K, H, W) in 0..1, given (H, W) uint8 or None -> (K, H, W) uint8.
    """
    if given is not None:
        proportions = lesions / lesions.sum(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
        own = torch.from_numpy(given.astype(np.float32)) / 255 * proportions
        lesions = GIVEN_SHARE * own + (1 - GIVEN_SHARE) * lesions
    blended: Array = (255 * lesions).round().clamp(0, 255).to(torch.uint8).numpy()
    return blended
