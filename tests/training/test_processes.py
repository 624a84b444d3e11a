"""Whole commands in several processes, and killed ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from msdnet.cli import main
from msdnet.config import read_experiment
from msdnet.data.preparation import prepare
from msdnet.errors import OptionError
from msdnet.evaluation.overlap import read_overlaps
from msdnet.training.cross_validation import cross_validate

EXPERIMENT = """
name: tiny
schema: ggo-consolidation
network: unet
network_arguments: {width: 4}
preprocessing: {size: 32}
training: {steps: 3, num_labelled: 2}
precision: 32-true
num_folds: 2
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """An experiment file; beside it the folder `data` with the manifest of six slices."""
    rng = np.random.default_rng(4)
    for part in ("images", "labels"):
        (tmp_path / "source" / part).mkdir(parents=True)
    for i in range(6):
        image = rng.integers(0, 256, (8, 8), dtype=np.uint8).repeat(5, 0).repeat(5, 1)
        Image.fromarray(image).save(tmp_path / f"source/images/{i}.png")
        Image.fromarray((image > 128).astype(np.uint8) + (image > 200)).save(tmp_path / f"source/labels/{i}.png")
    prepare(tmp_path / "source", tmp_path / "data", "ggo-consolidation")
    path = tmp_path / "tiny.yaml"
    path.write_text(EXPERIMENT)
    return path


def _command(experiment: Path, out: Path, *more: str) -> list[str]:
    words = ["cross-validate", str(experiment), "--data", str(experiment.parent / "data"), "-o", str(out)]
    return ["-m", "msdnet", *words, "--device", "cpu", *more]


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}


def _weights(out: Path) -> dict[str, torch.Tensor]:
    files = sorted(out.glob("tiny/fold-*/weights.safetensors"))
    assert len(files) == 2
    return {f"{f.parent.name} {name}": value for f in files for name, value in load_file(f).items()}


def test_killed_between_folds_or_shared_by_processes_a_run_ends_with_the_same_weights(experiment: Path) -> None:
    folder = experiment.parent
    one = read_experiment(experiment)
    where = {name: folder / name for name in ("whole", "killed", "shared")}
    cross_validate([one], folder / "data", where["whole"], device="cpu")
    expected = _weights(where["whole"])

    with subprocess.Popen(
        [sys.executable, *_command(experiment, where["killed"])], env=_environment(), stderr=subprocess.DEVNULL
    ) as run:
        first = where["killed"] / "tiny" / "fold-0" / "per_slice.csv"
        deadline = time.monotonic() + 300
        while not first.exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    assert not (where["killed"] / "tiny" / "per_slice.csv").exists()
    before = first.stat().st_mtime_ns
    cross_validate([one], folder / "data", where["killed"], device="cpu")
    assert first.stat().st_mtime_ns == before

    shares = [
        subprocess.Popen(
            [sys.executable, *_command(experiment, where["shared"], "--fold", str(fold))],
            env=_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for fold in (0, 1)
    ]
    said = [share.communicate(timeout=300)[0] for share in shares]
    assert [share.returncode for share in shares] == [0, 0]
    assert "without --fold" in said[1]
    assert not (where["shared"] / "comparison.md").exists()
    cross_validate([one], folder / "data", where["shared"], device="cpu")

    for name in ("killed", "shared"):
        weights = _weights(where[name])
        assert all(torch.equal(expected[key], weights[key]) for key in expected), name
        for file in ("comparison.csv", "tiny/per_slice.csv", "folds.csv"):
            assert (where[name] / file).read_bytes() == (where["whole"] / file).read_bytes(), (name, file)


def test_the_command_trains_with_each_seed(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = experiment.parent / "out"
    assert main(_command(experiment, out, "--seed", "3", "--seed", "5")[2:]) == 0
    assert "mean of seeds 3, 5" in capsys.readouterr().out
    assert sorted(p.name for p in out.glob("seed-*")) == ["seed-3", "seed-5"]
    assert {read_overlaps(p)[0].name for p in out.glob("seed-*/tiny/per_slice.csv")} == {"0"}
    assert "| tiny |" in (out / "seeds.md").read_text(encoding="utf-8")


def test_a_fold_that_does_not_exist_is_refused(experiment: Path) -> None:
    out = experiment.parent / "out"
    with pytest.raises(OptionError, match="0 to 1"):
        cross_validate([read_experiment(experiment)], experiment.parent / "data", out, only_folds=[2], device="cpu")
    assert not out.exists()


@pytest.mark.slow
def test_torchrun_makes_the_files_of_one_process(experiment: Path) -> None:
    folder = experiment.parent
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29656"]
    environment = {**_environment(), "OMP_NUM_THREADS": "1"}
    subprocess.run([*torchrun, *_command(experiment, folder / "two")], check=True, env=environment)
    subprocess.run([sys.executable, *_command(experiment, folder / "one")], check=True, env=environment)
    one, two = (sorted(str(p.relative_to(folder / n)) for p in (folder / n).rglob("*.csv")) for n in ("one", "two"))
    assert one == two
    assert (folder / "one/folds.csv").read_bytes() == (folder / "two/folds.csv").read_bytes()
    assert len(_weights(folder / "two")) == len(_weights(folder / "one"))
