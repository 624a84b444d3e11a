"""A network for prediction alone: batch norms folded into the convolutions before them, parallel kernels into one.

Every output stays what it was, up to rounding, which is tried out; there is less to compute. What is folded cannot be
trained any more.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from msdnet.networks.depthwise import DepthwiseConv2d
from msdnet.networks.msdnet import PCB

_SIDE = 64
_MOST_BY_ROUNDING = 1e-3


@torch.inference_mode(False)  # which counts no versions
@torch.no_grad()
def fold(network: nn.Module, in_channels: int = 1) -> nn.Module:
    """A copy of the network in evaluation mode, its batch norms folded wherever one follows a convolution directly.

    In PCBs with one point-wise convolution for all branches (pointwise="shared"), the parallel kernels are linear up to
    their sum, and become one of the largest size.

    Args:
        network: Any that gives one tensor; what feeds a batch norm is seen in one pass over an image of 64 x 64. Where
            its output there would change, since something else takes a convolution's output too, nothing is folded.
        in_channels: Of that image.
    """
    folded = copy.deepcopy(network).eval()
    weight = next(network.parameters(), torch.zeros(1))
    image = torch.randn(1, in_channels, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)).to(weight)
    pairs, expected = _find_pairs(folded, image)
    for norm, convolution in pairs:
        _replace(folded, convolution, fuse_conv_bn_eval(convolution, norm))
        _replace(folded, norm, _what_is_left(norm))
    for block in folded.modules():
        if isinstance(block, PCB) and isinstance(block.fusion, nn.Sequential):
            branches: list[Any] = list(block.branches)
            block.branches = nn.ModuleList([_merged([branch[0] for branch in branches])])
    if float((folded(image) - expected).abs().max()) > _MOST_BY_ROUNDING * max(1.0, float(expected.abs().max())):
        folded = copy.deepcopy(network).eval()
    return folded.requires_grad_(False)


def _find_pairs(network: nn.Module, image: Tensor) -> tuple[list[tuple[nn.BatchNorm2d, nn.Conv2d]], Tensor]:
    """Each batch norm with the convolution whose output, and nothing else, it takes; and the network's output.

    Both run once in a pass, and nothing changes the convolution's output in place before the norm takes it.
    """
    made: dict[int, tuple[nn.Conv2d, Tensor, int]] = {}  # holds the tensors, so that no number is given twice
    runs: dict[nn.Module, int] = {}
    pairs: list[tuple[nn.BatchNorm2d, nn.Conv2d]] = []

    def after_convolution(module: Any, _: Any, output: Tensor) -> None:
        made[id(output)] = (module, output, output._version)
        runs[module] = runs.get(module, 0) + 1

    def before_norm(module: Any, inputs: tuple[Tensor, ...]) -> None:
        runs[module] = runs.get(module, 0) + 1
        convolution, _, made_as = made.get(id(inputs[0]), (None, None, None))
        if convolution is not None and inputs[0]._version == made_as:
            pairs.append((module, convolution))

    hooks: list[Any] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(before_norm))
    output: Tensor = network(image)
    for hook in hooks:
        hook.remove()
    return [(norm, convolution) for norm, convolution in pairs if runs[norm] == runs[convolution] == 1], output


def _what_is_left(norm: nn.BatchNorm2d) -> nn.Module:
    """The activation of a batch norm that has one, as timm's do."""
    return nn.Sequential(*(getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)))


def _merged(kernels: list[Any]) -> DepthwiseConv2d:
    """One depth-wise convolution that gives the sum of several, each with a bias."""
    largest = max(kernel.kernel_size[0] for kernel in kernels)
    merged = DepthwiseConv2d(kernels[0].in_channels, largest)
    total = torch.zeros_like(merged.weight)
    for kernel in kernels:
        beside = (largest - kernel.kernel_size[0]) // 2
        total += F.pad(kernel.weight, (beside,) * 4)
    merged.weight = nn.Parameter(total)
    merged.bias = nn.Parameter(torch.stack([kernel.bias for kernel in kernels]).sum(dim=0))
    return merged.eval()


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in network.modules():
        for name, child in parent.named_children():
            if child is old:
                setattr(parent, name, new.train(old.training))
