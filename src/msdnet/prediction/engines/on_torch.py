"""Torch as the engine: channels-last, in bfloat16 by autocast or in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from msdnet.prediction.engines import Engine


def torch_engine(network: nn.Module, device: torch.device, precision: str) -> Engine:
    """The network itself, on the device.

    Args:
        network: Folded, in evaluation mode.
        device: Where it computes.
        precision: "f32" or "bf16". Float32 is whole on a GPU, too, whose convolutions round it to 10 bits by default.
    """
    placed = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def compute(images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"), whole_float32(device):
            logits: Tensor = placed(images)
        return logits.float()

    return compute


@contextmanager
def whole_float32(device: torch.device) -> Iterator[None]:
    """Convolutions in float32 without TF32, which NVIDIA's GPUs would use by default; nothing on other devices."""
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
