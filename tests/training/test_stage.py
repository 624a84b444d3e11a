from __future__ import annotations

import csv
import dataclasses
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from msdnet.config import Augmentation, Experiment, Preprocessing, Stage
from msdnet.data.batches import StepBatches
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import OptionError
from msdnet.training import stage as stage_module
from msdnet.training.module import SegmentationTraining
from msdnet.training.processes import Processes, check_shares
from msdnet.training.stage import run_stage

Draw = Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]
EXPERIMENT = Experiment(name="tiny", training=Stage(steps=4), preprocessing=Preprocessing(size=32))


def plain_network(dropout: float = 0.2) -> nn.Module:
    """Two convolutions and dropout; no batch norm, whose statistics would differ between shares of a batch."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(8, 3, 3, padding=1))


def _module(stage: Stage, **arguments: int) -> SegmentationTraining:
    return SegmentationTraining(plain_network(), stage, torch.ones(3), 2.0, **arguments)


def test_the_papers_schedule_falls_to_a_tenth_every_100_epochs() -> None:
    module = _module(Stage(epochs=250, schedule="step"), num_steps=1250, steps_per_epoch=5)
    assert [module.share_of_learning_rate(s) for s in (0, 499, 500, 999, 1000)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_papers_optimiser_is_adam_with_its_betas() -> None:
    optimizer = _module(Stage(steps=1, optimizer="adam"), num_steps=1).configure_optimizers()["optimizer"]
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["betas"] == (0.9, 0.999)
    assert optimizer.defaults["lr"] == 0.001


def test_epochs_become_steps_and_checkpoints_fall_on_epochs(draw_slices: Draw) -> None:
    stage = Stage(epochs=60, num_labelled=2, size=32)
    assert stage.num_steps(num_labelled=5, num_weak=0) == 180
    batches = stage_module._Batches(stage, EXPERIMENT, draw_slices(5)[0], [], 0, Processes())
    assert (batches.num_steps, batches.steps_per_epoch, batches.steps_per_checkpoint) == (180, 3, 51)


@pytest.mark.parametrize("given", [{}, {"steps": 3, "epochs": 3}, {"epochs": 0}])
def test_a_stage_has_either_steps_or_epochs(given: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="steps, epochs"):
        Stage(**given)


def test_training_stops_early_and_keeps_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw
) -> None:
    monkeypatch.setattr(stage_module, "STEPS_PER_CHECKPOINT", 1)
    wild = Stage(epochs=30, num_labelled=2, learning_rate=10.0, schedule="constant", ema_decay=0.0, patience=2)
    slices, _ = draw_slices(2)
    run_stage(plain_network(), wild, EXPERIMENT, slices, tmp_path, seed=0, device="cpu", validation=slices)
    log = (tmp_path / "log" / "version_0" / "metrics.csv").read_text().splitlines()
    column = log[0].split(",").index("validation_loss")
    losses = [float(line.split(",")[column]) for line in log[1:] if line.split(",")[column]]
    assert len(losses) == losses.index(min(losses)) + 3  # two more without a smaller one
    assert len(losses) < 30
    assert (tmp_path / "best.ckpt").is_file()


PROGRAM = """
    import sys
    from pathlib import Path
    import torch
    sys.path.insert(0, {tests!r})
    from conftest import labelled_and_weak
    from test_stage import EXPERIMENT, kill_in_the_second_checkpoint, plain_network
    from msdnet.config import Augmentation, Stage
    import dataclasses
    from msdnet.training import stage as stage_module
    stage_module.STEPS_PER_CHECKPOINT = 3
    torch.set_num_threads(1)
    if "killed-in-a-write" in sys.argv:
        kill_in_the_second_checkpoint()
    experiment = dataclasses.replace(EXPERIMENT, precision="32-true")
    stage = Stage(steps={steps}, num_labelled={batch}, dice_weight={dice}, ema_decay=0.5)
    slices, _ = labelled_and_weak(6)
    stage_module.run_stage(
        plain_network({dropout}), stage, experiment, slices, Path(sys.argv[1]), seed=0, device="cpu"
    )
