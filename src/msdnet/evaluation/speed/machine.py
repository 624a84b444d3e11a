"""What the figures were measured on: the processor, its flags, and the most it does."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from msdnet.prediction.device import name_device

_FLAGS = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_SIDE, _COPIED = 2048, 64 << 20


@dataclass(frozen=True)
class Machine:
    """The machine.

    Attributes:
        device: "cpu" or "cuda".
        name: The processor's or GPU's.
        threads: Of torch.
        flags: The instruction sets that matter here.
        peak_gflops: Precision -> 10^9 operations a second of a large matrix product.
        peak_gb_per_s: 10^9 bytes read and written a second by a large copy.
    """

    device: str
    name: str
    threads: int
    flags: tuple[str, ...]
    peak_gflops: dict[str, float]
    peak_gb_per_s: float


def read_machine(device: torch.device, precisions: tuple[str, ...]) -> Machine:
    """This machine, with the most that torch gets out of it in each of the precisions ("f32", "bf16")."""
    flags = torch.cpu.get_capabilities()
    types = {"f32": torch.float32, "bf16": torch.bfloat16}
    peaks = {}
    for precision in precisions:
        left = torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0)).to(device, types[precision])
        peaks[precision] = 2 * _SIDE**3 / _fastest(functools.partial(torch.matmul, left, left), device) / 1e9
    source = torch.zeros(_COPIED, device=device)
    target = torch.empty_like(source)
    seconds = _fastest(lambda: target.copy_(source), device)
    return Machine(
        device.type,
        name_device(device),
        torch.get_num_threads(),
        tuple(flag for flag in _FLAGS if flags.get(flag)),
        peaks,
        2 * source.numel() * source.element_size() / seconds / 1e9,
    )


def _fastest(call: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)
