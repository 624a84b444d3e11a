"""U-Net, U-Net++ and Attention U-Net: the paper's rivals, built from MONAI (the extra "train").

Every one takes images (B, in_channels, H, W) with H, W >= 32, gives logits (B, num_classes, H, W) and starts from
random weights. MONAI is imported when a network is built, so that MSD-Net needs none.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from msdnet.errors import OptionError
from msdnet.networks.deconvolution import Deconvolution
from msdnet.networks.msdnet import pad_to_stride
from msdnet.networks.train_extra import train_extra

UNET_STRIDE = 16


class UNet(nn.Module):
    """U-Net from random weights: four max-pools down, four deconvolutions up, skips by concatenation.

    Source: Ronneberger et al., "U-Net", MICCAI 2015, figure 1; built from MONAI's `BasicUNet`.
    Deviation: convolutions are padded, so that output and input have one size; batch norm follows each of them; no
    dropout at the end of the encoder; the topmost deconvolution keeps its channels instead of halving them.

    Args:
        num_classes: Output channels, background included.
        in_channels: Channels of the image.
        width: Channels of the first level; each level below has twice as many. The original's 64 gives 64 to 1024.

    Raises:
        MissingExtraError: if MONAI is not installed.
        OptionError: if `width` is below 2.
    """

    def __init__(self, num_classes: int = 4, in_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        self.network = build_unet(num_classes, in_channels, width)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_stride(images, UNET_STRIDE))
        return logits[..., :height, :width]


class UNetPlusPlus(nn.Module):
    """U-Net++ from random weights: nested, dense skips between the levels of a U-Net.

    Source: Zhou et al., "UNet++", DLMIA 2018, figure 1; built from MONAI's `BasicUNetPlusPlus`.
    Reading: no deep supervision; the logits are those of the last node, X(0,4), and the other nodes have no head.
    Deviation: as `UNet`; and 64 to 1024 channels, as the other rivals, where the original has 32 to 512 (`width=32`).

    Args: those of `UNet`.

    Raises: as `UNet`.
    """

    def __init__(self, num_classes: int = 4, in_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        with train_extra():
            from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus
        self.network: Any = BasicUNetPlusPlus(
            2, in_channels, num_classes, (*level_channels(width), width), act="relu", norm="batch", bias=False
        )
        quicken_merges(self.network)
        self.network.final_conv_0_1 = nn.Identity()  # heads for deep supervision: without it they would never learn
        self.network.final_conv_0_2 = nn.Identity()
        self.network.final_conv_0_3 = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_stride(images, UNET_STRIDE))[-1]
        return logits[..., :height, :width]


class AttentionUNet(nn.Module):
    """Attention U-Net from random weights: a U-Net whose skips pass additive attention gates.

    Source: Oktay et al., "Attention U-Net", MIDL 2018, figures 1 and 2, in 2D; built from MONAI's `AttentionUnet`.
    Reading: no deep supervision. MONAI merges skip and decoder by one convolution with instance norm and PReLU, which
    takes the intensity's level away; here each merge is the published double convolution with batch norm and ReLU.
    Deviation: levels go down by strided convolutions instead of max-pools; the gating signal is the upsampled decoder
    feature at the skip's size; the topmost skip has a gate too.

    Args: those of `UNet`.

    Raises: as `UNet`.
    """

    def __init__(self, num_classes: int = 4, in_channels: int = 1, width: int = 64) -> None:
        super().__init__()
        with train_extra():
            from monai.networks.nets.attentionunet import AttentionLayer, AttentionUnet, ConvBlock
        self.network = AttentionUnet(2, in_channels, num_classes, level_channels(width), strides=(2, 2, 2, 2))
        layers: list[Any] = [m for m in self.network.modules() if isinstance(m, AttentionLayer)]
        for layer in layers:
            channels = layer.merge.conv.out_channels
            layer.merge = ConvBlock(2, 2 * channels, channels)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_stride(images, UNET_STRIDE))
        return logits[..., :height, :width]


def build_unet(num_classes: int, in_channels: int, width: int) -> Any:
    """MONAI's U-Net with the original's channels and activation; for sizes that are multiples of 16.

    Raises: as `UNet`.
    """
    with train_extra():
        from monai.networks.nets.basic_unet import BasicUNet
    channels = (*level_channels(width), width)  # the last: what the head sees
    return quicken_merges(BasicUNet(2, in_channels, num_classes, channels, act="relu", norm="batch", bias=False))


def quicken_merges(network: Any) -> Any:
    """MONAI's U-Net or U-Net++ with merges that cost less, for sizes that are multiples of 16.

    There its padding before each merge adds nothing, yet copies every upsampled map, out of the channels-last order
    that the convolutions need. The deconvolutions get a faster gradient and keep their parameters.
    """
    with train_extra():
        from monai.networks.nets.basic_unet import UpCat
    for module in network.modules():
        if isinstance(module, UpCat):
            module.is_pad = False
            upsample: Any = module.upsample
            upsample.deconv = Deconvolution.like(upsample.deconv)
    return network


def level_channels(width: int) -> tuple[int, int, int, int, int]:
    """The channels of the five levels of a U-Net, from the top.

    Raises:
        OptionError: if `width` is below 2.
    """
    if width < 2:
        raise OptionError(
            "the network cannot have this width",
            got=f"width {width!r}",
            expected="a whole number of at least 2; the original's is 64",
            do="change width",
        )
    return width, 2 * width, 4 * width, 8 * width, 16 * width
