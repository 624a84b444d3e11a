from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from msdnet.data.training_slice import TrainingSlice


def labelled_and_weak(count: int) -> tuple[list[TrainingSlice], list[TrainingSlice]]:
    """Slices whose grey tells the class, in groups g0, g1, ...; and the same images with a guess, named w0, w1, ..."""
    rng = np.random.default_rng(0)
    labelled, weak = [], []
    for i in range(count):
        image = rng.integers(0, 100, (40, 40), dtype=np.uint8)
        labels = np.zeros((40, 40), np.uint8)
        labels[5:15, 5:25], labels[25:35, 5:25] = 1, 2
        image[labels == 1], image[labels == 2] = 150, 220
        labelled.append(TrainingSlice(str(i), f"g{i}", image, labels=labels))
        weak.append(TrainingSlice(f"w{i}", f"w{i}", image, weak=(labels > 0).astype(np.uint8) * 255))
    return labelled, weak


@pytest.fixture
def draw_slices() -> Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]:
    """`labelled_and_weak`; programs that a test starts import it by that name."""
    return labelled_and_weak
