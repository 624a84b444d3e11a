from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.labels import get_schema
from msdnet.prediction import steadiness
from msdnet.prediction.steadiness import VARIANTS, Steadiness, count_looks, measure_steadiness, take_looks

SETTINGS = Preprocessing(size=96)
SCHEMA = get_schema("ggo-consolidation")


class LeftHalf(nn.Module):
    """Marks the left half of whatever it sees as class 2: a mirror image gets the other half."""

    def forward(self, images: Tensor) -> Tensor:
        marked = torch.full_like(images, -90.0)
        marked[..., : images.shape[-1] // 2] = 90.0
        return torch.cat([torch.zeros_like(images), torch.full_like(images, -90.0), marked], dim=1)


def _measured(network: nn.Module, grey: Tensor, labels: np.ndarray, cavity: np.ndarray | None = None):
    cavities = None if cavity is None else [cavity]
    [of_slice] = measure_steadiness(network, [grey], [labels], SETTINGS, SCHEMA, cavities)
    return {s.class_name: s for s in of_slice}


def test_what_every_view_marks_alike_is_steady(brightness: nn.Module) -> None:
    grey = torch.full((64, 96), 0.2)
    grey[16:48, 24:72] = 0.9
    found = _measured(brightness, grey, (grey > 0.6).numpy().astype(np.uint8))
    assert list(found) == ["ggo", "consolidation", "any_lesion"]
    ggo = found["ggo"]
    assert (ggo.area, ggo.num_pixels, len(ggo.areas)) == (32 * 48, 64 * 96, len(VARIANTS))
    assert ggo.agreement > 0.98
    assert ggo.confidence > 0.98
    assert found["any_lesion"].areas == ggo.areas
    empty = found["consolidation"]
    assert (empty.area, sum(empty.areas), empty.agreement, empty.confidence) == (0, 0, 1.0, 1.0)


def test_what_a_mirror_image_moves_is_not() -> None:
    labels = np.zeros((96, 96), np.uint8)
    labels[:, :48] = 2
    found = _measured(LeftHalf(), torch.zeros(96, 96), labels)["consolidation"]
    shared = dict(zip(VARIANTS, found.shared, strict=True))
    half = 96 * 48
    assert shared[((-1,), 1.0)] == shared[((-2, -1), 1.0)] == 0  # left and right change places
    assert shared[((-2,), 1.0)] == half
    assert shared[((), 0.8)] == pytest.approx(half, rel=0.03)
    assert found.agreement == pytest.approx(3 / 5, abs=0.02)
    assert found.confidence == pytest.approx(4 / 6, abs=0.02)  # 4 of 6 looks mark it


@pytest.mark.parametrize("size", [64, 96, 288])
def test_every_look_is_another_one(brightness: nn.Module, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[int] = []
    original = steadiness.predict_probabilities

    def remember(network: nn.Module, grey: list[Tensor], settings: Preprocessing) -> list[Tensor]:
        sides.append(settings.size)
        return original(network, grey, settings)

    monkeypatch.setattr(steadiness, "predict_probabilities", remember)
    take_looks(brightness, [torch.zeros(size, size)], Preprocessing(size=size))
    assert len(set(sides)) == 3


def test_a_schema_with_one_class_has_it_once() -> None:
    looks = [np.stack([np.zeros((4, 4)), np.ones((4, 4))])] * (1 + len(VARIANTS))
    [only] = count_looks(np.ones((4, 4), np.uint8), looks, get_schema("infection"))
    assert only.class_name == "infection"


def test_nothing_outside_the_cavity_counts() -> None:
    labels = np.zeros((96, 96), np.uint8)
    labels[:48, :48] = 2
    upper = np.zeros((96, 96), bool)
    upper[:48] = True
    found = _measured(LeftHalf(), torch.zeros(96, 96), labels, upper)["consolidation"]
    upright = dict(zip(VARIANTS, found.areas, strict=True))[((-2,), 1.0)]
    assert upright == 48 * 48


def test_slices_add_up() -> None:
    one = Steadiness("ggo", 100, 10, (10, 20), (10, 0), 12.0, 8.0)
    two = Steadiness("ggo", 50, 30, (30, 0), (15, 0), 8.0, 7.0)
    total = one + two
    assert total == Steadiness("ggo", 150, 40, (40, 20), (25, 0), 20.0, 15.0)
    assert total.area_share == pytest.approx(40 / 150)
    assert total.agreement == pytest.approx((50 / 80 + 0) / 2)
    assert total.confidence == pytest.approx(15 / 40)
