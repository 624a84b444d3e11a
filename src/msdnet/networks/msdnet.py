"""MSD-Net: images (B, 1, H, W) in, logits (B, C, H, W) out.

Source: Zheng et al., "MSD-Net: Multi-Scale Discriminative Network for COVID-19 Lung Infection Segmentation on CT",
IEEE Access 8, 2020, doi:10.1109/ACCESS.2020.3027738.

    image -> encoder -> stage 1 ... stage 4 (strides 4, 8, 16, 32)
                           |           |
                         PCB-1  ...  PCB-4         pyramid convolution: k parallel kernels at stage k
                           |           |
    logits <- head <- RRB<-CAB  ... RRB<-CAB <- global average pool
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from msdnet.errors import OptionError
from msdnet.networks.depthwise import DepthwiseConv2d

Pointwise = Literal["per_branch", "shared"]
Refinement = Literal["rrb", "rb"]
RrbSum = Literal["all", "last"]

STRIDES = (4, 8, 16, 32)
HEAD_CHANNELS = 64


class MSDNet(nn.Module):
    """Multi-scale discriminative network.

    Shapes: images (B, in_channels, H, W) with H, W >= 32 -> logits (B, num_classes, H, W). Other sizes than multiples
    of 32 are padded inside by repeating the border, and cropped back.

    Source: section III and figures 2 and 3. Class order, last channels and head are not stated there.
    Reading: the globally pooled vector of stage 4 is what the deepest CAB takes as "the later stage". The head is a
    1 x 1 convolution at stride 4, followed by bilinear upsampling. Channels follow the encoder: each RRB brings its
    stage's channels to those of the stage before it (ResNet-101: 2048 -> 1024 -> 512 -> 256 -> 64).

    Args:
        encoder: A timm feature extractor with strides 4, 8, 16 and 32. The paper's is "resnet101".
        num_classes: Output channels, background included. The paper's four by default.
        in_channels: Channels of the image; CT has one.
        pretrained: False for random weights, True for timm's ImageNet weights by name (needs a model hub), or the
            path of a local file with them.
        pointwise: "per_branch" is the paper's separable convolution. Deviation: "shared" uses one point-wise
            convolution for all branches of a PCB.
        pyramid: False leaves the PCBs out (ablation).
        channel_attention: False adds the two inputs of each CAB without attention (ablation).
        refinement: "rrb", or "rb" for plain residual blocks (ablation).
        rrb_sum: "all" sums the outputs of all convolutions in an RRB with its input; "last" only the last one's.

    Raises:
        OptionError: if an argument has no valid value, or the encoder lacks one of the strides.
    """

    def __init__(
        self,
        encoder: str = "resnet101",
        num_classes: int = 4,
        in_channels: int = 1,
        pretrained: bool | str | Path = False,
        *,
        pointwise: Pointwise = "per_branch",
        pyramid: bool = True,
        channel_attention: bool = True,
        refinement: Refinement = "rrb",
        rrb_sum: RrbSum = "all",
    ) -> None:
        super().__init__()
        _check_choice("pointwise", pointwise, ("per_branch", "shared"))
        _check_choice("refinement", refinement, ("rrb", "rb"))
        _check_choice("rrb_sum", rrb_sum, ("all", "last"))
        self.encoder, channels = build_encoder(encoder, in_channels, pretrained)
        narrower = (HEAD_CHANNELS, *channels[:-1])
        self.pcbs = nn.ModuleList(
            PCB(c, stage, pointwise) if pyramid else nn.Identity() for stage, c in enumerate(channels, start=1)
        )
        self.cabs = nn.ModuleList(CAB(c) if channel_attention else Addition() for c in channels)
        self.refinements = nn.ModuleList(
            RRB(c, out, rrb_sum) if refinement == "rrb" else ResidualBlock(c, out)
            for c, out in zip(channels, narrower, strict=True)
        )
        self.head = nn.Conv2d(HEAD_CHANNELS, num_classes, kernel_size=1)
        self.decoder_channels = tuple(reversed(narrower))  # of what `decode` yields

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        return self.classify(self.decode(pad_to_stride(images))[-1])[..., :height, :width]

    def classify(self, refined: Tensor) -> Tensor:
        """The logits of the last refinement block's output.

        Shapes: (B, 64, h, w) at stride 4 -> (B, num_classes, 4 h, 4 w).
        """
        return F.interpolate(self.head(refined), scale_factor=float(STRIDES[0]), mode="bilinear", align_corners=False)

    def decode(self, images: Tensor) -> list[Tensor]:
        """The outputs of the four refinement blocks, deepest first: strides 32, 16, 8, 4.

        Shapes: images (B, in_channels, H, W), H and W multiples of 32.
        """
        features: list[Tensor] = self.encoder(images)
        later = F.adaptive_avg_pool2d(features[-1], 1)  # (B, C4, 1, 1): the global semantic vector
        outputs = []
        for stage in (3, 2, 1, 0):
            multiscale = self.pcbs[stage](features[stage])
            later = F.interpolate(later, size=multiscale.shape[-2:], mode="bilinear", align_corners=False)
            later = self.refinements[stage](self.cabs[stage](multiscale, later))
            outputs.append(later)
        return outputs


class PCB(nn.Module):
    """Pyramid convolution block of stage k: k parallel depth-wise kernels of size 4k-1, 4k+3, ..., 8k-5; same channels.

    Shapes: (B, C, h, w) -> (B, C, h, w).
    Source: section III.A and figure 3(a).
    Reading: depth-wise convolution, its own point-wise convolution and batch norm in each branch; sum; ReLU.
    Deviation: with pointwise="shared", depth-wise convolution and batch norm in each branch; sum; one point-wise
    convolution, batch norm and ReLU.
    """

    def __init__(self, channels: int, stage: int, pointwise: Pointwise = "per_branch") -> None:
        super().__init__()
        shared = pointwise == "shared"
        self.branches = nn.ModuleList(
            nn.Sequential(
                DepthwiseConv2d(channels, size),
                nn.Identity() if shared else nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
            for size in pcb_kernel_sizes(stage)
        )
        self.fusion: nn.Module = nn.Identity()
        if shared:
            self.fusion = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        total = self.branches[0](features)
        for branch in self.branches[1:]:
            total = total + branch(features)
        return F.relu(self.fusion(total))


class CAB(nn.Module):
    """Channel attention block: weighs a stage's channels by what both adjacent stages know; same channels.

    Shapes: multiscale (B, C, h, w), later (B, C, h, w) -> (B, C, h, w).
    Source: section III.B and figure 3(b).
    Reading: "combined with the later features" is a sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.Conv2d(2 * channels, channels, kernel_size=1)

    def forward(self, multiscale: Tensor, later: Tensor) -> Tensor:
        pooled = torch.cat([F.adaptive_avg_pool2d(x, 1) for x in (multiscale, later)], dim=1)  # (B, 2C, 1, 1)
        return multiscale * torch.sigmoid(self.attention(pooled)) + later


