"""The overview shows the right slices, the right way round, with lesions in their colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from msdnet.reporting import draw_overview
from msdnet.reporting.overview import choose_slices, shrunk


def test_chosen_slices_are_the_largest_when_they_lie_apart():
    areas = np.zeros(100, int)
    areas[[3, 20, 50, 80]] = 5, 9, 7, 1
    assert choose_slices(areas, 3) == [3, 20, 50]
    assert choose_slices(areas, 12) == [3, 20, 50, 80]


def test_chosen_slices_are_spread_along_a_long_lesion():
    areas = np.zeros(200, int)
    areas[40:160] = 100 - np.abs(np.arange(-60, 60))
    chosen = choose_slices(areas, 12)
    assert len(chosen) == 12
    assert 100 in chosen
    assert chosen[0] < 70
    assert chosen[-1] > 130
    assert min(np.diff(chosen)) >= 4


def test_chosen_slices_are_spread_where_all_are_alike():
    areas = np.zeros(60, int)
    areas[10:46] = 7
    assert np.diff(choose_slices(areas, 12)).tolist() == [3] * 11


def test_a_large_picture_is_drawn_small_and_no_lesion_is_lost():
    picture, labels = np.full((3_001, 4_003), -700, np.int16), np.zeros((3_001, 4_003), np.uint8)
    picture[:4, :4] = 100
    labels[1_234, 2_345] = 2
    small, marked = shrunk(picture, labels, 900.0)
    assert small.shape == marked.shape == (750, 1_000)
    assert (small[0, 0], small[-1, -1]) == (100, -700)
    assert np.argwhere(marked == 2).tolist() == [[1_234 // 4, 2_345 // 4]]
    same, _ = shrunk(picture[:512, :512], labels[:512, :512], 444.0)
    assert np.array_equal(same, picture[:512, :512])


def test_one_heavy_slice_does_not_take_the_places_of_others():
    assert choose_slices(np.array([0, 1, 1000, 2, 3, 0]), 3) == [2, 3, 4]


def test_neighbouring_slices_are_shown_when_there_are_no_others():
    areas = np.array([0, 0, 4, 5, 6, 0])
    assert choose_slices(areas, 12) == [2, 3, 4]


def test_slices_are_evenly_spread_without_lesion_and_skip_what_the_network_skipped():
    assert choose_slices(np.zeros(9, int), 3) == [1, 4, 7]
    assert choose_slices(np.zeros(1, int), 12) == [0]
    chosen = choose_slices(np.zeros(40, int), 5, skipped=range(20, 40))
    assert len(chosen) == 5
    assert max(chosen) < 20


def _greenish(path):
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return (picture[..., 1] > picture[..., 0] + 60) & (picture[..., 1] > picture[..., 2] + 40)


@pytest.mark.parametrize("orientation", ["HPL", "FPL", "RAH", "PLF"])
def test_patient_right_is_at_the_left_on_every_grid(make_segmentation, tmp_path, orientation):
    path = tmp_path / "overview.png"
    draw_overview(make_segmentation(orientation=orientation), path)
    columns = np.flatnonzero(_greenish(path)[60:-70].any(axis=0))
    tile = 1800 // 3  # six affected slices stand in three columns
    assert columns.size
    assert (columns % tile < tile // 2).all()


def test_every_class_has_its_colour_in_picture_and_legend(make_segmentation, tmp_path):
    path = tmp_path / "overview.png"
    draw_overview(make_segmentation(), path)
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    for colour in ((64, 200, 110), (235, 70, 70)):
        near = np.abs(picture - colour).sum(axis=2) < 40
        assert near[:-62].any()
        assert near[-62:].any()


def test_pixels_keep_their_aspect(make_segmentation, tmp_path):
    sizes = []
    for spacing in ((2.0, 0.75, 0.75), (2.0, 1.5, 0.75)):
        draw_overview(make_segmentation(spacing=spacing), tmp_path / "overview.png")
        with Image.open(tmp_path / "overview.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] == 1800
    head_and_foot, gaps = 120, 12
    tall, taller = (height - head_and_foot - gaps for _, height in sizes)
    assert taller == pytest.approx(2 * tall, rel=0.01)


def test_a_single_picture_stands_beside_its_overlay(make_segmentation, tmp_path):
    path = tmp_path / "overview.png"
    segmentation = make_segmentation(
        kind="picture", num_slices=1, grey=True, spacing_known=False, orientation_known=False
    )
    draw_overview(segmentation, path)
    green = _greenish(path)[60:-70]
    assert not green[:, :900].any()
    assert green[:, 900:].any()


def test_a_scan_without_lesions_is_drawn_without_colour(make_segmentation, tmp_path):
    path = tmp_path / "overview.png"
    draw_overview(make_segmentation(marked=False), path)
    assert not _greenish(path)[60:-70].any()


def test_the_picture_carries_no_date_or_name(make_segmentation, tmp_path):
    path = tmp_path / "overview.png"
    draw_overview(make_segmentation(), path)
    with Image.open(path) as picture:
        assert set(picture.info) <= {"Software", "dpi"}