"""


def _program(path: Path, *, steps: int, batch: int, dice: float, dropout: float) -> Path:
    tests = str(Path(__file__).parent)
    path.write_text(textwrap.dedent(PROGRAM).format(tests=tests, steps=steps, batch=batch, dice=dice, dropout=dropout))
    return path


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def kill_in_the_second_checkpoint() -> None:
    """Replaces `torch.save` in this process: the second time it is killed when a part of the file is on the disk."""
    save = torch.save

    class Dying(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(memoryview(data)[: len(data) // 2])
            os.fsync(self.fileno())
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("still alive")

    written: list[Path] = []

    def save_or_die(checkpoint: object, path: Path) -> None:
        written.append(path)
        save(checkpoint, path) if len(written) == 1 else save(checkpoint, Dying(path, "w"))

    torch.save = save_or_die


def _losses(folder: Path) -> dict[int, float]:
    """The loss logged at each step, by all starts of a run together; a step that was done twice must give it twice."""
    losses: dict[int, float] = {}
    for file in sorted(folder.glob("log/version_*/metrics.csv")):
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                if row["loss"]:
                    assert losses.setdefault(int(row["step"]), float(row["loss"])) == float(row["loss"])
    return losses


def _assert_same_run(one: Path, other: Path) -> None:
    weights, others = (load_file(folder / "weights.safetensors") for folder in (one, other))
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert _losses(one) == _losses(other)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """A command that trains into the folder put behind it, and a folder that it trained into without a break."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, str(_program(folder / "program.py", steps=60, batch=4, dice=1.0, dropout=0.2))]
    subprocess.run([*command, str(folder / "whole")], check=True, env=_environment(), capture_output=True)
    assert len(_losses(folder / "whole")) == 20
    return command, folder / "whole"


def test_killed_outright_at_any_moment_training_ends_with_the_same_weights_and_losses(
    tmp_path: Path, whole_run: tuple[list[str], Path]
) -> None:
    command, whole = whole_run
    kills = 0
    for wait_for in ("newest.ckpt", "log/version_1/metrics.csv"):  # in the first run, then in the one that goes on
        with subprocess.Popen(
            [*command, str(tmp_path / "parts")], env=_environment(), stderr=subprocess.DEVNULL
        ) as run:
            deadline = time.monotonic() + 120
            while not (tmp_path / "parts" / wait_for).exists() and run.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            run.send_signal(signal.SIGKILL)
            kills += run.wait() == -signal.SIGKILL
    assert kills == 2
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    subprocess.run([*command, str(tmp_path / "parts")], check=True, env=_environment(), capture_output=True)
    _assert_same_run(tmp_path / "parts", whole)


def test_killed_while_a_checkpoint_is_written_training_goes_on_from_the_one_before(
    tmp_path: Path, whole_run: tuple[list[str], Path]
) -> None:
    command, whole = whole_run
    parts = tmp_path / "parts"
    killed = subprocess.run([*command, str(parts), "killed-in-a-write"], env=_environment(), capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < (parts / "newest.ckpt.partial").stat().st_size < (parts / "newest.ckpt").stat().st_size
    assert torch.load(parts / "newest.ckpt")["global_step"] == 3
    assert sorted(_losses(parts)) == [2, 5]  # those of the lost checkpoint too: the same come again
    subprocess.run([*command, str(parts)], check=True, env=_environment(), capture_output=True)
    _assert_same_run(parts, whole)


def test_two_processes_train_the_weights_that_one_does_with_the_same_batch(tmp_path: Path) -> None:
    program = _program(tmp_path / "program.py", steps=12, batch=4, dice=0.0, dropout=0.0)
    alone = [sys.executable, str(program), str(tmp_path / "alone")]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29655"]
    for command in (alone, [*torchrun, str(program), str(tmp_path / "together")]):
        subprocess.run(command, check=True, env=_environment(), capture_output=True)
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("alone", "together"))
    start = plain_network().state_dict()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-5), name
        assert not torch.allclose(value, start[name], atol=1e-3), name


