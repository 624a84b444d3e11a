from __future__ import annotations

import numpy as np
import pytest

from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.quantification.regions import Region
from msdnet.quantification.single_lesions import feret_mm, find_single_lesions
from msdnet.quantification.zones import CENTRAL, PERIPHERAL

SPACING_MM = (2.0, 1.0, 0.5)  # 0.001 ml a voxel


def _scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lungs in the right and the left half of 10 x 40 x 60 voxels, their outer 10 columns peripheral."""
    sides = np.zeros((10, 40, 60), np.uint8)
    sides[:, :, :28], sides[:, :, 32:] = RIGHT, LEFT
    shells = np.where(sides > 0, CENTRAL, 0).astype(np.uint8)
    shells[:, :, :10] = shells[:, :, 50:] = PERIPHERAL
    return np.zeros(sides.shape, bool), sides, shells


def test_lesions_are_counted_measured_and_placed() -> None:
    marked, sides, shells = _scene()
    marked[2:6, 5:15, 2:8] = True  # 4 x 10 x 6 = 240 voxels, right, peripheral
    marked[6, 15, 8] = True  # touches it by a corner: one lesion
    marked[1:3, 20:30, 40:50] = True  # 200 voxels, left, central
    marked[8, 35:38, 20:30] = True  # 30 voxels, 0.03 ml: too small
    first, second = find_single_lesions(marked, sides, shells, SPACING_MM)
    assert (first.volume_ml, first.side, first.shell) == (pytest.approx(0.241), RIGHT, PERIPHERAL)
    assert first.diameter_mm == pytest.approx(np.hypot(10, 5 * 0.5))  # rows of 1 mm, columns of 0.5
    assert (second.volume_ml, second.side, second.shell, second.slice) == (pytest.approx(0.2), LEFT, CENTRAL, 1)
    upper_right = Region("x", (RIGHT,), slices=np.array([[False] * 5 + [True] * 5] * 2))
    assert not first.lies_in(upper_right)  # its middle slice is the fourth
    assert first.lies_in(Region("lungs"))
    assert not second.lies_in(Region("y", shells=(PERIPHERAL,)))


def test_a_disc_has_its_own_diameter() -> None:
    row, column = np.mgrid[:101, :101] - 50
    disc = np.hypot(row * 0.8, column * 0.8) <= 30
    assert feret_mm(disc, (0.8, 0.8)) == pytest.approx(60, abs=0.8)
    assert feret_mm(np.eye(1, dtype=bool), (0.8, 0.5)) == pytest.approx(0.8)
    line = np.zeros((5, 9), bool)
    line[2, 1:8] = True
    assert feret_mm(line, (1.0, 0.5)) == pytest.approx(7 * 0.5, abs=0.05)
