from __future__ import annotations

import highdicom as hd
import numpy as np
import pytest
import torch

from msdnet.config import Preprocessing
from msdnet.scans.scan import Scan, Source
from msdnet.slices import fit, from_canonical, plan_fit, to_canonical, to_grey, unfit


@pytest.mark.parametrize("size", [(40, 64), (64, 40), (33, 33), (128, 50)])
def test_a_mask_survives_the_way_into_the_square_and_back(size: tuple[int, int]) -> None:
    mask = torch.zeros(1, 1, *size)
    mask[..., size[0] // 4 : size[0] // 2, size[1] // 3 : size[1] // 2 + 3] = 1.0
    square, plan = fit(mask, 96)
    assert square.shape == (1, 1, 96, 96)
    back = unfit(square, plan)
    assert back.shape == mask.shape
    assert torch.equal(back > 0.5, mask > 0.5)


def test_the_aspect_is_kept_and_the_slice_centred() -> None:
    plan = plan_fit(50, 100, 64)
    assert (plan.fitted_height, plan.fitted_width, plan.top, plan.left) == (32, 64, 16, 0)


def test_window_and_grey_scale() -> None:
    settings = Preprocessing(window_hu=(-1000.0, 0.0))
    hu = np.array([[[-1024, -1000, -500, 0, 900]]], dtype=np.int16)
    assert to_grey(hu, "HU", settings).flatten().tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    grey = np.array([[[0, 51, 255]]], dtype=np.uint8)
    assert to_grey(grey, "grey", settings).flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize("orientation", ["HPL", "LAF", "PRH", "AFR", "RPH"])
def test_canonical_axes_and_back_is_the_identity(orientation: str) -> None:
    volume = hd.Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([5.0, 2.0, 1.0, 1.0]), "PATIENT")
    volume = volume.to_patient_orientation(orientation)
    scan = Scan(volume, "HU", True, True, Source("volume", "x", "0"))
    canonical = to_canonical(scan)
    assert [str(o.value) for o in canonical.get_closest_patient_orientation()] == ["H", "P", "L"]
    assert np.array_equal(from_canonical(canonical.array, scan), scan.voxels)


def test_an_unoriented_volume_has_its_last_axis_as_the_slice() -> None:
    volume = hd.Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4), "PATIENT")
    scan = Scan(volume, "HU", True, False, Source("volume", "x", "0"))
    canonical = to_canonical(scan)
    assert canonical.array.shape == (4, 3, 2)
    assert np.array_equal(from_canonical(canonical.array, scan), scan.voxels)


def test_a_scan_of_unknown_orientation_keeps_its_axes() -> None:
    volume = hd.Volume(np.zeros((1, 3, 4), np.uint8), np.eye(4), "PATIENT")
    scan = Scan(volume, "grey", False, False, Source("picture", "x", "0"))
    assert to_canonical(scan).array.shape == (1, 3, 4)
    assert from_canonical(np.ones((1, 3, 4), np.uint8), scan).shape == (1, 3, 4)
