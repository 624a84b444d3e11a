"""Other decoders on the encoder that MSD-Net has, built from segmentation-models-pytorch (smp, the extra "train").

Every one takes images (B, in_channels, H, W) with H, W >= 32 and gives logits (B, num_classes, H, W). smp is imported
when a network is built, so that MSD-Net needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from msdnet.errors import OptionError
from msdnet.networks.msdnet import build_encoder, pad_to_stride
from msdnet.networks.train_extra import train_extra


class EncoderRival(nn.Module):
    """A decoder of segmentation-models-pytorch (smp) on a timm encoder, with the arguments it shares with MSD-Net.

    Deviation, for all of them: smp's bilinear upsampling aligns corners, and there is no auxiliary loss. Training on a
    batch of one image needs 64 x 64 pixels or more: batch norm at stride 32 would see one value per channel below that.

    Args:
        encoder: A timm feature extractor with strides 4, 8, 16 and 32.
        num_classes: Output channels, background included.
        in_channels: Channels of the image.
        pretrained: False for random weights, True for timm's ImageNet weights by name (needs a model hub), or the
            path of a local file with them; loaded by the function that loads MSD-Net's.

    Raises:
        MissingExtraError: if smp is not installed.
        OptionError: if the encoder or its weights cannot be had, or the decoder cannot stand on this encoder.
    """

    stride: ClassVar[int] = 32

    def __init__(
        self,
        encoder: str = "resnet101",
        num_classes: int = 4,
        in_channels: int = 1,
        pretrained: bool | str | Path = False,
    ) -> None:
        super().__init__()
        with train_extra():
            import segmentation_models_pytorch as smp
        with torch.device("meta" if pretrained is False else "cpu"):  # without weights it is only a check of the name
            weights, _ = build_encoder(encoder, in_channels, pretrained)
        shared = {"encoder_name": f"tu-{encoder}", "encoder_weights": None}
        try:
            self.network = self.assemble(smp, **shared, in_channels=in_channels, classes=num_classes)
            if pretrained is not False:
                self.network.encoder.model.load_state_dict(weights.state_dict())
        except Exception as error:  # smp and timm raise many unrelated types here
            raise OptionError(
                f"{type(self).__name__} cannot stand on encoder {encoder!r}",
                got=f"{type(error).__name__}: {error}",
                expected=f"an encoder that smp can take apart, and that can be dilated to stride {self.stride}",
                do="choose another encoder, such as resnet18",
            ) from error

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """The smp network; each rival has its own."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        logits: Tensor = self.network(pad_to_stride(images, self.stride))
        return logits[..., :height, :width]


class PSPNet(EncoderRival):
    """PSPNet on a timm encoder: averages over 1, 4, 9 and 36 regions beside the features, at stride 8.

    Source: Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017.
    Reading: the encoder is whole and dilated to stride 8, as published; smp's default cuts it off at stride 8.
    Deviation: no batch norm over the single region; a 1 x 1 convolution fuses, a 3 x 3 one classifies; dropout 0.2.
    """

    stride = 8

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """At stride 8."""
        return smp.PSPNet(**shared, encoder_depth=5, output_stride=8, upsampling=8)


class DeepLabV3(EncoderRival):
    """DeepLab v3 on a timm encoder: parallel dilated convolutions (ASPP) at stride 8.

    Source: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017; rates 12, 24, 36.
    Deviation: a 3 x 3 convolution stands between ASPP and head; dropout 0.5. The image pool's batch norm sees one
    value per image: training needs at least two images in a batch.
    """

    stride = 8

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """At stride 8."""
        return smp.DeepLabV3(**shared, encoder_output_stride=8, decoder_atrous_rates=(12, 24, 36))


class DeepLabV3Plus(EncoderRival):
    """DeepLab v3+ on a timm encoder: separable ASPP at stride 16, refined with the stage of stride 4.

    Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution", ECCV 2018; rates 6, 12, 18 as published
    for stride 16 (smp's defaults are those for stride 8).
    Deviation: one separable convolution after ASPP and one after the concatenation, where the original has two of 256
    channels; dropout 0.5. The image pool's batch norm sees one value per image: training needs at least two images
    in a batch.
    """

    stride = 16

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """At stride 16."""
        return smp.DeepLabV3Plus(**shared, encoder_output_stride=16, decoder_atrous_rates=(6, 12, 18))


class LinkNet(EncoderRival):
    """LinkNet on a timm encoder: bottlenecked deconvolutions, skips by addition.

    Source: Chaurasia and Culurciello, "LinkNet", VCIP 2017.
    Deviation: deconvolutions are 4 x 4; a fifth decoder block and a 1 x 1 convolution stand for the original's head.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.Linknet(**shared)


class MANet(EncoderRival):
    """MA-Net on a timm encoder: position-wise attention at the deepest stage, channel attention at each fusion.

    Source: Fan et al., "MA-Net", IEEE Access 2020, the network for liver and tumour.
    Deviation: in smp's position-wise block the softmax runs over all pairs of positions at once, and its product is
    reshaped from (positions, channels) to (channels, rows, columns) without being transposed.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.MAnet(**shared)


class FPN(EncoderRival):
    """Feature pyramid on a timm encoder: top-down sums, each level brought to stride 4, added.

    Source: Kirillov et al., "Panoptic Feature Pyramid Networks", CVPR 2019, section 3.1, on Lin et al., CVPR 2017.
    Deviation: no 3 x 3 convolution on the pyramid's sums; dropout 0.2.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.FPN(**shared)


class UPerNet(EncoderRival):
    """UPerNet on a timm encoder: PSPNet's pyramid pooling on top of a feature pyramid.

    Source: Xiao et al., "Unified Perceptual Parsing", ECCV 2018, the segmentation head.
    Deviation: layer norm on the encoder's features; 256 channels. The batch norm over the single region sees one
    value per image: training needs at least two images in a batch.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.UPerNet(**shared)


class SegFormerHead(EncoderRival):
    """SegFormer's decoder on a timm encoder: a linear layer per stage, concatenated at stride 4.

    Source: Xie et al., "SegFormer", NeurIPS 2021, section 3.2.
    Deviation: the encoder is any timm network, not the paper's transformer; where it has a stage of stride 2, the
    decoder takes that too; no dropout.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.Segformer(**shared)


class EncoderUNet(EncoderRival):
    """U-Net's decoder on a timm encoder, with 256, 128, 64, 32 and 16 channels.

    Deviation: from `UNet`: the encoder, the decoder's channels, nearest-neighbour upsampling, no skip at stride 1.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.Unet(**shared)


class EncoderUNetPlusPlus(EncoderRival):
    """U-Net++'s nested decoder on a timm encoder, with 256, 128, 64, 32 and 16 channels.

    Deviation: from `UNetPlusPlus`: the encoder, the decoder's channels, nearest-neighbour upsampling.
    """

    @staticmethod
    def assemble(smp: Any, **shared: Any) -> Any:
        """As smp has it."""
        return smp.UnetPlusPlus(**shared)
