"""The Lightning module: one optimiser step, the learning rate's schedule and the moving average of the weights."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from msdnet.config import Stage
from msdnet.training.losses import dice_loss, focal_loss, weak_loss

WARM_UP_SHARE, FINAL_SHARE = 0.05, 0.01


class SegmentationTraining(L.LightningModule):
    """Trains a network on batches of `msdnet.data.batches.StepBatches`; `average` holds the resulting weights.

    Args:
        network: Images (B, 1, H, W) -> logits (B, C, H, W).
        stage: Steps, learning rate and loss weights.
        class_weights: (C,), for the focal loss.
        focal_gamma: Focusing parameter of the focal loss.
    """

    class_weights: Tensor

    def __init__(self, network: nn.Module, stage: Stage, class_weights: Tensor, focal_gamma: float) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(stage.ema_decay), use_buffers=True)
        self.stage, self.focal_gamma = stage, focal_gamma
        self.register_buffer("class_weights", class_weights)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        images = batch["images"].contiguous(memory_format=torch.channels_last)
        logits = self.network(images).float()
        num_labelled = len(batch["targets"]) if "targets" in batch else 0
        parts: dict[str, Tensor] = {}
        if num_labelled:
            lesions = batch["targets"]
            background = (1 - lesions.sum(dim=1, keepdim=True)).clamp(min=0)
            targets = torch.cat([background, lesions], dim=1)
            supervised = logits[:num_labelled]
            parts["focal"] = focal_loss(supervised, targets, self.class_weights, self.focal_gamma)
            parts["dice"] = self.stage.dice_weight * dice_loss(supervised.softmax(dim=1)[:, 1:], lesions)
        if "weak" in batch:
            parts["weak"] = self.stage.weak_weight * weak_loss(logits[num_labelled:], batch["weak"])
        loss = torch.stack(list(parts.values())).sum()
        self.log_dict({**parts, "loss": loss}, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.stage.learning_rate, weight_decay=self.stage.weight_decay
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share_of_learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share_of_learning_rate(self, step: int) -> float:
        warm_up = max(1, round(WARM_UP_SHARE * self.stage.steps))
        if step < warm_up:
            return (step + 1) / warm_up
        progress = min(1.0, (step - warm_up) / max(1, self.stage.steps - warm_up))
        return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))
