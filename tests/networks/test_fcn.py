from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from msdnet.networks import build_network


def test_deconvolutions_start_bilinear() -> None:
    network = build_network("fcn", encoder="resnet18")
    scores = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(scores, scale_factor=2.0, mode="bilinear", align_corners=False)
    inside = (..., slice(1, -1), slice(1, -1))  # at the border a deconvolution sees zeros
    assert torch.allclose(network.double_deepest(scores)[inside], expected[inside], atol=1e-6)  # type: ignore[operator]


def test_scores_of_strides_8_16_and_32_are_added() -> None:
    network = build_network("fcn", encoder="resnet18", num_classes=1).eval()
    for score, value in zip(network.scores, (1.0, 20.0, 300.0), strict=True):  # type: ignore[call-overload]
        nn.init.zeros_(score.weight)
        nn.init.constant_(score.bias, value)
    with torch.inference_mode():
        middle = network(torch.zeros(1, 1, 128, 128))[..., 56:72, 56:72]  # away from the border of all three
    assert torch.allclose(middle, torch.full_like(middle, 321.0))
