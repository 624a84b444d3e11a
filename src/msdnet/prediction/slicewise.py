"""Grey slices in, class probabilities out, at the slices' own sizes: the step that prediction and evaluation share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.slices import fit, normalise, unfit

Network = Callable[[Tensor], Tensor]
"""Images (B, 1, H, W) -> logits (B, C, H, W): a network in evaluation mode, or an engine."""

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@torch.inference_mode()
def predict_probabilities(
    network: Network, grey: Sequence[Tensor], settings: Preprocessing, *, flips: bool = False
) -> list[Tensor]:
    """Softmax probabilities of each slice.

    Shapes: grey: (H, W) in 0..1 each, of any sizes, on the network's device -> (C, H, W) float32 each.

    Args:
        network: In evaluation mode, or an engine.
        grey: Slices; they go through the network as one batch.
        settings: The preprocessing the network was trained with.
        flips: Average over the four mirror images.
    """
    fitted = [fit(one[None, None], settings.size) for one in grey]
    images = normalise(torch.cat([image for image, _ in fitted]), settings)
    images = images.contiguous(memory_format=torch.channels_last)
    chosen = FLIPS if flips else FLIPS[:1]
    total = torch.stack([network(images.flip(axes)).float().softmax(dim=1).flip(axes) for axes in chosen]).mean(dim=0)
    return [unfit(one[None], plan)[0] for one, (_, plan) in zip(total, fitted, strict=True)]


def most_probable(probabilities: Tensor) -> Tensor:
    """The class of the greatest probability, the first of equal ones; torch's argmax takes ten times as long.

    Shapes: (C, H, W) -> (H, W) uint8.
    """
    best, labels = probabilities[0].clone(), torch.zeros_like(probabilities[0], dtype=torch.uint8)
    for index, one in enumerate(probabilities[1:], start=1):
        labels[one > best] = index
        torch.maximum(best, one, out=best)
    return labels
