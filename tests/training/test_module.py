from __future__ import annotations

import pytest
import torch
from torch import nn

from msdnet.config import Stage
from msdnet.errors import OptionError
from msdnet.networks import build_network
from msdnet.training.losses import dice_loss
from msdnet.training.module import SegmentationTraining


def _module(network: nn.Module, deep_supervision: float, monkeypatch: pytest.MonkeyPatch) -> SegmentationTraining:
    stage = Stage(steps=10, num_labelled=2, num_weak=1, deep_supervision=deep_supervision)
    module = SegmentationTraining(network, stage, torch.ones(3), 2.0, num_steps=10)
    monkeypatch.setattr(module, "log_dict", lambda *_, **__: None)  # there is no trainer
    return module


def _batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lesions = torch.zeros(2, 2, 64, 64)
    lesions[:, 0, :32], lesions[:, 1, 40:] = 1, 1
    return {
        "images": torch.randn(3, 1, 64, 64, generator=generator),
        "targets": lesions,
        "weak": torch.ones(1, 1, 64, 64),
    }


def test_deep_supervision_adds_its_weight_times_the_coarser_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for weight in (0.0, 0.5, 1.0):
        torch.manual_seed(0)
        network = build_network("msdnet", encoder="resnet18", num_classes=3)
        losses.append(float(_module(network, weight, monkeypatch).training_step(_batch(), 0).detach()))
    assert losses[1] > losses[0] * 1.1
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-3)


def test_every_coarser_head_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(build_network("msdnet", encoder="resnet18", num_classes=3), 0.3, monkeypatch)
    assert module.deep_heads is not None
    assert [head.in_channels for head in module.deep_heads] == [256, 128, 64]
    module.training_step(_batch(), 0).backward()
    trained = {id(p) for group in module.configure_optimizers()["optimizer"].param_groups for p in group["params"]}
    for head in module.deep_heads:
        assert id(head.weight) in trained
        assert head.weight.grad is not None
        assert head.weight.grad.abs().sum() > 0


def test_deep_supervision_is_refused_where_the_decoder_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="deep supervision"):
        _module(nn.Conv2d(1, 3, 1), 0.3, monkeypatch)


def test_a_large_gradient_is_cut_to_its_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(nn.Conv2d(1, 3, 1), 0.0, monkeypatch)
    for parameter in module.network.parameters():
        parameter.grad = torch.full_like(parameter, 100.0)
    module.on_before_optimizer_step(module.configure_optimizers()["optimizer"])
    norm = torch.cat([p.grad.flatten() for p in module.network.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("per_slice", [False, True])
def test_dice_is_that_of_slices_where_the_stage_says_so(per_slice: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    batch, logged = _batch(), {}
    batch["targets"][1] = 0
    batch["targets"][1, 0, :2, :2] = 1
    stage = Stage(steps=10, num_labelled=2, num_weak=1, dice_weight=0.5, dice_per_slice=per_slice)
    torch.manual_seed(0)
    network = build_network("msdnet", encoder="resnet18", num_classes=3)
    module = SegmentationTraining(network, stage, torch.ones(3), 2.0, num_steps=10)
    monkeypatch.setattr(module, "log_dict", lambda values, **_: logged.update(values))
    module.training_step(batch, 0)
    probabilities = network(batch["images"]).softmax(dim=1)[:2, 1:].detach()
    expected = 0.5 * dice_loss(probabilities, batch["targets"], per_slice=per_slice)
    assert float(logged["dice"].detach()) == pytest.approx(float(expected), rel=1e-5)
    other = dice_loss(probabilities, batch["targets"], per_slice=not per_slice)
    assert abs(float(other) - 2 * float(expected)) > 0.01
