from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from msdnet.config import Experiment, Preprocessing, Stage
from msdnet.data.covid_semiseg import TrainingSlice
from msdnet.errors import OptionError
from msdnet.networks import build_network
from msdnet.training import stage as stage_module
from msdnet.training.experiment import run_experiment
from msdnet.training.stage import run_stage
from msdnet.weights import load_weights

EXPERIMENT = Experiment(
    name="tiny",
    training=Stage(steps=6, num_labelled=2, num_weak=1, deep_supervision=0.3),
    pretraining=Stage(steps=2, num_labelled=0, num_weak=2),
    network_arguments={"encoder": "resnet18"},
    preprocessing=Preprocessing(size=32),
    num_folds=2,
)


def _slices(count: int) -> list[TrainingSlice]:
    rng = np.random.default_rng(0)
    slices = []
    for i in range(count):
        image = rng.integers(0, 100, (40, 40), dtype=np.uint8)
        labels = np.zeros((40, 40), np.uint8)
        labels[5:15, 5:25], labels[25:35, 5:25] = 1, 2
        image[labels == 1], image[labels == 2] = 150, 220
        slices.append(TrainingSlice(str(i), f"g{i}", image, labels=labels))
        slices.append(TrainingSlice(f"w{i}", f"w{i}", image, weak=(labels > 0).astype(np.uint8) * 255))
    return slices


def _network(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_network("msdnet", encoder="resnet18", num_classes=3)


def test_an_interrupted_stage_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "STEPS_PER_EPOCH", 2)
    slices = _slices(3)
    run_stage(_network(), EXPERIMENT.training, EXPERIMENT, slices, tmp_path / "whole", seed=1, device="cpu")

    original = stage_module.SegmentationTraining.training_step

    def stop_in_the_third_epoch(self: stage_module.SegmentationTraining, batch: dict, index: int) -> torch.Tensor:
        if self.current_epoch == 2:
            raise KeyError("killed")
        return original(self, batch, index)

    monkeypatch.setattr(stage_module.SegmentationTraining, "training_step", stop_in_the_third_epoch)
    with pytest.raises(KeyError, match="killed"):
        run_stage(_network(), EXPERIMENT.training, EXPERIMENT, slices, tmp_path / "halves", seed=1, device="cpu")
    assert not (tmp_path / "halves" / "weights.safetensors").exists()
    monkeypatch.setattr(stage_module.SegmentationTraining, "training_step", original)
    run_stage(_network(9), EXPERIMENT.training, EXPERIMENT, slices, tmp_path / "halves", seed=1, device="cpu")

    whole, halves = (load_file(tmp_path / n / "weights.safetensors") for n in ("whole", "halves"))
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    start = _network().state_dict()
    assert any(not torch.equal(whole[name], start[name]) for name in whole)


def test_training_learns_what_grey_tells(tmp_path: Path) -> None:
    stage = Stage(steps=40, num_labelled=4, learning_rate=3e-3, ema_decay=0.8)
    experiment = dataclasses.replace(EXPERIMENT, training=stage)
    labelled = [s for s in _slices(4) if s.labels is not None]
    run_stage(_network(), stage, experiment, labelled, tmp_path, seed=0, device="cpu")
    log = (tmp_path / "log" / "version_0" / "metrics.csv").read_text().splitlines()
    assert "loss" in log[0]
    network = _network()
    network.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    from msdnet.training.experiment import evaluate_slices

    lesion = [r.dsc for r in evaluate_slices(network.eval(), labelled, experiment, 0) if r.class_name == "any_lesion"]
    assert np.mean(lesion) > 0.5


def test_an_experiment_writes_weights_table_and_rows(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for part in ("multiclass/images", "multiclass/labels", "unlabelled/images", "unlabelled/pseudo-labels"):
        (data / part).mkdir(parents=True)
    rng = np.random.default_rng(2)
    for i in range(4):
        image = rng.integers(0, 256, (8, 8), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
        Image.fromarray(image).save(data / f"multiclass/images/{i}.jpg")
        Image.fromarray((image > 128).astype(np.uint8) + (image > 200)).save(data / f"multiclass/labels/{i}.png")
        Image.fromarray(image).save(data / f"unlabelled/images/a_org_00{i}_1.jpg")
        Image.fromarray(image).save(data / f"unlabelled/pseudo-labels/a_org_00{i}_1.png")
    experiment = dataclasses.replace(
        EXPERIMENT, training=Stage(steps=1, num_labelled=2), pretraining=Stage(steps=1, num_labelled=0, num_weak=2)
    )
    weights = run_experiment(experiment, data, tmp_path / "out", device="cpu")
    network, card = load_weights(weights)
    assert card.name == "tiny"
    assert card.recipe["training"]["steps"] == 1
    rows = (tmp_path / "out" / "per_slice.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 3
    assert "| Ground-glass opacity | " in (tmp_path / "out" / "table.md").read_text()
    before = (tmp_path / "out" / "final" / "weights.safetensors").stat().st_mtime_ns
    run_experiment(experiment, data, tmp_path / "out", device="cpu")  # everything is finished: nothing is trained anew
    assert (tmp_path / "out" / "final" / "weights.safetensors").stat().st_mtime_ns == before
    assert isinstance(network, torch.nn.Module)
    other = dataclasses.replace(experiment, focal_gamma=1.0)
    with pytest.raises(OptionError, match="focal_gamma"):
        run_experiment(other, data, tmp_path / "out", device="cpu")
