"""Grey slices in, class probabilities out, at the slices' own size: the step that prediction and evaluation share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.slices import fit, normalise, unfit

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@torch.inference_mode()
def predict_probabilities(
    network: nn.Module, grey: Tensor, settings: Preprocessing, *, flips: bool = False, low_precision: bool = False
) -> Tensor:
    """Softmax probabilities.

    Shapes: grey (B, 1, H, W) in 0..1, on the network's device -> (B, C, H, W) float32.

    Args:
        network: In evaluation mode.
        grey: Slices of one size.
        settings: The preprocessing the network was trained with.
        flips: Average over the four mirror images.
        low_precision: Run the network in bfloat16.
    """
    images, plan = fit(grey, settings.size)
    images = normalise(images, settings).contiguous(memory_format=torch.channels_last)
    probabilities: Tensor | None = None
    chosen = FLIPS if flips else FLIPS[:1]
    for axes in chosen:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=low_precision):
            logits = network(images.flip(axes) if axes else images)
        one = logits.float().softmax(dim=1)
        one = one.flip(axes) if axes else one
        probabilities = one if probabilities is None else probabilities + one
    assert probabilities is not None
    return unfit(probabilities / len(chosen), plan)
