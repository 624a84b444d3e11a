from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.errors import OptionError, SchemaError
from msdnet.evaluation.pictures.feature_map_figures import draw_feature_maps
from msdnet.evaluation.pictures.feature_maps import compute_feature_maps
from msdnet.labels import get_schema
from msdnet.networks import MSDNet, build_network

SCHEMA = get_schema("ggo-consolidation")
PLAIN = Preprocessing(size=32, mean=0.0, std=1.0)


class Known(nn.Module):
    """Blocks A = (x, 1 - x) and B = (2x, 3 (1 - x)); logits: 0.9 for background, B0 - B1, B1 - B0."""

    def decode(self, images: Tensor) -> list[Tensor]:
        first = torch.cat([images, 1 - images], dim=1)
        return [first, first * torch.tensor([2.0, 3.0])[None, :, None, None]]

    def classify(self, refined: Tensor) -> Tensor:
        difference = refined[:, :1] - refined[:, 1:]
        return torch.cat([torch.full_like(difference, 0.9), difference, -difference], dim=1)


def make_bands() -> Tensor:
    """1 on the left half (class 1), 0.75 on the third quarter (background), 0 on the last (class 2)."""
    grey = torch.ones(32, 32)
    grey[:, 16:24], grey[:, 24:] = 0.75, 0.0
    return grey


def test_grad_cam_equals_what_is_worked_out_by_hand() -> None:
    maps = compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA)
    assert maps.shape == (2, 2, 32, 32)
    # Class 1, block B: weights +1/2 and -1/2, so 1, 3/8 and -3/2; block A: weights 1 and -3/2, so 1, 3/8 and -3/2.
    # Class 2: weights of the other sign, so only the last quarter is above 0.
    for stage in (0, 1):
        assert torch.allclose(maps[0, stage, 5, [3, 20, 30]], torch.tensor([1.0, 0.375, 0.0]))
        assert torch.allclose(maps[1, stage, 5, [3, 20, 30]], torch.tensor([0.0, 0.0, 1.0]))


def test_hires_cam_shows_only_places_that_the_pixels_depend_on() -> None:
    maps = compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, method="hires_cam")
    assert torch.allclose(maps[0, :, 5, [3, 20, 30]], torch.tensor([1.0, 0.0, 0.0]).expand(2, 3))


def test_mean_activation_is_the_mean_over_channels_and_knows_no_class() -> None:
    maps = compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, method="mean_activation")
    assert maps.shape == (1, 2, 32, 32)
    assert torch.allclose(maps[0, 0], torch.ones(32, 32))
    assert torch.allclose(maps[0, 1, 5, [3, 20, 30]], torch.tensor([2.0, 2.25, 3.0]) / 3)


def test_labels_that_are_given_choose_the_pixels() -> None:
    labels = torch.zeros(32, 32, dtype=torch.uint8)
    assert not compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, labels=labels).any()
    labels[:, 16:24] = 1
    maps = compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, labels=labels, method="hires_cam")
    assert torch.allclose(maps[0, 1, 5, [3, 20, 30]], torch.tensor([0.0, 1.0, 0.0]))
    with pytest.raises(SchemaError):
        compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, labels=labels[:8])


def test_a_frozen_msdnet_gives_maps_at_the_slices_own_size_and_stays_as_it_was() -> None:
    torch.manual_seed(0)
    network = MSDNet("resnet18", num_classes=3).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    labels = torch.zeros(40, 56, dtype=torch.uint8)
    labels[4:20, 6:30], labels[25:, 30:] = 1, 2
    with torch.inference_mode():
        grey = torch.rand(40, 56, generator=torch.Generator().manual_seed(1))
        maps = compute_feature_maps(network, grey, Preprocessing(size=64), SCHEMA, labels=labels)
    assert maps.shape == (2, 4, 40, 56)
    assert maps.min() >= 0
    assert maps.max() == 1
    assert not maps.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_networks_without_a_decoder_to_look_at_and_wrong_options_are_refused() -> None:
    with pytest.raises(OptionError, match=r"decode\(images\)"):
        compute_feature_maps(build_network("segnet", num_classes=3, width=8), make_bands(), PLAIN, SCHEMA)
    with pytest.raises(OptionError, match="guided"):
        compute_feature_maps(Known(), make_bands(), PLAIN, SCHEMA, method="guided")
    with pytest.raises(SchemaError, match="msdnet-paper"):
        compute_feature_maps(Known(), make_bands(), PLAIN, get_schema("msdnet-paper"))


def test_maps_are_drawn_hot_where_they_are_high(tmp_path: Path) -> None:
    grey, labels = make_bands().numpy() * 0.5, np.zeros((32, 32), np.uint8)
    labels[:, 2:10] = 1
    maps = torch.zeros(2, 4, 32, 32)
    maps[0, :, :, 16:] = 1.0
    names = draw_feature_maps(grey, maps, SCHEMA, tmp_path, "maps", labels=labels, title="synthetic")
    assert names == ("maps.png", "maps.svg")
    with Image.open(tmp_path / "maps.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    assert (picture[:3] == 255).all()
    height, width, _ = picture.shape
    line = picture[int(height * 0.3), : int(width * 0.88)]
    hot = (line[:, 0] > 90) & (line[:, 0] - line[:, 2] > 60)  # turbo's end is red
    edges = np.flatnonzero(np.diff(hot.astype(int)) == 1)
    assert len(edges) == 4  # one hot band in each of the four columns
    assert not ((picture[int(height * 0.6), : int(width * 0.88)] * [1, 0, -1]).sum(axis=-1) > 60).any()
    svg = (tmp_path / "maps.svg").read_text()
    for words in (
        "synthetic",
        "RRB 4 (deepest)",
        "RRB 1 (shallowest)",
        "Ground-glass opacity",
        "no response",
        "response",
    ):
        assert f"<!-- {words}" in svg


def test_maps_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    grey, maps = np.zeros((32, 32)), torch.zeros(1, 4, 32, 32)
    with pytest.raises(SchemaError):
        draw_feature_maps(grey, maps, SCHEMA, tmp_path, "x")
    with pytest.raises(SchemaError):
        draw_feature_maps(grey[:8], maps, SCHEMA, tmp_path, "x", method="mean_activation")
    draw_feature_maps(grey, maps, SCHEMA, tmp_path, "x", method="mean_activation")
    assert "<!-- All classes -->" in (tmp_path / "x.svg").read_text()
