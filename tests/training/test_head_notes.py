from __future__ import annotations

import dataclasses

from msdnet.config import Experiment, Preprocessing, Stage
from msdnet.training.head_notes import experiment_notes, seed_note

PLAIN = Experiment(name="a", training=Stage(steps=10))


def test_equal_trainings_need_no_note() -> None:
    other = dataclasses.replace(PLAIN, name="b", network="unet", network_arguments={"width": 8}, seed=1)
    assert experiment_notes([PLAIN, other], "0" * 64) == []


def test_unequal_trainings_are_told_by_their_keys() -> None:
    other = dataclasses.replace(
        PLAIN, name="b", training=Stage(steps=20), preprocessing=Preprocessing(size=96), pretraining=Stage(steps=1)
    )
    [note] = experiment_notes([PLAIN, other, PLAIN], "0" * 64)
    assert note.startswith("not the same for all: ")
    assert set(note.split(": ")[1].split(", ")) == {"training.steps", "preprocessing.size", "pretraining"}


def test_figures_of_trainings_that_stopped_on_the_slices_held_back_are_called_optimistic() -> None:
    early = dataclasses.replace(PLAIN, name="b", training=Stage(steps=10, patience=3))
    assert "optimistic, the slices held back chose when the training stopped: b" in experiment_notes([early], "0" * 64)


def test_every_network_has_its_seed() -> None:
    assert seed_note([PLAIN, PLAIN]) == "one seed (0)"
    assert seed_note([PLAIN, dataclasses.replace(PLAIN, name="b", seed=4)]) == "one seed each (a: 0, b: 4)"
