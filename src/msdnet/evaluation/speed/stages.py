"""Where MSD-Net's time goes: encoder, and in each stage of the decoder its pyramid, attention and refinement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from msdnet.evaluation.speed.contenders import Contender, make_network
from msdnet.networks.folding import fold


@dataclass(frozen=True)
class StageTiming:
    """One part of the network.

    Attributes:
        network: The network's title.
        name: "encoder", "PCB-1" to "PCB-4", "CAB-1", "RRB-1", ..., "head".
        ms: Of one slice, the fastest of the repeats.
        gflop: Floating point operations of one slice, in 10^9; a multiply-add is two.
        megabytes: What one slice reads and writes at the least: inputs, outputs, and weights once for the batch, 10^6.
    """

    network: str
    name: str
    ms: float
    gflop: float
    megabytes: float


def time_stages(
    contender: Contender, device: torch.device, precision: str, *, size: int, batch: int, repeats: int
) -> list[StageTiming]:
    """The parts of the folded network in torch, in the order in which they run.

    Args:
        contender: An MSD-Net.
        device: Where it computes.
        precision: "f32" or "bf16".
        size: Rows and columns of a slice.
        batch: Slices at a time.
        repeats: Timed passes.
    """
    network = make_network(contender)
    folded: Any = fold(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    parts: dict[str, nn.Module] = {"encoder": folded.encoder}
    for stage in (4, 3, 2, 1):
        for word, blocks in (("PCB", folded.pcbs), ("CAB", folded.cabs), ("RRB", folded.refinements)):
            parts[f"{word}-{stage}"] = blocks[stage - 1]
    parts["head"] = folded.head
    images = torch.randn(batch, 1, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    images = images.contiguous(memory_format=torch.channels_last)
    flops, moved = _count(folded, parts, images[:1]), dict.fromkeys(parts, 0.0)
    took = {name: [0.0] * repeats for name in parts}
    hooks: list[Any] = []
    turn = 0

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def before(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            took[name][turn] -= now()

        return hook

    def after(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            took[name][turn] += now()
            made = output if isinstance(output, list) else [output]
            weights = sum(p.numel() * images.element_size() for p in module.parameters())
            moved[name] = (sum(t.numel() * t.element_size() for t in [*inputs, *made]) + weights) / batch / 1e6

        return hook

    for name, part in parts.items():
        hooks += [part.register_forward_pre_hook(before(name)), part.register_forward_hook(after(name))]
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        folded(images)
        took.update({name: [0.0] * repeats for name in parts})
        for turn in range(repeats):  # noqa: B007 -- the hooks read it
            folded(images)
    for hook in hooks:
        hook.remove()
    return [
        StageTiming(contender.title, name, 1000 * min(took[name]) / batch, flops[name], moved[name]) for name in parts
    ]


def _count(network: nn.Module, parts: dict[str, nn.Module], image: Tensor) -> dict[str, float]:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(image)
    counted = counter.get_flop_counts()
    names = {part: f"{type(network).__name__}.{name}" for name, part in network.named_modules()}
    return {name: sum(counted.get(names[part], {}).values()) / 1e9 for name, part in parts.items()}
