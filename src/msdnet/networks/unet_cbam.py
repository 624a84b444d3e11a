"""U-Net + CBAM: the paper's rival that attends to channels and to places (needs the extra "train")."""

from __future__ import annotations

from timm.layers.cbam import CbamModule
from torch import Tensor, nn

from msdnet.networks.msdnet import pad_to_stride
from msdnet.networks.unets import UNET_STRIDE, build_unet, level_channels


class UNetCBAM(nn.Module):
    """U-Net with a convolutional block attention module (CBAM) after each double convolution.

    Shapes: images (B, in_channels, H, W) with H, W >= 32 -> logits (B, num_classes, H, W).

    Source: Woo et al., "CBAM", ECCV 2018, sections 3 and 3.1, in the U-Net of `UNet`. The paper names the rival and
    cites CBAM, but does not say where the modules stand.
    Reading: after the five double convolutions of the encoder, so that skips and the next level see attended
    features, and after the four of the decoder; reduction 16, spatial kernel 7 x 7, channels before places.
    Deviation: as `UNet`. timm's module has no biases in its shared MLP and a batch norm after the 7 x 7 convolution.

    Args:
        num_classes: Output channels, background included.
        in_channels: Channels of the image.
        width: Channels of the first level; each level below has twice as many.

    Raises:
        MissingExtraError: if MONAI is not installed.
        OptionError: if `width` is below 2.
    """

    def __init__(self, num_classes: int = 4, in_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        unet = self.network = build_unet(num_classes, in_channels, width)
        downward = (unet.conv_0, unet.down_1.convs, unet.down_2.convs, unet.down_3.convs, unet.down_4.convs)
        upward = (unet.upcat_1.convs, unet.upcat_2.convs, unet.upcat_3.convs, unet.upcat_4.convs)
        for double_convolutions in (downward, upward):
            for convolutions, channels in zip(double_convolutions, level_channels(width), strict=False):
                convolutions.add_module("cbam", CbamModule(channels))

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_stride(images, UNET_STRIDE))
        return logits[..., :height, :width]