def test_processes_that_cannot_share_a_batch_evenly_are_refused() -> None:
    check_shares(Stage(steps=1, num_labelled=8), Processes(0, 2, 1))
    with pytest.raises(OptionError, match="evenly"):
        check_shares(Stage(steps=1, num_labelled=6, num_weak=2), Processes(0, 4, 1))


def test_a_process_sees_its_share_of_the_same_batch(draw_slices: Draw) -> None:
    stage = Stage(steps=4, num_labelled=4)
    settings = stage, Augmentation(), EXPERIMENT.preprocessing, 0, 0, 4
    fitted = stage_module.FittedSlices(draw_slices(6)[0], 32, 2)
    whole = stage_module.StepBatches(fitted, None, *settings)[2]
    shares = [stage_module.StepBatches(fitted, None, *settings, rank, 2)[2] for rank in range(2)]
    for key in ("images", "targets"):
        assert torch.equal(whole[key][0::2], shares[0][key])
        assert torch.equal(whole[key][1::2], shares[1][key])


def test_an_unlabelled_slice_without_a_guess_takes_no_part(draw_slices: Draw) -> None:
    slices, _ = draw_slices(2)
    bare = dataclasses.replace(slices[0], name="bare", labels=None)
    batches = stage_module._Batches(Stage(steps=1, num_labelled=2), EXPERIMENT, [*slices, bare], [], 0, Processes())
    assert len(batches.labelled or []) == 2


def test_a_share_of_the_starting_weights_is_kept(tmp_path: Path, draw_slices: Draw) -> None:
    start = {name: value.clone() for name, value in plain_network().state_dict().items()}
    plain = Stage(steps=2, num_labelled=2, ema_decay=0)
    results = []
    for share in (0.0, 0.25):
        stage = dataclasses.replace(plain, start_share=share)
        network = run_stage(
            plain_network(), stage, EXPERIMENT, draw_slices(2)[0], tmp_path / str(share), seed=0, device="cpu"
        )
        results.append(network.state_dict())
    trained, mixed = results
    for name, value in trained.items():
        assert not torch.equal(value, start[name])
        assert torch.allclose(mixed[name], 0.75 * value + 0.25 * start[name], atol=1e-6)


@pytest.mark.parametrize(("of_stage", "channels"), [(None, 2), ("any", 1), ("density", 2)])
def test_a_stage_may_read_weak_targets_in_its_own_way(of_stage: str | None, channels: int, draw_slices: Draw) -> None:
    experiment = dataclasses.replace(EXPERIMENT, schema="ggo-consolidation", weak_classes="density")
    stage = Stage(steps=1, num_labelled=0, num_weak=2, weak_classes=of_stage)
    batches = stage_module._Batches(stage, experiment, draw_slices(3)[1], [], 0, Processes())
    assert batches.weak is not None
    assert batches.weak.targets.shape[1] == channels


@pytest.mark.parametrize(("of_stage", "used"), [(None, 0.25), (0.0, 0.0), (1.0, 1.0)])
def test_a_stage_may_have_its_own_share_of_heavy_noise(of_stage: float | None, used: float, draw_slices: Draw) -> None:
    experiment = dataclasses.replace(EXPERIMENT, augmentation=Augmentation(heavy_noise=0.25, noise=0.0))
    stage = Stage(steps=1, num_labelled=2, heavy_noise=of_stage)
    batches = stage_module._Batches(stage, experiment, draw_slices(3)[0], [], 0, Processes())
    dataset = batches.train_dataloader().dataset
    assert isinstance(dataset, StepBatches)
    assert dataset.augmentation == dataclasses.replace(experiment.augmentation, heavy_noise=used)


def test_classes_by_density_need_their_schema_in_every_stage() -> None:
    with pytest.raises(OptionError, match="ggo-consolidation for density"):
        Experiment(name="x", training=Stage(steps=1, weak_classes="density"), schema="msdnet-paper")
