"""The precision that a training is asked for, and the one that its processor computes in."""

from __future__ import annotations

from msdnet.errors import OptionError
from msdnet.prediction.device import choose_device
from msdnet.prediction.engines.processor import read_processor


def usable_precision(precision: str, device: str) -> str:
    """As asked for, but "32-true" instead of "bf16-mixed" where the processor has no instructions for bfloat16.

    Imitated, they cost ten times the time of float32: MSD-Net with ResNet-18, 256 x 256 pixels, on one core of an AMD
    EPYC with AVX2 alone 10 s a slice and step instead of 0.8 s.

    Args:
        precision: As `Experiment.precision`.
        device: "auto", "cpu" or "cuda".

    Raises:
        OptionError: for "16-mixed" without a GPU.
    """
    if precision == "16-mixed" and choose_device(device).type == "cpu":
        raise OptionError(
            "16-mixed is a precision of GPUs",
            got="a training on the processor",
            expected="bf16-mixed (32-true where the processor has no bfloat16) or 32-true",
            do="set precision to one of these, or train on a GPU",
        )
    if precision == "bf16-mixed" and not read_processor(choose_device(device)).has_bf16:
        return "32-true"
    return precision
