"""SegNet: a decoder that puts each value back where its encoder's max-pool took it from."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from msdnet.networks.msdnet import pad_to_stride
from msdnet.networks.unets import level_channels

CONVOLUTIONS = (2, 2, 3, 3, 3)  # per level, as in VGG-16


class SegNet(nn.Module):
    """SegNet from random weights: VGG-16's thirteen convolutions, mirrored, with max-unpooling instead of skips.

    Shapes: images (B, in_channels, H, W) with H, W >= 32 -> logits (B, num_classes, H, W).

    Source: Badrinarayanan et al., "SegNet", TPAMI 2017, section 3 and figure 2.
    Reading: batch norm and ReLU after every convolution but the last, which yields the classes.
    Deviation: random weights instead of VGG-16's. There is no form on a timm encoder: the decoder needs the places of
    five max-pools, and a ResNet has one. In training, a 32 x 32 image gives the deepest batch norm 2 x 2 values.

    Args:
        num_classes: Output channels, background included.
        in_channels: Channels of the image.
        width: Channels of the first level; the others have 2, 4, 8 and 8 times as many. The original's is 64.

    Raises:
        OptionError: if `width` is below 2.
    """

    def __init__(self, num_classes: int = 4, in_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        levels = (*level_channels(width)[:4], 8 * width)
        shallower = (width, *levels[:-1])  # what each decoder level hands up
        self.encoder = nn.ModuleList(
            _convolutions(before, *[channels] * number)
            for before, channels, number in zip((in_channels, *levels), levels, CONVOLUTIONS, strict=False)
        )
        self.decoder = nn.ModuleList(
            _convolutions(*[channels] * number, after)
            for channels, after, number in zip(levels, shallower, CONVOLUTIONS, strict=True)
        )
        self.decoder[0] = nn.Sequential(
            _convolutions(width, width), nn.Conv2d(width, num_classes, kernel_size=3, padding=1)
        )

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        features = pad_to_stride(images)
        places = []
        for level in self.encoder:
            features, indices = F.max_pool2d(level(features), 2, return_indices=True)
            places.append(indices)
        for level, indices in zip(reversed(self.decoder), reversed(places), strict=True):
            features = level(F.max_unpool2d(features, indices, [2, 2]))
        return features[..., :height, :width]


def _convolutions(*channels: int) -> nn.Sequential:
    """A 3 x 3 convolution, batch norm and ReLU from each channel number to the next."""
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)
