from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from msdnet.errors import OptionError
from msdnet.training.losses import class_weights, dice_loss, focal_loss, weak_loss


def _one_hot(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    return F.one_hot(labels, num_classes).permute(0, 3, 1, 2).float()


def test_focal_loss_of_one_pixel_by_hand() -> None:
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1]))[None, :, None, None]
    target = _one_hot(torch.tensor([[[1]]]), 3)
    weights = torch.tensor([0.1, 0.9, 0.5])
    assert focal_loss(logits, target, weights, gamma=2.0).item() == pytest.approx(-0.9 * 0.8**2 * math.log(0.2))


def test_focal_loss_with_gamma_zero_is_weighted_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 4, generator=generator)
    labels = torch.randint(0, 3, (2, 5, 4), generator=generator)
    weights = torch.tensor([0.2, 0.7, 1.1])
    expected = F.cross_entropy(logits, labels, weight=weights, reduction="none").mean()
    assert focal_loss(logits, _one_hot(labels, 3), weights, gamma=0.0).item() == pytest.approx(expected.item())


def test_dice_loss_is_zero_for_a_match_and_near_one_for_a_miss() -> None:
    mask = torch.zeros(1, 1, 20, 20)
    mask[..., :10] = 1.0
    assert dice_loss(mask, mask).item() == pytest.approx(0.0)
    assert dice_loss(1 - mask, mask).item() == pytest.approx(1 - 1 / 401)


def test_weak_loss_looks_at_the_sum_of_the_lesion_classes_only() -> None:
    weak = torch.ones(1, 1, 4, 4)
    one = torch.tensor([0.1, 0.9, 1e-9])[None, :, None, None].expand(1, 3, 4, 4).log()
    other = torch.tensor([0.1, 0.45, 0.45])[None, :, None, None].expand(1, 3, 4, 4).log()
    assert weak_loss(one, weak).item() == pytest.approx(weak_loss(other, weak).item(), rel=1e-5)
    dice = 1 - (2 * 0.9 * 16 + 1) / (0.9 * 16 + 16 + 1)
    assert weak_loss(one, weak).item() == pytest.approx(-math.log(0.9) + dice, rel=1e-5)


def test_weak_loss_tells_the_classes_apart_where_the_guess_does() -> None:
    weak = torch.tensor([0.25, 0.5])[None, :, None, None].expand(1, 2, 4, 4)
    probabilities = torch.tensor([0.2, 0.3, 0.5])
    loss = weak_loss(probabilities.log()[None, :, None, None].expand(1, 3, 4, 4), weak)
    cross_entropy = -(0.25 * math.log(0.2) + 0.25 * math.log(0.3) + 0.5 * math.log(0.5))
    dice = [1 - (2 * p * w * 16 + 1) / ((p + w) * 16 + 1) for p, w in ((0.3, 0.25), (0.5, 0.5))]
    assert loss.item() == pytest.approx(cross_entropy + sum(dice) / 2, rel=1e-5)


def test_guesses_that_are_rounded_up_leave_no_negative_background() -> None:
    weak = torch.full((1, 2, 2, 2), 128 / 255)
    logits = torch.tensor([-200.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert weak_loss(logits, weak).item() > 0


def test_class_weights_follow_their_rule() -> None:
    counts = torch.tensor([80, 15, 5])
    assert class_weights(counts, "proportion").tolist() == pytest.approx([0.2, 0.85, 0.95])
    assert class_weights(counts, "none").tolist() == [1.0, 1.0, 1.0]
    inverse = class_weights(counts, "inverse")
    assert inverse.mean().item() == pytest.approx(1.0)
    assert (inverse[2] / inverse[0]).item() == pytest.approx(16.0)
    with pytest.raises(OptionError, match="every class"):
        class_weights(torch.tensor([5, 0]), "inverse")


def test_dice_loss_per_slice_is_the_mean_over_slices_that_have_the_class() -> None:
    targets, probabilities = torch.zeros(3, 2, 10, 10), torch.zeros(3, 2, 10, 10)
    targets[0, 0, :8], probabilities[0, 0, :8] = 1, 1  # a large lesion, found
    targets[1, 0, 0, :4], probabilities[1, 0, 0, 4:8] = 1, 1  # a small one, missed
    probabilities[2, 0, :5] = 1  # a slice without, on which much is marked
    small = 1 - 1 / 9
    assert dice_loss(probabilities, targets, per_slice=True).item() == pytest.approx((small / 2 + 0) / 2)
    assert dice_loss(probabilities, targets).item() == pytest.approx((1 - 161 / (134 + 84 + 1)) / 2)
    assert dice_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), per_slice=True).item() == 0.0
