"""FCN-8s on the encoder that MSD-Net has: scores of three stages, upsampled and added."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from msdnet.networks.msdnet import build_encoder, pad_to_stride


class FCN(nn.Module):
    """FCN-8s on a timm encoder: class scores at strides 32, 16 and 8, upsampled and added.

    Shapes: images (B, in_channels, H, W) with H, W >= 32 -> logits (B, num_classes, H, W).

    Source: Long et al., "Fully Convolutional Networks for Semantic Segmentation", CVPR 2015, section 4 and figure 3.
    Reading: the two deconvolutions by 2 start bilinear and learn; the last one, by 8, is bilinear and fixed.
    Deviation: the encoder is any timm network instead of VGG-16, so its fully connected layers, turned into
    convolutions with dropout there, have no counterpart; padding of the input is that of the other networks; the score
    layers start random, not at zero.

    Args:
        encoder: A timm feature extractor with strides 4, 8, 16 and 32.
        num_classes: Output channels, background included.
        in_channels: Channels of the image.
        pretrained: False for random weights, True for timm's ImageNet weights by name (needs a model hub), or the
            path of a local file with them.

    Raises:
        OptionError: if the encoder or its weights cannot be had.
    """

    def __init__(
        self,
        encoder: str = "resnet101",
        num_classes: int = 4,
        in_channels: int = 1,
        pretrained: bool | str | Path = False,
    ) -> None:
        super().__init__()
        self.encoder, channels = build_encoder(encoder, in_channels, pretrained)
        self.scores = nn.ModuleList(nn.Conv2d(c, num_classes, kernel_size=1) for c in channels[1:])  # strides 8, 16, 32
        self.double_deepest = _bilinear_deconvolution(num_classes)
        self.double_middle = _bilinear_deconvolution(num_classes)
        self.enlarge = nn.Upsample(scale_factor=8, mode="bilinear", align_corners=False)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        _, *stages = self.encoder(pad_to_stride(images))
        fine, middle, deepest = (score(stage) for score, stage in zip(self.scores, stages, strict=True))
        middle = middle + self.double_deepest(deepest)
        fine = fine + self.double_middle(middle)
        logits: Tensor = self.enlarge(fine)
        return logits[..., :height, :width]


def _bilinear_deconvolution(channels: int) -> nn.ConvTranspose2d:
    """Doubles the size; starts as bilinear upsampling of each channel for itself."""
    layer = nn.ConvTranspose2d(channels, channels, kernel_size=4, stride=2, padding=1, bias=False)
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.eye(channels)[:, :, None, None] * ramp[:, None] * ramp)
    return layer
