"""Networks beside one another: the time of one batch in plain torch and in each engine, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from msdnet.config import Preprocessing
from msdnet.errors import MissingExtraError, OptionError
from msdnet.networks import build_network
from msdnet.networks.folding import fold
from msdnet.prediction.engines import ENGINES, build_engine

NUM_CLASSES = 3
EAGER = "eager"
"""Plain torch: float32, nothing folded, rows of pixels side by side in memory (NCHW)."""


@dataclass(frozen=True)
class Contender:
    """A network, with random weights: which ones they are does not change its time, but for zeros (`make_network`).

    Attributes:
        title: As the tables have it.
        network: Its name in `NETWORKS`.
        arguments: What builds it.
        int8: Whether it is timed in int8, too.
    """

    title: str
    network: str
    arguments: dict[str, Any]
    int8: bool = False


CONTENDERS = (
    Contender("MSD-Net, ResNet-18, shared", "msdnet", {"encoder": "resnet18", "pointwise": "shared"}, int8=True),
    Contender("MSD-Net, ResNet-101, shared", "msdnet", {"encoder": "resnet101", "pointwise": "shared"}, int8=True),
    Contender("MSD-Net, ResNet-101, per branch (the paper's)", "msdnet", {"encoder": "resnet101"}),
    Contender("U-Net", "unet", {}),
    Contender("U-Net++", "unetplusplus", {}),
    Contender("U-Net + CBAM", "unet_cbam", {}),
    Contender("Attention U-Net", "attention_unet", {}),
    Contender("smp's U-Net, ResNet-18", "encoder_unet", {"encoder": "resnet18"}),
    Contender("smp's U-Net, ResNet-101", "encoder_unet", {"encoder": "resnet101"}),
)
"""MSD-Net, the paper's rivals in the paper's widths, and a plain decoder on the same encoders."""


@dataclass(frozen=True)
class Timing:
    """One network in one engine.

    Attributes:
        title: The network's.
        parameters: How many it has.
        gflop: Floating point operations of one slice, in 10^9, as it is published; a multiply-add is two.
        engine: "eager", or a name of `ENGINES`.
        precision: "f32", "bf16" or "int8".
        ms: Of one slice, median of the repeats.
        fastest_ms: The fastest of them.
        slowest_ms: The slowest of them.
    """

    title: str
    parameters: int
    gflop: float
    engine: str
    precision: str
    ms: float
    fastest_ms: float
    slowest_ms: float


def time_contender(
    contender: Contender,
    device: torch.device,
    *,
    size: int,
    batch: int,
    repeats: int,
    leave_out: Callable[[str], None] = lambda _: None,
) -> Iterator[Timing]:
    """The contender's times, in plain torch first; engines that are not here, or cannot compute it, are left out.

    Args:
        contender: The network.
        device: Where it computes.
        size: Rows and columns of a slice, a multiple of 32.
        batch: Slices at a time.
        repeats: Timed calls; the first, before them, is not counted.
        leave_out: Called with what is left out, and why.
    """
    settings = Preprocessing(size=size)
    network = make_network(contender)
    parameters = sum(p.numel() for p in network.parameters())
    images = torch.randn(batch, 1, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(images[:1].cpu())
    facts = contender.title, parameters, counter.get_total_flops() / 1e9
    network.to(device)
    yield Timing(*facts, EAGER, "f32", *_time(_plain(network), images, repeats))
    folded = fold(network.cpu())
    for engine, precisions in ENGINES.items():
        for precision in precisions:
            if precision == "int8" and not (contender.int8 and engine == "openvino"):
                continue
            try:
                compute, _ = build_engine(folded, settings, device, engine=engine, precision=precision)
            except (OptionError, MissingExtraError) as error:
                leave_out(f"{contender.title} in {engine} {precision}: {str(error).splitlines()[0]}")
                continue
            yield Timing(*facts, engine, precision, *_time(compute, images, repeats))


def make_network(contender: Contender) -> nn.Module:
    """The network with random weights, in evaluation mode.

    Norms whose weights are zero, as timm leaves the last one of each residual block before training, get others:
    OpenVINO computes a convolution without any weight in float32 where int8 was asked for.
    """
    torch.manual_seed(0)
    network = build_network(contender.network, num_classes=NUM_CLASSES, **contender.arguments)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.any():
            nn.init.constant_(module.weight, 0.5)
    return network.eval().requires_grad_(False)


def _plain(network: nn.Module) -> Callable[[Tensor], Tensor]:
    @torch.inference_mode()
    def compute(images: Tensor) -> Tensor:
        logits: Tensor = network(images)
        return logits

    return compute


def _time(compute: Callable[[Tensor], Tensor], images: Tensor, repeats: int) -> tuple[float, float, float]:
    """Median, least and greatest milliseconds of one slice."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        compute(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start) / len(images))
    return statistics.median(times[1:]), min(times[1:]), max(times[1:])
