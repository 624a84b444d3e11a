from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from msdnet.config import Experiment, Preprocessing, Stage
from msdnet.data.manifest import Manifest
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import OptionError
from msdnet.training import guesses as guesses_module
from msdnet.training.data import TrainingData
from msdnet.training.guesses import guess_targets
from msdnet.training.network import train_network

Draw = Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]
EXPERIMENT = Experiment(
    name="tiny",
    training=Stage(steps=2, num_labelled=2),
    self_training=Stage(steps=2, num_labelled=2, num_weak=2),
    network_arguments={"encoder": "resnet18"},
    preprocessing=Preprocessing(size=32),
)


class Fixed(nn.Module):
    """Probabilities 0.4, 0.4 and 0.2 everywhere."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([0.4, 0.4, 0.2]).log()[None, :, None, None].expand(len(images), 3, *images.shape[-2:])


def test_a_guess_is_the_networks_and_the_given_one_in_its_proportions(tmp_path: Path, draw_slices: Draw) -> None:
    labelled, weak = draw_slices(1)
    bare = dataclasses.replace(weak[0], name="file", weak=None)
    told: list[float] = []
    found = guess_targets(
        Fixed(), [*labelled, *weak, bare], EXPERIMENT, tmp_path, progress=lambda _, share: told.append(share)
    )
    assert found[0] is labelled[0]
    assert found[2].weak.shape == (2, 40, 40)
    assert np.unique(found[2].weak[0]) == [102]
    assert np.unique(found[2].weak[1]) == [51]
    lesion = weak[0].weak == 255  # given as certain: half of 1 and half of 0.6, in the proportion 2 to 1
    assert np.unique(found[1].weak[0][lesion]) == [round(255 * 0.8 * 2 / 3)]
    assert np.unique(found[1].weak[0][~lesion]) == [round(255 * 0.3 * 2 / 3)]
    assert told == [0.0, 0.0]


def test_what_was_guessed_is_not_guessed_again(
    tmp_path: Path, draw_slices: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, weak = draw_slices(2)
    first = guess_targets(Fixed(), weak, EXPERIMENT, tmp_path, progress=lambda *_: None)
    monkeypatch.setattr(guesses_module, "predict_probabilities", None)
    again = guess_targets(Fixed(), weak, EXPERIMENT, tmp_path, progress=lambda *_: None)
    assert all(np.array_equal(a.weak, b.weak) for a, b in zip(first, again, strict=True))


def test_the_further_stage_learns_from_the_teachers_guesses_of_its_own_slices(
    tmp_path: Path, draw_slices: Draw
) -> None:
    labelled, weak = draw_slices(4)
    data = TrainingData(Manifest(tmp_path, (), "ggo-consolidation", "grey", {}), labelled, weak)
    told: list[tuple[str, float]] = []

    def tell(doing: str, share: float) -> None:
        told.append((doing, share))

    seen = [*labelled[:3], *weak[:3]]  # the fourth group is held back
    network = train_network(seen, EXPERIMENT, tmp_path, "fold-0", data, device="cpu", progress=tell)
    with np.load(tmp_path / "fold-0" / "teacher" / "guesses.npz") as kept:
        assert list(kept["names"]) == [s.name for s in weak[:3]]
    teacher, student = (
        load_file(tmp_path / "fold-0" / name) for name in ("teacher/weights.safetensors", "weights.safetensors")
    )
    assert any(not torch.equal(teacher[name], student[name]) for name in teacher)
    assert all(torch.equal(value, student[name]) for name, value in network.state_dict().items())
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert ("guessing", 0.5) in told
    assert ("self-training", 1.0) in told


def test_self_training_needs_guessed_slices() -> None:
    with pytest.raises(OptionError, match=r"self_training\.num_weak"):
        dataclasses.replace(EXPERIMENT, self_training=Stage(steps=2))
