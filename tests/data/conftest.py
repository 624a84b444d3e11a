from __future__ import annotations

import numpy as np
import pytest

from msdnet.data.covid_semiseg import TrainingSlice


@pytest.fixture
def drawn_slices() -> list[TrainingSlice]:
    """Twelve slices of random blobs in six groups, labelled; the first two show no lesion."""
    rng = np.random.default_rng(0)
    slices = []
    for i in range(12):
        image = rng.integers(0, 256, (40 + i, 50), dtype=np.uint8)
        labels = np.zeros(image.shape, dtype=np.uint8)
        if i >= 2:
            labels[5:15, 5:20] = 1
            labels[20:30, 30:40] = 2
        slices.append(TrainingSlice(f"s{i}", f"g{i // 2}", image, labels=labels))
    return slices
