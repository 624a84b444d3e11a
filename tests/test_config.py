from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from msdnet.config import Augmentation, Experiment, Preprocessing, Stage, experiment_from, read_experiment
from msdnet.errors import OptionError

EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("**/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_every_experiment_file_is_valid_and_opens_with_its_command(path: Path) -> None:
    assert isinstance(read_experiment(path), Experiment)
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any("msdnet train" in line and path.name in line for line in head)


def test_experiment_files_exist() -> None:
    assert EXPERIMENTS


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"name": "x"}, "missing: training"),
        ({"name": "x", "training": {"steps": 1}, "optimizer": "sgd"}, "unknown: optimizer"),
        ({"name": "x", "training": {"stepps": 1}}, "stepps"),
        ({"name": "x", "training": {"steps": 0}}, "steps"),
        ({"name": "x", "training": {"steps": 1.5}}, "steps"),
        ({"name": "x", "training": {"steps": 1, "learning_rate": "fast"}}, "learning_rate"),
        ({"name": "x", "training": {"steps": 1}, "preprocessing": {"window_hu": [1, 2, 3]}}, "window_hu"),
        ({"name": "x", "training": {"steps": 1, "size": 100}}, "size"),
        ({"name": "x", "training": {"steps": 1}, "class_weights": "some"}, "class_weights"),
        ({"name": "x", "training": {"steps": 1}, "num_folds": 1}, "num_folds"),
        ({"name": "x", "training": {"steps": 1}, "preprocessing": {"size": 100}}, "size"),
        *[({"name": n, "training": {"steps": 1}}, "of a folder") for n in ("../x", "a/b", r"a\b", "C:x", "..", "")],
        (["name"], "mapping"),
    ],
)
def test_a_wrong_experiment_is_refused_by_name(content: Any, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        experiment_from(content)


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    experiment = experiment_from({"name": "x", "training": {"steps": 1, "learning_rate": "1e-3", "size": None}})
    assert experiment.training.learning_rate == 1e-3


def test_a_missing_or_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="nowhere"):
        read_experiment(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(OptionError, match="cannot be read"):
        read_experiment(tmp_path / "broken.yaml")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (Preprocessing, {"window_hu": (100, -100)}),
        (Preprocessing, {"std": 0}),
        (Preprocessing, {"margin_mm": -1}),
        (Augmentation, {"scale": (1.2, 0.8)}),
        (Augmentation, {"blur": 1.5}),
        (Augmentation, {"noise": -0.1}),
        (Stage, {"steps": 10, "num_labelled": 1}),
        (Stage, {"steps": 10, "learning_rate": 0}),
        (Stage, {"steps": 10, "ema_decay": 1.0}),
    ],
)
def test_a_value_out_of_range_is_refused(kind: type, arguments: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        kind(**arguments)


def test_a_start_that_was_drawn_at_random_cannot_be_kept() -> None:
    stage = Stage(steps=1, start_share=0.3)
    assert Experiment(name="a", training=stage, pretraining=Stage(steps=1)).training.start_share == 0.3
    for wrong in ({"training": stage}, {"training": Stage(steps=1), "pretraining": stage}):
        with pytest.raises(OptionError, match="start_share"):
            Experiment(name="a", **wrong)
