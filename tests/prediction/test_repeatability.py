from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.labels import get_schema
from msdnet.prediction.repeatability import NUM_LOOKS, Repeatability, measure_repeatability

SETTINGS = Preprocessing(size=96)
SCHEMA = get_schema("ggo-consolidation")


class RightHalf(nn.Module):
    """Marks the right half of whatever it sees as class 2, but only what is bright."""

    def forward(self, images: Tensor) -> Tensor:
        grey = images * SETTINGS.std + SETTINGS.mean
        marked = 400 * (grey - 0.6)
        marked[..., : images.shape[-1] // 2] = -90.0
        return torch.cat([torch.zeros_like(grey), torch.full_like(grey, -90.0), marked], dim=1)


def _slices() -> list[Tensor]:
    grey = torch.full((64, 96), 0.2)
    grey[16:48, 24:60] = 0.9
    return [grey, grey.flip(0), 0.9 * grey, grey.T.contiguous(), grey]


def test_what_any_view_marks_alike_is_repeated(brightness: nn.Module) -> None:
    found = {r.class_name: r for r in measure_repeatability(brightness, _slices(), SETTINGS, SCHEMA)}
    assert list(found) == ["ggo", "consolidation", "any_lesion"]
    ggo = found["ggo"]
    assert len(ggo.plain) == len(ggo.again) == NUM_LOOKS
    assert min(ggo.plain) > 4 * 32 * 36
    assert ggo.sd < 0.02
    assert found["any_lesion"] == Repeatability("any_lesion", ggo.plain, ggo.again)
    assert (found["consolidation"].sd, sum(found["consolidation"].again)) == (0.0, 0)


def test_what_a_mirror_image_moves_is_not() -> None:
    found = {r.class_name: r for r in measure_repeatability(RightHalf(), _slices(), SETTINGS, SCHEMA)}
    assert found["consolidation"].sd > 0.1


def test_the_same_slices_give_the_same_looks(brightness: nn.Module) -> None:
    first, again = (measure_repeatability(brightness, _slices(), SETTINGS, SCHEMA) for _ in range(2))
    assert first == again


def test_marks_outside_the_cavity_do_not_count(brightness: nn.Module) -> None:
    slices = _slices()[:1]
    cavity = np.zeros(slices[0].shape, bool)
    cavity[16:48, 24:42] = True
    half = measure_repeatability(brightness, slices, SETTINGS, SCHEMA, [cavity])[0]
    whole = measure_repeatability(brightness, slices, SETTINGS, SCHEMA)[0]
    for of_half, of_whole in ((half.plain, whole.plain), (half.again, whole.again)):
        assert np.array(of_half) == pytest.approx(np.array(of_whole) / 2, rel=0.06)


def test_sd_is_that_computed_by_hand() -> None:
    found = Repeatability("ggo", (99, 99), (109, 89))
    assert found.sd == pytest.approx(math.sqrt((math.log(1.1) ** 2 + math.log(0.9) ** 2) / 2))
