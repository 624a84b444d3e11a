from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from msdnet.config import (
    Augmentation,
    Experiment,
    Preprocessing,
    Stage,
    experiment_from,
    read_experiment,
    read_experiments,
)
from msdnet.errors import OptionError

EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("**/*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_every_experiment_file_is_valid_and_opens_with_its_command(path: Path) -> None:
    assert isinstance(read_experiment(path), Experiment)
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any("msdnet train" in line and path.name in line for line in head)
    if path.name != "fine-tune.yaml":  # on whose slices is not known
        said = " ".join(line.removeprefix("# ") for line in head)
        assert re.search(r"(minutes|hours).* Out of fold.*: DSC 0\.\d{3}|Not run in full: |Two folds of five", said)


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
        ({"name": "x", "training": {"steps": 1}, "preprocessing": {"size": 100}}, "preprocessing: size"),
        ({"name": "x", "training": None}, "training"),
        *[({"name": n, "training": {"steps": 1}}, "of a folder") for n in ("../x", "a/b", r"a\b", "C:x", "..", "")],
        (["name"], "mapping"),
    ],
)
def test_a_wrong_experiment_is_refused_by_name(content: Any, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        experiment_from(content)


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    texts = {
        "good": "{name: good, training: {steps: 1}}",
        "bad": "{name: bad, training: {steps: ten, learning_rat: 1, size: 100}, precision: fp8, num_fold: 1, seed: a}",
        "worse": "{pretraining: {steps: 0, start_share: 2, ema_decay: 1}, self_training: 3, weak_classes: density,"
        " schema: 4}",
        "broken": "a: [1",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    paths = [tmp_path / f"{name}.yaml" for name in [*texts, "nowhere"]]
    with pytest.raises(OptionError, match="14 settings cannot be used") as told:
        read_experiments(paths)
    lines = [line.removeprefix("    - ") for line in told.value.got.splitlines() if line.startswith("    - ")]
    _, bad, worse, broken, nowhere = paths
    wanted = [
        f"{bad}: the experiment: unknown: num_fold; missing: none; ",
        f"{bad}: training: unknown: learning_rat; missing: none; ",
        f"{bad}: training: steps: 'ten'; expected: int",
        f"{bad}: training: size: 100; ",
        f"{bad}: seed: 'a'; expected: int",
        f"{bad}: precision: 'fp8'; ",
        f"{worse}: the experiment: unknown: none; missing: name, training; ",
        f"{worse}: pretraining: steps, epochs: (0, None); ",
        f"{worse}: pretraining: ema_decay: 1.0; ",
        f"{worse}: pretraining: start_share: 2.0; ",
        f"{worse}: self_training: int; ",
        f"{worse}: schema: 4; expected: str",
        f"{broken}: cannot be read: ",
        f"{nowhere}: cannot be read: ",
    ]
    assert len(lines) == len(wanted)
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(start)


def test_one_fault_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\ntraining: {steps: 1}\nprecision: fp8\n", encoding="utf-8")
    with pytest.raises(OptionError) as told:
        read_experiment(path)
    assert told.value.what == f"{path}: precision cannot be used"


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
    ("text", "named"),
    [
        ("name: a\ntraining: {steps: 1}\nname: b\n", "given twice: name"),
        ("name: a\ntraining:\n  steps: 1\n  optimizer: adam\n  steps: 2\n", "given twice: steps"),
    ],
)
def test_a_key_given_twice_is_refused(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=named):
        read_experiment(tmp_path / "twice.yaml")


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


def test_a_mapping_may_take_over_anothers_keys_and_replace_one(tmp_path: Path) -> None:
    text = "name: a\npretraining: &start {steps: 3, num_labelled: 0, num_weak: 4}\ntraining: {<<: *start, steps: 5}\n"
    (tmp_path / "merged.yaml").write_text(text, encoding="utf-8")
    training = read_experiment(tmp_path / "merged.yaml").training
    assert (training.steps, training.num_weak) == (5, 4)