class Addition(nn.Module):
    """The sum of the two inputs: what is left of a CAB without its attention (ablation)."""

    def forward(self, multiscale: Tensor, later: Tensor) -> Tensor:
        return multiscale + later


class RRB(nn.Module):
    """Residual refinement block: 1 x 1 convolution to the new channels, then a residual block that sums every step.

    Shapes: (B, C, h, w) -> (B, out, h, w).
    Source: section III.C and figure 3(c).
    Reading: x0 = 1x1(x); a = BN(3x3(x0)); b = BN(3x3(ReLU(a))); output ReLU(x0 + a + b), since the input in "summed
    with the input" can only be x0, x having other channels. total="last" gives ReLU(x0 + b).
    """

    def __init__(self, in_channels: int, out_channels: int, total: RrbSum = "all") -> None:
        super().__init__()
        self.total = total
        self.project = nn.Conv2d(in_channels, out_channels, kernel_size=1)
        self.first = _conv3x3(out_channels, out_channels)
        self.second = _conv3x3(out_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        x0 = self.project(features)
        a = self.first(x0)
        b = self.second(F.relu(a))
        return F.relu(x0 + a + b if self.total == "all" else x0 + b)


class ResidualBlock(nn.Module):
    """ResNet's basic block with a projection on the shortcut: what RRB is compared with in the ablation.

    Shapes: (B, C, h, w) -> (B, out, h, w).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = _conv3x3(in_channels, out_channels)
        self.second = _conv3x3(out_channels, out_channels)
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False), nn.BatchNorm2d(out_channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.shortcut(features) + self.second(F.relu(self.first(features))))


def pcb_kernel_sizes(stage: int) -> tuple[int, ...]:
    """The kernel sizes of PCB-k for stage k in 1..4: 4k-1 to 8k-5 in steps of 4."""
    return tuple(range(4 * stage - 1, 8 * stage - 4, 4))


def build_encoder(name: str, in_channels: int, pretrained: bool | str | Path) -> tuple[nn.Module, tuple[int, ...]]:
    """A timm feature extractor with strides 4, 8, 16, 32, and its channels per stage.

    Raises:
        OptionError: if timm has no such model, it lacks one of the strides, it takes images of one size alone, or its
            weights cannot be had.
    """
    if not timm.is_model(name):
        raise OptionError(
            f"unknown encoder {name!r}",
            got=name,
            expected="a timm model with features_only, such as resnet18, resnet34, resnet50, resnet101, convnext_tiny",
            do="choose one of `timm.list_models()`",
        )
    plan: Any = timm.create_model(name, features_only=True, pretrained=False, in_chans=in_channels)
    reductions = plan.feature_info.reduction()
    missing = [s for s in STRIDES if s not in reductions]
    if missing:
        raise OptionError(
            f"encoder {name!r} does not yield every stage",
            got=f"strides {reductions}",
            expected=f"strides {STRIDES}",
            do="choose a four-stage encoder, such as resnet18 or convnext_tiny",
        )
    indices = tuple(reductions.index(s) for s in STRIDES)
    if pretrained is False:
        encoder: Any = timm.create_model(name, features_only=True, out_indices=indices, in_chans=in_channels)
    else:
        encoder = _pretrained_encoder(name, indices, in_channels, pretrained)
    channels = tuple(encoder.feature_info.channels())
    _check_stages(name, encoder, channels, in_channels)
    return encoder, channels


def _check_stages(name: str, encoder: nn.Module, channels: tuple[int, ...], in_channels: int) -> None:
    """Refuses an encoder whose stages are not maps (B, channels, H / stride, W / stride); computes shapes alone."""
    side = 2 * STRIDES[-1]
    state = {n: v.to("meta") for n, v in [*encoder.named_parameters(), *encoder.named_buffers()]}
    found: list[Any]
    try:
        stages = torch.func.functional_call(encoder, state, (torch.empty(2, in_channels, side, side, device="meta"),))
        found = [tuple(stage.shape[1:]) for stage in stages]
    except (AssertionError, RuntimeError, ValueError, NotImplementedError) as error:
        found = [f"{type(error).__name__}: {error}"]
    expected = [(c, side // s, side // s) for c, s in zip(channels, STRIDES, strict=True)]
    if found != expected:
        raise OptionError(
            f"encoder {name!r} does not give maps of any size",
            got="; ".join(map(str, found)),
            expected=f"channels, rows and columns {expected} for {side} x {side} pixels",
            do="choose a convolutional encoder, such as resnet18 or convnext_tiny",
        )


def pad_to_stride(images: Tensor, stride: int = STRIDES[-1]) -> Tensor:
    """The images padded at the right and bottom to multiples of the stride by repeating the border.

    Raises:
        OptionError: if a side is shorter than 32.
    """
    height, width = images.shape[-2:]
    if min(height, width) < STRIDES[-1]:
        raise OptionError(
            "the image is too small for the network",
            got=f"{height} x {width}",
            expected=f"at least {STRIDES[-1]} x {STRIDES[-1]}",
            do="resize or pad the image first",
        )
    padded: Tensor = _pad(images, stride)
    return padded


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _pad(images: Tensor, stride: int) -> Tensor:
    """The images padded; also in an exported network, whose images may have any size."""
    right, bottom = -images.shape[-1] % stride, -images.shape[-2] % stride
    return F.pad(images, [0, right, 0, bottom], mode="replicate") if right + bottom > 0 else images


def _pretrained_encoder(
    name: str, indices: tuple[int, ...], in_channels: int, pretrained: bool | str | Path
) -> nn.Module:
    overlay = None
    if not isinstance(pretrained, bool):
        if not Path(pretrained).is_file():
            raise OptionError(
                "the file with pretrained encoder weights does not exist",
                got=str(pretrained),
                expected="a file with timm's weights for this encoder (.safetensors or .pth)",
                do="check the path, or pass pretrained=False",
            )
        overlay = {"file": str(pretrained)}
    try:
        return timm.create_model(
            name,
            features_only=True,
            out_indices=indices,
            in_chans=in_channels,
            pretrained=True,
            pretrained_cfg_overlay=overlay,
        )
    except Exception as error:  # timm and the hub client raise many unrelated types here
        raise OptionError(
            f"the pretrained weights of {name!r} cannot be loaded",
            got=f"{type(error).__name__}: {error}",
            expected="a reachable model hub, or a local file that fits the encoder",
            do="carry the file in and pass pretrained=PATH, or pass pretrained=False",
        ) from error


def _conv3x3(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(out_channels)
    )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(
            f"{name} has no such value", got=repr(value), expected=" or ".join(map(repr, choices)), do=f"change {name}"
        )
