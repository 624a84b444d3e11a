"""Deconvolution without overlap that can be trained on CPUs: as a 1 x 1 convolution, whose gradient is fast."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class Deconvolution(nn.ConvTranspose2d):
    """A transposed convolution whose kernel has the size of its stride; parameters and results of torch's own.

    Each pixel becomes a block of kernel x kernel pixels that no other reaches: in training on CPUs a 1 x 1 convolution
    yields the blocks, and a reordering puts them in place. Torch's own gradient of 64 to 64 channels takes five times
    as long, and more than a third of a step of U-Net++.

    Shapes: (B, C, h, w) -> (B, D, kernel h, kernel w).
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, **settings: Any) -> None:
        super().__init__(in_channels, out_channels, size, stride=size, **settings)

    @classmethod
    def like(cls, layer: nn.ConvTranspose2d) -> Deconvolution:
        """One with the layer's own parameters.

        Raises:
            ValueError: if blocks overlap or leave a gap, or the layer has padding, groups or dilation.
        """
        size = layer.kernel_size[0]
        plain = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, size, stride=size, device="meta")
        names = "kernel_size", "stride", "padding", "output_padding", "dilation", "groups"
        if any(getattr(layer, name) != getattr(plain, name) for name in names):
            raise ValueError(f"the blocks of this layer do not lie side by side: {layer}")
        quick = cls(layer.in_channels, layer.out_channels, size, device="meta")
        quick.weight, quick.bias = layer.weight, layer.bias
        return quick.train(layer.training)

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        if not (self.training and features.device.type == "cpu"):
            return super().forward(features, output_size)
        batch, _, height, width = features.shape
        size, channels = self.kernel_size[0], self.out_channels
        kernel = self.weight.permute(2, 3, 1, 0).reshape(size * size * channels, -1, 1, 1)
        blocks = F.conv2d(features, kernel, None if self.bias is None else self.bias.repeat(size * size))
        rows = blocks.permute(0, 2, 3, 1).reshape(batch, height, width, size, size, channels).transpose(2, 3)
        return rows.reshape(batch, size * height, size * width, channels).permute(0, 3, 1, 2)
