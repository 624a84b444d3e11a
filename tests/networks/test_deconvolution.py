from __future__ import annotations

import pytest
import torch
from torch import nn

from msdnet.networks import build_network
from msdnet.networks.deconvolution import Deconvolution


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_training_gives_what_the_transposed_convolution_gives(size: int, bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.ConvTranspose2d(5, 3, size, stride=size, bias=bias)
    quick = Deconvolution.like(plain)
    features = torch.randn(2, 5, 4, 7, requires_grad=True)
    inputs = (features, *plain.parameters())
    outputs = plain(features), quick.train()(features)
    assert outputs[0].shape == outputs[1].shape == (2, 3, 4 * size, 7 * size)
    assert torch.allclose(*outputs, atol=1e-5)
    for ours, theirs in zip(*(torch.autograd.grad(o.square().sum(), inputs) for o in outputs), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_channels_last_stays_channels_last() -> None:
    features = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last)
    assert Deconvolution(4, 8, 2).train()(features).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("settings", [{"padding": 1}, {"stride": 1}, {"groups": 2}, {"output_padding": 1}])
def test_a_layer_whose_blocks_overlap_or_leave_gaps_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="side by side"):
        Deconvolution.like(nn.ConvTranspose2d(4, 4, 2, **{"stride": 2, **settings}))


@pytest.mark.parametrize("name", ["unet", "unetplusplus", "unet_cbam"])
def test_the_rivals_have_it_in_every_merge(name: str) -> None:
    layers = [m for m in build_network(name, width=4).modules() if isinstance(m, nn.ConvTranspose2d)]
    assert len(layers) >= 4
    assert all(isinstance(layer, Deconvolution) for layer in layers)
