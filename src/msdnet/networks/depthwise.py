"""Depth-wise convolution whose large kernels can be trained on CPUs: the kernel's gradient goes through a transform."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_BY_TRANSFORM = 7  # kernels below this have a fast gradient in torch


class DepthwiseConv2d(nn.Conv2d):
    """A k x k convolution of each channel by itself, k odd; same channels and size.

    In training, on a map of n pixels a side, only the middle 2 n - 1 rows and columns of the kernel are applied: the
    others never meet anything but the zeros around the map, and cost much of a PCB-4's time. On CPUs the gradient of a
    large kernel comes from Fourier transforms, equal up to rounding; torch's own takes most of a training step.

    Shapes: (B, C, h, w) -> (B, C, h, w).
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__(channels, channels, size, padding=size // 2, groups=channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        size, reach = self.kernel_size[0], 2 * max(features.shape[-2:]) - 1
        if not self.training:
            return super().forward(features)
        beyond = max(0, size - reach) // 2
        kernel = self.weight[..., beyond : size - beyond, beyond : size - beyond]
        if features.device.type == "cpu" and size >= SMALLEST_BY_TRANSFORM and torch.is_grad_enabled():
            result: Tensor = _TransformGradient.apply(features, kernel)
            return result
        return F.conv2d(features, kernel, padding=kernel.shape[-1] // 2, groups=self.groups)


class _TransformGradient(torch.autograd.Function):
    """F.conv2d of each channel by itself; mixed precision as there."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, kernel: Tensor) -> Tensor:
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else features.dtype
        features = features.to(dtype)
        ctx.save_for_backward(features, kernel)
        return F.conv2d(features, kernel.to(dtype), padding=kernel.shape[-1] // 2, groups=len(kernel))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        features, kernel = ctx.saved_tensors
        by_features = by_kernel = None
        if ctx.needs_input_grad[0]:
            half = kernel.shape[-1] // 2
            settings = ([1, 1], [half, half], [1, 1], False, [0, 0], len(kernel), [True, False, False])
            weight = kernel.to(features.dtype)
            by_features = torch.ops.aten.convolution_backward(gradients[0], features, weight, None, *settings)[0]
        if ctx.needs_input_grad[1]:
            by_kernel = correlate(features, gradients[0], kernel.shape[-1]).to(kernel.dtype)
        return by_features, by_kernel


def correlate(features: Tensor, gradient: Tensor, size: int) -> Tensor:
    """The sum over the batch and all places p of gradient(p) * features(p + d), for every offset d within size // 2.

    Shapes: features and gradient (B, C, h, w), size odd -> (C, 1, size, size).
    Source: the correlation theorem; zeros are added so that no offset reaches around the edge.
    """
    half = size // 2
    padded = [-(-max(n + half, size) // 8) * 8 for n in features.shape[-2:]]  # sizes that transform fast
    of_features, of_gradient = (
        torch.fft.rfft2(
            maps.to(torch.promote_types(maps.dtype, torch.float32)).contiguous(memory_format=torch.contiguous_format),
            s=padded,
        )
        for maps in (features, gradient)
    )
    product = (of_features * of_gradient.conj()).sum(dim=0)
    by_offset: Tensor = torch.fft.irfft2(product, s=padded)  # from offset 0 on; negative ones at the end
    return by_offset.roll((half, half), dims=(-2, -1))[:, None, :size, :size]
