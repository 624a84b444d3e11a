"""Tensor -> logits: every network, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from msdnet.errors import OptionError
from msdnet.networks.encoder_rivals import (
    FPN,
    DeepLabV3,
    DeepLabV3Plus,
    EncoderUNet,
    EncoderUNetPlusPlus,
    LinkNet,
    MANet,
    PSPNet,
    SegFormerHead,
    UPerNet,
)
from msdnet.networks.fcn import FCN
from msdnet.networks.msdnet import MSDNet
from msdnet.networks.segnet import SegNet
from msdnet.networks.unet_cbam import UNetCBAM
from msdnet.networks.unets import AttentionUNet, UNet, UNetPlusPlus

NETWORKS: dict[str, type[nn.Module]] = {
    "msdnet": MSDNet,
    # The paper's rivals, and SegNet, from random weights: num_classes, in_channels, width
    "unet": UNet,
    "unetplusplus": UNetPlusPlus,
    "unet_cbam": UNetCBAM,
    "attention_unet": AttentionUNet,
    "segnet": SegNet,
    # On MSD-Net's encoder: encoder, num_classes, in_channels, pretrained
    "fcn": FCN,
    "pspnet": PSPNet,
    "deeplabv3": DeepLabV3,
    "deeplabv3plus": DeepLabV3Plus,
    "linknet": LinkNet,
    "manet": MANet,
    "fpn": FPN,
    "upernet": UPerNet,
    "segformer_head": SegFormerHead,
    "encoder_unet": EncoderUNet,
    "encoder_unetplusplus": EncoderUNetPlusPlus,
}

__all__ = ["NETWORKS", "MSDNet", "build_network"]


def build_network(name: str, **arguments: Any) -> nn.Module:
    """The network of that name, built with these arguments.

    Raises:
        OptionError: if there is no such network, or an argument is not one of its own.
    """
    if name not in NETWORKS:
        raise OptionError(
            f"unknown network {name!r}",
            got=name,
            expected="one of " + ", ".join(NETWORKS),
            do="choose one of these names",
        )
    try:
        return NETWORKS[name](**arguments)
    except TypeError as error:
        raise OptionError(
            f"network {name!r} does not take these arguments",
            got=str(error),
            expected=f"the arguments of {NETWORKS[name].__name__}",
            do=f"see help(msdnet.networks.{NETWORKS[name].__name__})",
        ) from error
