"""Torch as the engine: channels-last, in bfloat16 by autocast or in float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from msdnet.prediction.engines import Engine


def torch_engine(network: nn.Module, device: torch.device, precision: str) -> Engine:
    """The network itself, on the device.

    Args:
        network: Folded, in evaluation mode.
        device: Where it computes.
        precision: "f32" or "bf16".
    """
    placed = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def compute(images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits: Tensor = placed(images)
        return logits.float()

    return compute
