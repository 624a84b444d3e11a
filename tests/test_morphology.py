import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import convex_hull_image

from msdnet.morphology import (
    at_pixels,
    box_around,
    convex_hull,
    depth,
    dilate,
    disk,
    erode,
    fill_holes,
    label_pieces,
)


def planes():
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width = rng.integers(1, 40, 2)
        yield rng.random((height, width)) < rng.choice([0.01, 0.1, 0.5, 0.95])
        yield ndimage.gaussian_filter(rng.standard_normal((height, width)), rng.uniform(0.5, 5)) > 0.02
    yield np.zeros((5, 7), dtype=bool)
    yield np.ones((5, 7), dtype=bool)


def test_hulls_are_those_of_scikit_image():
    for plane in planes():
        expected = convex_hull_image(plane) if plane.any() else plane
        np.testing.assert_array_equal(convex_hull(plane), expected)


def test_holes_are_those_of_scipy():
    for plane in planes():
        np.testing.assert_array_equal(fill_holes(plane), ndimage.binary_fill_holes(plane))


@pytest.mark.parametrize("structure", [np.ones((3, 3), dtype=bool), disk(3), disk(5.0, (1.4, 0.9))])
def test_dilation_and_erosion_are_those_of_scipy(structure):
    for plane in planes():
        np.testing.assert_array_equal(dilate(plane, structure), ndimage.binary_dilation(plane, structure))
        for outside in (False, True):
            expected = ndimage.binary_erosion(plane, structure, border_value=outside)
            np.testing.assert_array_equal(erode(plane, structure, outside=outside), expected)


def test_closing_by_a_disk_is_that_by_distances():
    around = disk(5.0, (1.4, 1.4))
    for plane in planes():
        grown = dilate(plane, around)
        if plane.any() and not grown.all():
            away = ndimage.distance_transform_edt(~plane, sampling=(1.4, 1.4))
            np.testing.assert_array_equal(grown, away <= 5.0)
            depth = ndimage.distance_transform_edt(grown, sampling=(1.4, 1.4))
            np.testing.assert_array_equal(erode(grown, around, outside=True), depth > 5.0)


def test_a_box_holds_what_is_set():
    for plane in planes():
        box = box_around(plane)
        assert plane[box].sum() == plane.sum()
        if plane.any():
            assert all(edge.any() for edge in (plane[box][0], plane[box][-1], plane[box][:, 0], plane[box][:, -1]))
            rows, columns = box_around(plane, margin=2)
            assert rows.start == max(0, box[0].start - 2)
            assert columns.stop == box[1].stop + 2
        else:
            assert plane[box].size == 0


@pytest.mark.parametrize("corners", [False, True])
def test_pieces_are_those_of_scipy(corners):
    mask = np.random.default_rng(0).random((9, 30, 40)) < 0.2
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)) if corners else None)
    pieces, found = label_pieces(mask, corners=corners)
    assert pieces.dtype == np.uint16
    assert found == count
    np.testing.assert_array_equal(pieces, expected)


def test_more_pieces_than_16_bits_number_are_told_apart():
    mask = np.indices((400, 400)).sum(axis=0) % 2 == 0
    pieces, count = label_pieces(mask)
    assert count == 80_000
    assert len(np.unique(pieces[mask])) == count


@pytest.mark.parametrize("spacing", [None, (2.5, 0.7, 1.4)])
def test_depth_is_that_of_scipy(spacing):
    mask = ndimage.gaussian_filter(np.random.default_rng(5).standard_normal((20, 30, 40)), 2.0) > -0.05
    expected = ndimage.distance_transform_edt(mask, sampling=spacing)
    assert expected.max() > 3
    found = depth(mask, spacing)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_each_coarse_pixel_stands_for_a_block():
    coarse = np.arange(12).reshape(3, 4)
    fine = coarse.repeat(3, axis=0).repeat(3, axis=1)
    box = slice(2, 8), slice(1, 11)
    assert np.array_equal(at_pixels(coarse, 3, box), fine[box])
