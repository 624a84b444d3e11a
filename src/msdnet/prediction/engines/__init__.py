"""Engines: what computes a network's logits on this machine, behind one call.

    images (B, 1, H, W) float32 -> logits (B, C, H, W) float32, both on the engine's device

Torch runs everywhere. The others take the network in its ONNX form, and are optional packages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msdnet.errors import MissingExtraError, OptionError
from msdnet.prediction.engines.choice import ENGINES, PLAIN, EngineChoice, check_engine
from msdnet.prediction.engines.processor import read_processor

if TYPE_CHECKING:
    import torch
    from torch import nn

    from msdnet.config import Preprocessing

__all__ = ["ENGINES", "PLAIN", "Engine", "EngineChoice", "build_engine", "check_engine"]

Engine = Callable[["torch.Tensor"], "torch.Tensor"]
"""Images (B, 1, H, W) float32 -> logits (B, C, H, W) float32, on one device."""


def build_engine(
    network: nn.Module,
    settings: Preprocessing,
    device: torch.device,
    *,
    engine: str = "auto",
    precision: str = "auto",
) -> tuple[Engine, EngineChoice]:
    """The engine that computes a network's logits, and what was chosen.

    Args:
        network: Folded, in evaluation mode; it is moved to the device.
        settings: Of its input; int8 is fitted on slices prepared so.
        device: Where torch computes; the other engines know the CPU alone.
        engine: One of `ENGINES`, or "auto".
        precision: One of `PRECISIONS`, or "auto".

    Raises:
        OptionError: if they don't go together, or this processor has no such arithmetic.
        MissingExtraError: if the engine is not installed, or its package is broken.
    """
    from msdnet.prediction.engines.choice import choose_engine

    num_parameters = sum(p.numel() for p in network.parameters())
    processor = read_processor(device)
    choice = choose_engine(engine, precision, processor, num_parameters)
    if choice.engine != "torch":
        try:
            return _of_onnx(network, settings, choice, has_bf16=processor.has_bf16), choice
        except (OptionError, MissingExtraError):  # it has no ONNX form, or a package is broken
            if engine != "auto" or choice.precision == "int8":
                raise
            choice = EngineChoice("torch", choice.precision)
    from msdnet.prediction.engines.on_torch import torch_engine

    return torch_engine(network, device, choice.precision), choice


def _of_onnx(network: nn.Module, settings: Preprocessing, choice: EngineChoice, *, has_bf16: bool) -> Engine:
    from msdnet.prediction.engines.onnx_form import to_onnx

    form = to_onnx(network, settings.size)
    if choice.precision == "int8":
        from msdnet.prediction.engines.int8 import quantise

        form = quantise(form, settings)
    if choice.engine == "openvino":
        from msdnet.prediction.engines.on_openvino import openvino_engine

        return openvino_engine(form, choice.precision, has_bf16=has_bf16)
    from msdnet.prediction.engines.on_onnxruntime import onnxruntime_engine

    return onnxruntime_engine(form)
