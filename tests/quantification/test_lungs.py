"""Lungs against reference masks of real scans, and against the formulas that the phantom is made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from msdnet.data.phantom import Phantom, make_phantom
from msdnet.quantification.lungs import LEFT, RIGHT, segment_lungs
from msdnet.scans import read_scan
from msdnet.slices import to_canonical


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


@pytest.mark.parametrize(
    ("scan", "mask", "inside"),
    [
        ("ct-64.nrrd", "ct-64-lung.nrrd", 1.0),
        ("id001-128x128x64.nii.gz", "id001-128x128x64-msk.nii.gz", 255.0),
        ("id002-128x128x64.nii.gz", "id002-128x128x64-msk.nii.gz", 255.0),
    ],
)
def test_real_lungs_agree_with_their_reference(data_folder: Path, scan: str, mask: str, inside: float) -> None:
    folder = data_folder / "ct-small"
    volume = to_canonical(read_scan(folder / scan))
    reference = to_canonical(read_scan(folder / mask, window=(0, inside))).array > 127
    sides = segment_lungs(volume.array, volume.spacing).sides
    assert _dice(sides > 0, reference) >= 0.975
    columns = [float(np.nonzero(sides == side)[2].mean()) for side in (RIGHT, LEFT)]
    assert columns[0] < columns[1]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(3, shape=(40, 224, 224))


def test_the_phantoms_lungs_are_those_of_its_formulas(phantom: Phantom) -> None:
    sides = segment_lungs(phantom.voxels_hu, phantom.spacing_mm, phantom.labels).sides
    for side in (RIGHT, LEFT):
        assert _dice(sides == side, phantom.lungs == side) >= 0.97
        found, true = (np.count_nonzero(lungs == side) for lungs in (sides, phantom.lungs))
        assert found == pytest.approx(true, rel=0.02)
    depth = ndimage.distance_transform_edt(phantom.lungs > 0, sampling=phantom.spacing_mm)
    at_the_pleura = (phantom.labels == 3) & (depth < 6)
    assert at_the_pleura.sum() > 500
    assert (sides[at_the_pleura] > 0).mean() >= 0.95


def test_an_effusion_is_no_lung(phantom: Phantom) -> None:
    depth = ndimage.distance_transform_edt(phantom.lungs == RIGHT, sampling=phantom.spacing_mm)
    rows = np.arange(phantom.lungs.shape[1])[None, :, None]
    lying_low = (phantom.lungs == RIGHT) & (rows > np.nonzero(phantom.lungs == RIGHT)[1].mean())
    effusion = lying_low & (depth < 10)
    hu, labels = phantom.voxels_hu.copy(), np.where(effusion, 0, phantom.labels)
    hu[effusion] = np.random.default_rng(0).normal(12, 20, np.count_nonzero(effusion))
    sides = segment_lungs(hu, phantom.spacing_mm, labels).sides
    assert effusion.sum() > 5_000
    assert (sides[effusion] > 0).mean() < 0.01  # single voxels of its border
    rest = (phantom.lungs > 0) & ~effusion
    assert _dice(sides > 0, rest) >= 0.97


def test_the_trachea_is_no_lung_and_its_end_is_found(phantom: Phantom) -> None:
    lungs = segment_lungs(phantom.voxels_hu, phantom.spacing_mm, phantom.labels)
    slice_mm = phantom.spacing_mm[0]
    carina_mm = (lungs.carina - (len(phantom.lungs) - 1) / 2) * slice_mm
    assert 12 - 2.5 * slice_mm <= carina_mm <= 12  # the formulas' tubes part at 12 mm, their lumens a little below
    air = (phantom.voxels_hu < -960) & (phantom.lungs == 0)
    middle = air[30:38, :, 100:124]  # the trachea on the upper slices
    assert middle.sum() > 100
    assert not (lungs.sides[30:38, :, 100:124] > 0)[middle].any()


def test_lungs_that_touch_are_parted() -> None:
    hu = np.full((24, 80, 120), 40, np.int16)
    row, column = np.mgrid[:80, :120]
    hu[:, np.hypot((row - 40) / 38, (column - 60) / 58) > 1] = -1000
    for centre in (34, 86):
        hu[4:20, np.hypot((row - 40) / 26, (column - centre) / 20) < 1] = -850
    hu[8:14, 36:40, 50:70] = -850  # a bridge of lung in front of the heart
    sides = segment_lungs(hu, (5.0, 2.5, 2.5)).sides
    assert (sides[10, 40, 34], sides[10, 40, 86]) == (RIGHT, LEFT)
    right, left = (sides == side for side in (RIGHT, LEFT))
    assert np.count_nonzero(right) == pytest.approx(np.count_nonzero(left), rel=0.05)
    assert ndimage.label(right)[1] == ndimage.label(left)[1] == 1


def test_without_lungs_there_are_none() -> None:
    lungs = segment_lungs(np.full((6, 40, 40), 30, np.int16), (5.0, 2.0, 2.0))
    assert not lungs.sides.any()
    assert lungs.carina is None


@pytest.mark.parametrize(("columns", "side"), [(slice(0, 126), RIGHT), (slice(102, None), LEFT)])
def test_one_lung_in_the_picture_is_one_lung(phantom: Phantom, columns: slice, side: int) -> None:
    hu, labels, true = (a[:, :, columns] for a in (phantom.voxels_hu, phantom.labels, phantom.lungs))
    sides = segment_lungs(hu, phantom.spacing_mm, labels).sides
    other = RIGHT + LEFT - side
    assert _dice(sides == side, true == side) > 0.97
    assert np.count_nonzero(sides == other) < 1.5 * np.count_nonzero(true == other) + 50


def test_a_white_lung_is_where_it_is_marked(phantom: Phantom) -> None:
    white = phantom.lungs == LEFT
    hu, labels = phantom.voxels_hu.copy(), phantom.labels.copy()
    hu[white], labels[white] = 30, 3
    sides = segment_lungs(hu, phantom.spacing_mm, labels).sides
    assert _dice(sides == LEFT, white) > 0.95
    assert _dice(sides == RIGHT, phantom.lungs == RIGHT) > 0.95


def test_the_trachea_is_found_off_the_pictures_middle(phantom: Phantom) -> None:
    usual = segment_lungs(phantom.voxels_hu, phantom.spacing_mm, phantom.labels)
    wide = np.pad(phantom.voxels_hu, ((0, 0), (0, 0), (0, 80)), constant_values=-1000)
    found = segment_lungs(wide, phantom.spacing_mm, np.pad(phantom.labels, ((0, 0), (0, 0), (0, 80))))
    assert found.carina == usual.carina
    assert np.mean(found.sides[:, :, :224] == usual.sides) > 0.999


def test_a_body_a_little_cut_off_at_one_side_still_has_two_lungs(phantom: Phantom) -> None:
    lost = int(np.flatnonzero((phantom.voxels_hu[20] > -300).mean(axis=0) > 0.15)[0]) + 8
    hu, labels, true = (a[:, :, lost:] for a in (phantom.voxels_hu, phantom.labels, phantom.lungs))
    sides = segment_lungs(hu, phantom.spacing_mm, labels).sides
    for side in (RIGHT, LEFT):
        assert _dice(sides == side, true == side) > 0.97
