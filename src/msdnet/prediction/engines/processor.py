"""What this machine can compute with, as torch tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.prediction.engines.choice import Processor

if TYPE_CHECKING:
    import torch


def read_processor(device: torch.device) -> Processor:
    """The processor behind a device: the GPU, or the CPU of this machine."""
    import torch

    if device.type != "cpu":
        return Processor(is_gpu=True, has_bf16=torch.cuda.is_bf16_supported(including_emulation=False))
    flags = torch.cpu.get_capabilities()
    has_tiles = bool(flags.get("amx_bf16"))
    return Processor(has_bf16=has_tiles or bool(flags.get("avx512_bf16")), has_matrix_units=has_tiles)
