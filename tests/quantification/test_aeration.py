from __future__ import annotations

import numpy as np
import pytest

from msdnet.labels import get_schema
from msdnet.quantification.aeration import compromised_percent, measure_aeration


def test_density_is_told_apart_at_the_published_bounds() -> None:
    hu = np.array([[[-1000, -901, -900, -501, -500, -101, -100, 99, 100, 40]]], np.int16)
    labels = np.array([[[0, 0, 0, 0, 1, 1, 2, 2, 2, 2]]], np.uint8)
    sides = np.array([[[1, 1, 1, 2, 2, 2, 2, 2, 2, 0]]], np.uint8)  # the last one lies outside
    found = measure_aeration(hu, labels, sides, get_schema("ggo-consolidation"))
    ninth = 100 / 9
    assert list(found["lungs"].values()) == pytest.approx([2 * ninth, 2 * ninth, 2 * ninth, 2 * ninth, ninth])
    assert found["ggo"] == {"overinflated": 0, "normal": 0, "poor": 100, "none": 0, "denser": 0}
    assert found["consolidation"]["none"] == pytest.approx(200 / 3)
    assert compromised_percent(found) == pytest.approx(4 * ninth)


def test_a_class_that_is_not_marked_has_zeros() -> None:
    found = measure_aeration(
        np.full((1, 2, 2), -800), np.zeros((1, 2, 2), np.uint8), np.ones((1, 2, 2), np.uint8), get_schema("infection")
    )
    assert set(found["infection"].values()) == {0.0}
    assert found["lungs"]["normal"] == 100
