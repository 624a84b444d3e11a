"""The Lightning module: one optimiser step, the learning rate's schedule and the moving average of the weights."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from msdnet.config import Stage
from msdnet.errors import OptionError
from msdnet.training.losses import dice_loss, focal_loss, weak_loss

WARM_UP_SHARE, FINAL_SHARE, STEP_FACTOR = 0.05, 0.01, 0.1


class SegmentationTraining(L.LightningModule):
    """Trains a network on batches of `msdnet.data.batches.StepBatches`; `average` holds the resulting weights.

    Args:
        network: Images (B, 1, H, W) -> logits (B, C, H, W).
        stage: Optimiser, schedule and loss weights.
        class_weights: (C,), for the focal loss.
        focal_gamma: Focusing parameter of the focal loss.
        num_steps: Optimiser steps of the whole stage.
        steps_per_epoch: Of them in one pass over the data.
        seed: What the network itself draws (dropout) in a step follows from it and the step alone.
    """

    class_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        stage: Stage,
        class_weights: Tensor,
        focal_gamma: float,
        *,
        num_steps: int,
        steps_per_epoch: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)  # deep supervision takes MSDNet's own methods
        self.average = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(stage.ema_decay), use_buffers=True)
        self.average.requires_grad_(False)  # it learns from no gradient, and processes that share one must know
        self.stage, self.focal_gamma, self.seed = stage, focal_gamma, seed
        self.num_steps, self.steps_per_epoch = num_steps, steps_per_epoch
        self.logged: tuple[str, ...] = ()
        self.register_buffer("class_weights", class_weights)
        self.deep_heads = _deep_heads(network, len(class_weights)) if stage.deep_supervision else None

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_index: int) -> None:
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 1_009 + self.global_rank)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        images = batch["images"].contiguous(memory_format=torch.channels_last)
        if self.deep_heads is None:
            parts = self._losses(self.network(images), batch)
        else:
            *coarser, last = self.network.decode(images)
            parts = self._losses(self.network.classify(last), batch)
            coarse = [self._losses(head(f), batch) for head, f in zip(self.deep_heads, coarser, strict=True)]
            parts["deep"] = self.stage.deep_supervision * torch.stack([v for p in coarse for v in p.values()]).sum()
        loss = torch.stack(list(parts.values())).sum()
        losses = {**parts, "loss": loss}
        self.log_dict(losses, on_step=False, on_epoch=True, logger=False, batch_size=len(images), sync_dist=True)
        self.logged = tuple(losses)
        return loss

    def on_train_epoch_end(self) -> None:
        """Writes the losses before the trainer writes its checkpoint: a kill in between takes none from the curve."""
        losses = {name: float(self.trainer.callback_metrics[name]) for name in self.logged}
        for logger in self.loggers:
            logger.log_metrics({**losses, "epoch": self.current_epoch}, step=self.global_step - 1)
            logger.save()

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        images = batch["images"].contiguous(memory_format=torch.channels_last)
        loss = torch.stack(list(self._losses(self.average(images), batch).values())).sum()
        self.log("validation_loss", loss, on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if self.stage.largest_gradient is not None:  # not by the trainer, which refuses it for a fused optimiser
            nn.utils.clip_grad_norm_(self.network.parameters(), self.stage.largest_gradient)

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.network)

    def configure_optimizers(self) -> Any:
        parameters = [*self.network.parameters(), *(self.deep_heads.parameters() if self.deep_heads else ())]
        optimizer: torch.optim.Optimizer
        if self.stage.optimizer == "adam":
            optimizer = torch.optim.Adam(parameters, lr=self.stage.learning_rate, fused=True)
        else:
            decay = self.stage.weight_decay
            optimizer = torch.optim.AdamW(parameters, lr=self.stage.learning_rate, weight_decay=decay, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.share_of_learning_rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def share_of_learning_rate(self, step: int) -> float:
        """The learning rate at a step as a share of the largest one."""
        if self.stage.schedule == "constant":
            return 1.0
        if self.stage.schedule == "step":
            return float(STEP_FACTOR ** (step // self.steps_per_epoch // self.stage.decay_epochs))
        warm_up = max(1, round(WARM_UP_SHARE * self.num_steps))
        if step < warm_up:
            return (step + 1) / warm_up
        progress = min(1.0, (step - warm_up) / max(1, self.num_steps - warm_up))
        return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))

    def _losses(self, logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted losses of logits of any resolution; the targets are averaged down to it."""
        logits = logits.float()
        size = (logits.shape[-2], logits.shape[-1])
        num_labelled = len(batch["targets"]) if "targets" in batch else 0
        parts: dict[str, Tensor] = {}
        if num_labelled:
            lesions = F.adaptive_avg_pool2d(batch["targets"], size)
            background = (1 - lesions.sum(dim=1, keepdim=True)).clamp(min=0)
            targets = torch.cat([background, lesions], dim=1)
            supervised = logits[:num_labelled]
            parts["focal"] = focal_loss(supervised, targets, self.class_weights, self.focal_gamma)
            if self.stage.dice_weight:
                lesion_probabilities = supervised.softmax(dim=1)[:, 1:]
                dice = dice_loss(lesion_probabilities, lesions, per_slice=self.stage.dice_per_slice)
                parts["dice"] = self.stage.dice_weight * dice
        if "weak" in batch:
            weak = F.adaptive_avg_pool2d(batch["weak"], size)
            parts["weak"] = self.stage.weak_weight * weak_loss(logits[num_labelled:], weak)
        return parts


def _deep_heads(network: nn.Module, num_classes: int) -> nn.ModuleList:
    """One head for each output of the decoder but the last.

    Raises:
        OptionError: if the network does not show its decoder's outputs.
    """
    channels = getattr(network, "decoder_channels", None)
    if channels is None:
        raise OptionError(
            "deep supervision needs a network that shows its decoder's outputs",
            got=type(network).__name__,
            expected="MSDNet",
            do="set deep_supervision to 0",
        )
    return nn.ModuleList(nn.Conv2d(c, num_classes, kernel_size=1) for c in channels[:-1])
