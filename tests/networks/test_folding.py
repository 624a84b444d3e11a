"""A folded network gives the logits it gave before, and has no batch norm left where one followed a convolution."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from msdnet.networks import build_network
from msdnet.networks.folding import fold
from msdnet.networks.msdnet import PCB

ENCODERS = ("resnet18", "resnet50", "convnext_atto", "efficientnet_b0", "mobilenetv3_small_050")
ABLATIONS: list[dict[str, Any]] = [
    {},
    {"pointwise": "shared"},
    {"pyramid": False},
    {"channel_attention": False},
    {"refinement": "rb"},
    {"rrb_sum": "last"},
]


def _trained(network: nn.Module) -> nn.Module:
    """As if trained: statistics and weights of batch norms that are not what they start with, logits of some size."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            module.weight.data.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            module.bias.data.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
    return network.eval()


def _norms(network: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())


@pytest.mark.parametrize("ablation", ABLATIONS, ids=str)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_logits_stay_what_they_were(encoder: str, ablation: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = _trained(build_network("msdnet", encoder=encoder, **ablation))
    folded = fold(network)
    images = torch.randn(2, 1, 96, 64)
    with torch.inference_mode():
        before, after = network(images), folded(images)
    assert (before - after).abs().max() < 1e-4 * max(1.0, float(before.abs().max()))
    assert before.abs().max() > 1e-3
    assert _norms(folded) == 0
    assert not folded.training
    assert not any(p.requires_grad for p in folded.parameters())


def test_shared_kernels_become_one() -> None:
    folded = fold(_trained(build_network("msdnet", encoder="resnet18", pointwise="shared")))
    blocks = [m for m in folded.modules() if isinstance(m, PCB)]
    assert [[b.kernel_size[0] for b in block.branches] for block in blocks] == [[3], [11], [19], [27]]


def test_the_network_itself_is_left_as_it_was() -> None:
    network = _trained(build_network("msdnet", encoder="resnet18"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold(network)
    assert _norms(network) > 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


class _Twice(nn.Module):
    """A convolution and a batch norm that each run twice: on other values, so that neither can take the other in."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.convolution(images)) + self.norm(self.convolution(images.flip(-1)))


def test_what_runs_twice_is_not_folded() -> None:
    network = _trained(_Twice())
    folded = fold(network)
    images = torch.randn(1, 1, 8, 8)
    assert _norms(folded) == 1
    assert torch.allclose(network(images), folded(images))


class _Shared(nn.Module):
    """A convolution whose output is added to that of its batch norm, too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.convolution(images)
        return made + self.norm(made)


class _InPlace(_Shared):
    """An activation between the two, which writes where the convolution's output lay."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.norm(self.convolution(images).relu_())
        return result


@pytest.mark.parametrize("kind", [_Shared, _InPlace])
@pytest.mark.parametrize("inference", [True, False])
def test_what_would_change_the_output_is_not_folded(kind: type[nn.Module], inference: bool) -> None:
    network = _trained(kind())
    images = torch.randn(1, 1, 8, 8)
    with torch.inference_mode(inference):
        assert torch.allclose(network(images), fold(network)(images), atol=1e-6)
