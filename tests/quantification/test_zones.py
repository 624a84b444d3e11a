from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from msdnet.errors import OptionError
from msdnet.morphology import convex_hull
from msdnet.quantification.lungs import LEFT, RIGHT
from msdnet.quantification.zones import (
    CENTRAL,
    LOWER,
    MIDDLE,
    OUTSIDE,
    PERIPHERAL,
    PERIPHERAL_MM,
    UPPER,
    Shells,
    find_shells,
    find_thirds,
    find_zones,
    number_levels,
    number_shells,
)


def _sides() -> np.ndarray:
    """The right lung on slices 0 to 8, the left one on slices 3 to 8 of ten."""
    sides = np.zeros((10, 60, 120), np.uint8)
    sides[0:9, 10:50, 10:55], sides[3:9, 10:50, 65:110] = RIGHT, LEFT
    return sides


def _whole(sides: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """The shells of every slice."""
    shells = find_shells(sides, spacing_mm)
    return np.stack([shells.plane(index, plane) for index, plane in enumerate(sides)])


def test_thirds_are_those_of_each_lung() -> None:
    right, left = find_thirds(_sides()).level
    assert right.tolist() == [LOWER] * 3 + [MIDDLE] * 3 + [UPPER] * 3 + [-1]
    assert left.tolist() == [-1] * 3 + [LOWER] * 2 + [MIDDLE] * 2 + [UPPER] * 2 + [-1]


def test_zones_lie_above_the_carina_between_and_below_the_veins() -> None:
    right, left = find_zones(_sides(), carina=6, veins=4).level
    assert right.tolist() == [LOWER] * 4 + [MIDDLE] * 3 + [UPPER] * 2 + [-1]
    assert left.tolist() == [-1] * 3 + [LOWER] + [MIDDLE] * 3 + [UPPER] * 2 + [-1]
    with pytest.raises(OptionError, match=r"carina on slice 4, inferior pulmonary veins on slice 6(.|\n)*1 to 10"):
        find_zones(_sides(), carina=3, veins=5)


def test_peripheral_is_what_lies_near_the_chest_wall_not_near_the_mediastinum() -> None:
    shells = _whole(_sides(), (20.0, 2.0, 2.0))
    middle = shells[6, 30]  # 40 rows of 2 mm: row 30 lies 40 mm from the walls in front and behind
    assert (middle[9], middle[110]) == (OUTSIDE, OUTSIDE)
    assert set(middle[10:19]) == set(middle[101:110]) == {PERIPHERAL}  # within 20 mm
    assert set(middle[21:55]) == set(middle[65:99]) == {CENTRAL}  # up to the mediastinum
    assert set(shells[6, 12, 10:55]) == {PERIPHERAL}  # near the front


def test_levels_are_numbered_from_above_right_lung_first() -> None:
    sides = np.zeros((6, 1, 2), np.uint8)
    sides[:, 0, 0], sides[2:5, 0, 1] = 1, 2
    numbers = number_levels(sides, find_thirds(sides))
    assert numbers[:, 0, 0].tolist() == [3, 3, 2, 2, 1, 1]
    assert numbers[:, 0, 1].tolist() == [0, 0, 6, 5, 4, 0]


def test_shells_are_numbered_from_the_wall_right_lung_first() -> None:
    sides = np.array([[[1, 1, 0, 2, 2]]], np.uint8)
    near_wall = np.array([[[True, False, False, False, True]]])
    shells = Shells(near_wall, (slice(0, 1), slice(0, 1), slice(0, 5)), step=1)
    assert shells.plane(0, sides[0]).tolist() == [[PERIPHERAL, CENTRAL, OUTSIDE, CENTRAL, PERIPHERAL]]
    assert number_shells(sides, shells).tolist() == [[[1, 2, 0, 4, 3]]]


@pytest.mark.parametrize("slice_mm", [1.6, 2.5, 30.0])
def test_shells_are_those_of_the_distance_in_the_whole_volume(slice_mm: float) -> None:
    sides = np.zeros((40, 60, 90), dtype=np.uint8)
    sides[6:36, 5:55, 4:40], sides[3:30, 8:50, 48:86] = RIGHT, LEFT
    spacing = (slice_mm, 1.5, 1.5)
    hulls = np.stack([convex_hull(plane > 0) for plane in sides])
    depth = ndimage.distance_transform_edt(np.pad(hulls, ((0, 0), (1, 1), (1, 1))), sampling=spacing)[:, 1:-1, 1:-1]
    expected = np.where(depth <= PERIPHERAL_MM, PERIPHERAL, CENTRAL) * (sides > 0)
    assert {OUTSIDE, PERIPHERAL, CENTRAL} == set(np.unique(expected))
    np.testing.assert_array_equal(_whole(sides, spacing), expected)


def test_shells_of_fine_pixels_are_those_of_coarse_ones() -> None:
    fine = np.zeros((10, 129, 251), np.uint8)
    fine[:, 3:123, 5:245] = _sides().repeat(2, axis=1).repeat(2, axis=2)  # the lungs' box begins at 23 and 25
    shells = find_shells(fine, (20.0, 0.9, 0.9))
    assert shells.step == 2
    assert (shells.box[1].start, shells.box[2].start) == (23, 25)
    coarse = _whole(_sides(), (20.0, 1.8, 1.8))
    assert {PERIPHERAL, CENTRAL} <= set(np.unique(coarse))
    whole = np.stack([shells.plane(index, plane) for index, plane in enumerate(fine)])
    np.testing.assert_array_equal(whole[:, 3:123, 5:245], coarse.repeat(2, axis=1).repeat(2, axis=2))


def test_no_lungs_have_no_shells() -> None:
    assert not _whole(np.zeros((3, 8, 9), np.uint8), (5.0, 2.0, 2.0)).any()
