"""The losses: focal (the paper's), soft Dice, and one for guessed targets. Targets are probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from msdnet.config import Experiment
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import OptionError
from msdnet.labels import get_schema


def focal_loss(logits: Tensor, targets: Tensor, class_weights: Tensor, gamma: float = 2.0) -> Tensor:
    """Multi-class focal loss, mean over all pixels: -alpha_c (1 - p_c)^gamma log p_c.

    Shapes: logits (B, C, H, W), targets (B, C, H, W) probabilities that sum to 1, class_weights (C,) -> ().
    Source: section III.D, equation 1; p is the softmax.
    """
    log_p = logits.log_softmax(dim=1)
    modulation = (1 - log_p.exp()).clamp(min=0) ** gamma
    per_pixel = -(targets * class_weights[:, None, None] * modulation * log_p).sum(dim=1)
    return per_pixel.mean()


def dice_loss(probabilities: Tensor, targets: Tensor, smoothing: float = 1.0, *, per_slice: bool = False) -> Tensor:
    """One minus the soft Dice coefficient of each channel, mean over channels.

    Over the whole batch, where a large lesion weighs more than a small one; or per slice, mean over the slices that
    contain the class, as the reported DSC counts.

    Shapes: probabilities and targets (B, K, H, W) in 0..1 -> ().
    """
    over = (2, 3) if per_slice else (0, 2, 3)
    overlap = (probabilities * targets).sum(dim=over)
    size = targets.sum(dim=over)
    loss = 1 - (2 * overlap + smoothing) / (probabilities.sum(dim=over) + size + smoothing)
    if not per_slice:
        return loss.mean()
    present = (size > 0).to(loss.dtype)
    return ((loss * present).sum(dim=0) / present.sum(dim=0).clamp(min=1)).mean()


def weak_loss(logits: Tensor, weak: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice between the softmax and a guess: of any lesion, or of each lesion class.

    Shapes: logits (B, C, H, W), weak (B, 1, H, W) any lesion or (B, C - 1, H, W) each class, in 0..1 -> ().
    """
    log_p = logits.log_softmax(dim=1)
    log_background, log_lesions = log_p[:, :1], log_p[:, 1:]
    background = (1 - weak.sum(dim=1, keepdim=True)).clamp(min=0)  # rounded guesses may sum to a little more than 1
    if weak.shape[1] == 1:
        log_lesions = torch.logsumexp(log_lesions, dim=1, keepdim=True)
    per_pixel = (weak * log_lesions).sum(dim=1, keepdim=True) + background * log_background
    return -per_pixel.mean() + dice_loss(log_lesions.exp(), weak)


def class_weights(pixel_counts: Tensor, rule: str) -> Tensor:
    """The weight of each class from its number of pixels in the training slices.

    Shapes: pixel_counts (C,) -> (C,).

    Args:
        pixel_counts: Pixels of each class, background first.
        rule: "proportion" is the paper's, read as 1 - N_c / sum(N); "inverse" is 1 / frequency scaled to mean 1;
            "none" is 1 for all.

    Raises:
        OptionError: if a class has no pixel where its frequency is needed, or there is no such rule.
    """
    counts = pixel_counts.double()
    if rule == "none":
        return torch.ones_like(counts).float()
    if rule == "proportion":
        return (1 - counts / counts.sum()).float()
    if rule == "inverse":
        if bool((counts == 0).any()):
            raise OptionError(
                "inverse class weights need pixels of every class",
                got=f"pixel counts {counts.tolist()}",
                expected="no zero among them",
                do='use class_weights "proportion"',
            )
        weights = 1 / counts
        return (weights / weights.mean()).float()
    raise OptionError("unknown class weights", got=rule, expected="proportion, inverse or none", do="choose one")


def class_weights_for(slices: Sequence[TrainingSlice], experiment: Experiment) -> Tensor:
    """`class_weights` of the slices that have labels, by the experiment's rule; 1 for all where none has.

    Raises:
        OptionError: as `class_weights`.
    """
    num_classes = get_schema(experiment.schema).num_classes
    counts = torch.zeros(num_classes, dtype=torch.long)
    for s in slices:
        if s.labels is not None:
            counts += torch.bincount(torch.from_numpy(s.labels.ravel().copy()).long(), minlength=num_classes)
    return class_weights(counts, experiment.class_weights if bool(counts.any()) else "none")
