"""Which device computes. Imports torch only where it must, so that a device that cannot be is told at once."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from msdnet.errors import OptionError

if TYPE_CHECKING:
    import torch

_DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"


def check_device(name: str) -> None:
    """Refuses a device that cannot be here, as far as that can be told without torch.

    Torch's CUDA needs the library of NVIDIA's driver. Its builds for AMD call their devices "cuda" too and need another
    one: for them only `choose_device` tells.

    Raises:
        OptionError: if there is no such device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise OptionError("unknown device", got=name, expected="auto, cpu or cuda", do="choose one of these")
    if name == "cuda" and not _for_amd() and not _has_driver():
        raise _no_cuda(f"no NVIDIA driver ({_DRIVER} cannot be loaded)")


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA where there is a usable one, else the CPU.

    Raises:
        OptionError: if there is no such device.
    """
    import torch

    check_device(name)
    if name == "cuda" and not torch.cuda.is_available():
        raise _no_cuda("torch.cuda.is_available() is False")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def name_device(device: torch.device) -> str:
    """What the GPU, or the processor, calls itself."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _for_amd() -> bool:
    try:
        return "rocm" in version("torch")
    except PackageNotFoundError:
        return False


def _has_driver() -> bool:
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return False
    return True


def _no_cuda(got: str) -> OptionError:
    return OptionError(
        "there is no usable CUDA device",
        got=got,
        expected="an NVIDIA GPU with its driver",
        do="use --device cpu, or auto",
    )
