from __future__ import annotations

from pathlib import Path

import numpy as np

from msdnet.data.covid_semiseg import read_labelled
from msdnet.data.weak_classes import split_by_density


def test_dense_places_are_consolidation_and_the_rest_ground_glass() -> None:
    image = np.full((60, 120), 27, np.uint8)  # aerated lung
    weak = np.zeros_like(image)
    image[20:40, 10:40], weak[20:40, 10:40] = 90, 255  # a third of the way to soft tissue
    image[20:40, 70:100], weak[20:40, 70:100] = 205, 200
    ground_glass, consolidation = split_by_density(image, weak)
    assert np.array_equal(ground_glass.astype(int) + consolidation, weak)
    assert not consolidation[:, :60].any()
    assert not ground_glass[:, 60:].any()


def test_what_lies_around_a_lesion_does_not_matter() -> None:
    image = np.full((60, 60), 211, np.uint8)  # soft tissue
    weak = np.zeros_like(image)
    image[20:40, 20:40], weak[20:40, 20:40] = 90, 255
    assert not split_by_density(image, weak)[1].any()


def test_density_tells_the_classes_of_real_lesions_apart(data_folder: Path) -> None:
    """The true labels, given as one lesion and split again; nothing was fitted to them beyond the two bounds."""
    right = total = 0
    for s in read_labelled(data_folder / "covid-semiseg"):
        assert s.labels is not None
        lesion = s.labels > 0
        guessed = split_by_density(s.image, (lesion * 255).astype(np.uint8)).argmax(0) + 1
        right += int((guessed == s.labels)[lesion].sum())
        total += int(lesion.sum())
    assert right / total > 0.75  # two thirds are ground-glass opacity
