from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from msdnet.config import Experiment, Preprocessing, Stage, read_experiment
from msdnet.data.layouts import Options
from msdnet.data.preparation import prepare
from msdnet.errors import OptionError, WeightsError
from msdnet.evaluation.figures import estimate
from msdnet.evaluation.overlap import read_overlaps
from msdnet.training.data import load_training_data
from msdnet.training.experiment import run_experiment
from msdnet.training.network import network_of
from msdnet.training.out_of_fold import measure_fold
from msdnet.training.start import load_start, start_notes
from msdnet.weights import load_weights

ROOT = Path(__file__).parent.parent.parent
FINE_TUNE = read_experiment(ROOT / "experiments" / "fine-tune.yaml")


@pytest.mark.slow
def test_fine_tuning_on_the_phantom_makes_the_weights_better_there(tmp_path: Path) -> None:
    options = Options(num_patients=8, shape=(8, 96, 96))
    prepare(None, tmp_path / "data", FINE_TUNE.schema, layout="phantom", options=options)
    short = dataclasses.replace(
        FINE_TUNE,
        training=dataclasses.replace(  # a sixth of the steps, so longer ones
            FINE_TUNE.training, steps=50, learning_rate=0.001, num_labelled=4, size=96, ema_decay=0.8
        ),
        preprocessing=dataclasses.replace(FINE_TUNE.preprocessing, size=96),
        num_folds=2,
    )
    weights = run_experiment(short, tmp_path / "data", tmp_path / "out", device="cpu")
    slices = load_training_data(tmp_path / "data", short).labelled
    start, _ = load_start(short)
    before = measure_fold(start, slices, short, 0).overlaps
    after = read_overlaps(tmp_path / "out" / "per_slice.csv")  # each slice by a fold that has not seen its patient
    for name in ("ggo", "consolidation"):
        untrained, trained = (
            estimate([r for r in rows if r.class_name == name], "dsc").value for rows in (before, after)
        )
        assert trained > untrained + 0.05, name
    _, card = load_weights(weights)
    assert f"The network started from the weights resnet18-v3 (sha256 {load_weights()[1].sha256})." in card.trained_on
    assert "started from the weights resnet18-v3" in (tmp_path / "out" / "summary.md").read_text().splitlines()[0]


def test_before_the_first_step_the_network_is_the_start() -> None:
    start, _ = load_weights("resnet18-v3")
    built = network_of(FINE_TUNE).state_dict()
    assert all(torch.equal(value, built[name]) for name, value in start.state_dict().items())


def test_a_start_that_does_not_fit_is_refused_with_every_difference() -> None:
    wrong = dataclasses.replace(
        FINE_TUNE, schema="msdnet-paper", network_arguments={}, preprocessing=Preprocessing(mean=0.5)
    )
    with pytest.raises(OptionError) as refused:
        load_start(wrong)
    text = str(refused.value)
    assert all(words in text for words in ("schema: msdnet-paper", "network_arguments: {}", "preprocessing.mean: 0.5"))
    assert "preprocessing.std" not in text
    with pytest.raises(WeightsError, match="no weights 'nowhere'"):
        load_start(dataclasses.replace(FINE_TUNE, start="nowhere"))


def test_a_share_of_the_start_needs_a_start() -> None:
    stage = Stage(steps=2, start_share=0.3)
    assert Experiment("fine", stage, start="resnet18-v3").training.start_share == 0.3
    with pytest.raises(OptionError, match="start_share"):
        Experiment("scratch", stage)


def test_a_table_says_what_its_networks_started_from_and_whether_that_had_seen_the_slices() -> None:
    scratch = Experiment("scratch", Stage(steps=2))
    assert start_notes([scratch], "0" * 64) == []
    [other] = start_notes([FINE_TUNE, scratch], "0" * 64)
    assert other.endswith("resnet18-v3, which must not have seen these slices")
    [same] = start_notes([FINE_TUNE], load_weights()[1].recipe["data_sha256"])
    assert same.endswith("resnet18-v3, which had seen these slices: not out of fold")


@pytest.mark.parametrize("start", ["", 5])
def test_a_start_is_a_name_or_a_path(start: object) -> None:
    with pytest.raises(OptionError, match="start"):
        Experiment("fine", Stage(steps=2), start=start)
