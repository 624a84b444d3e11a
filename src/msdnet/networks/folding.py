"""A network for prediction alone: batch norms folded into the convolutions before them, parallel kernels into one.

Every output stays what it was, up to rounding; there is less to compute. What is folded cannot be trained any more.
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


@torch.no_grad()
def fold(network: nn.Module, in_channels: int = 1) -> nn.Module:
    """A copy of the network in evaluation mode, its batch norms folded wherever one follows a convolution directly.

    In PCBs with one point-wise convolution for all branches (pointwise="shared"), the parallel kernels are linear up to
    their sum, and become one of the largest size.

    Args:
        network: Any; what feeds a batch norm is seen in one pass over an image of 64 x 64.
        in_channels: Of that image.
    """
    folded = copy.deepcopy(network).eval()
    for norm, convolution in _find_pairs(folded, in_channels):
        _replace(folded, convolution, fuse_conv_bn_eval(convolution, norm))
        _replace(folded, norm, _what_is_left(norm))
    for block in folded.modules():
        if isinstance(block, PCB) and isinstance(block.fusion, nn.Sequential):
            branches: list[Any] = list(block.branches)
            block.branches = nn.ModuleList([_merged([branch[0] for branch in branches])])
    return folded.requires_grad_(False)


def _find_pairs(network: nn.Module, in_channels: int) -> list[tuple[nn.BatchNorm2d, nn.Conv2d]]:
    """Each batch norm with the convolution whose output, and nothing else, it takes; both run once in a pass."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # holds the tensors, so that no number is given twice
    runs: dict[nn.Module, int] = {}
    pairs: list[tuple[nn.BatchNorm2d, nn.Conv2d]] = []

    def after_convolution(module: Any, _: Any, output: Tensor) -> None:
        made[id(output)] = (module, output)
        runs[module] = runs.get(module, 0) + 1

    def before_norm(module: Any, inputs: tuple[Tensor, ...]) -> None:
        runs[module] = runs.get(module, 0) + 1
        if id(inputs[0]) in made:
            pairs.append((module, made[id(inputs[0])][0]))

    hooks: list[Any] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(before_norm))
    weight = next(network.parameters(), torch.zeros(1))
    network(torch.zeros(1, in_channels, _SIDE, _SIDE, device=weight.device, dtype=weight.dtype))
    for hook in hooks:
        hook.remove()
    return [(norm, convolution) for norm, convolution in pairs if runs[norm] == runs[convolution] == 1]


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
