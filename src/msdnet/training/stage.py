"""Run one training stage to its end, from its newest checkpoint if there is one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader

from msdnet.config import Experiment, Stage
from msdnet.data.batches import Batch, FittedSlices, StepBatches
from msdnet.data.covid_semiseg import TrainingSlice
from msdnet.labels import get_schema
from msdnet.training.losses import class_weights
from msdnet.training.module import SegmentationTraining

STEPS_PER_EPOCH = 50  # a checkpoint is written after each


def run_stage(
    network: nn.Module,
    stage: Stage,
    experiment: Experiment,
    slices: Sequence[TrainingSlice],
    folder: Path,
    *,
    seed: int,
    device: str = "auto",
) -> nn.Module:
    """The network with the weights that the stage yields, which are also in folder/weights.safetensors.

    A finished stage is loaded; an interrupted one goes on from its newest checkpoint, with the batches, the learning
    rate and the averages it would have had.

    Args:
        network: Starting point; changed in place.
        stage: What to run.
        experiment: Preprocessing, augmentation and losses.
        slices: Labelled slices, weakly labelled slices, or both; each in the role that the stage has for it.
        folder: Receives checkpoints, the loss curve (log/version_*/metrics.csv, one for each start) and the weights.
        seed: Seeds every batch.
        device: "auto", "cpu" or "cuda".
    """
    result = folder / "weights.safetensors"
    if not result.is_file():
        module = SegmentationTraining(network, stage, _class_weights(slices, experiment), experiment.focal_gamma)
        trainer, checkpoint = _trainer(stage, folder, device)
        batches = _Batches(stage, experiment, slices, seed)
        with warnings.catch_warnings():
            for harmless in (".*does not have many workers.*", "Checkpoint directory .* exists and is not empty"):
                warnings.filterwarnings("ignore", message=harmless)
            try:
                trainer.fit(module, datamodule=batches, ckpt_path=checkpoint)
            except SystemExit as stopped:  # what the trainer makes of Ctrl-C
                raise KeyboardInterrupt from stopped
        save_file(_contiguous(module.average.module), result.with_suffix(".partial"))
        result.with_suffix(".partial").replace(result)
    network.load_state_dict(load_file(result))
    return network.eval()


class _Batches(L.LightningDataModule):
    """Hands the trainer the batches of one epoch at a time, so that a resumed run starts at the right one."""

    def __init__(self, stage: Stage, experiment: Experiment, slices: Sequence[TrainingSlice], seed: int) -> None:
        super().__init__()
        num_classes = len(get_schema(experiment.schema).classes)
        size = stage.size or experiment.preprocessing.size
        labelled = [s for s in slices if s.labels is not None]
        weak = [s for s in slices if s.labels is None]
        self.labelled = FittedSlices(labelled, size, num_classes) if stage.num_labelled else None
        self.weak = FittedSlices(weak, size, num_classes) if stage.num_weak else None
        self.stage, self.experiment, self.seed = stage, experiment, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        epoch = self.trainer.current_epoch if self.trainer else 0
        first = epoch * STEPS_PER_EPOCH
        last = min(first + STEPS_PER_EPOCH, self.stage.steps)
        settings = self.experiment.augmentation, self.experiment.preprocessing
        batches = StepBatches(self.labelled, self.weak, self.stage, *settings, self.seed, first, last)
        return DataLoader(batches, batch_size=None)


def _trainer(stage: Stage, folder: Path, device: str) -> tuple[L.Trainer, Path | None]:
    folder.mkdir(parents=True, exist_ok=True)
    newest = folder / "newest.ckpt"
    trainer = L.Trainer(
        max_epochs=-(-stage.steps // STEPS_PER_EPOCH),
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[device],
        devices=1,
        precision="bf16-mixed",
        reload_dataloaders_every_n_epochs=1,
        callbacks=[ModelCheckpoint(folder, filename="newest", every_n_epochs=1, enable_version_counter=False)],
        logger=CSVLogger(folder, name="log"),
        log_every_n_steps=min(STEPS_PER_EPOCH, stage.steps),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    return trainer, newest if newest.is_file() else None


def _class_weights(slices: Sequence[TrainingSlice], experiment: Experiment) -> torch.Tensor:
    num_classes = get_schema(experiment.schema).num_classes
    counts = torch.zeros(num_classes, dtype=torch.long)
    for s in slices:
        if s.labels is not None:
            counts += torch.bincount(torch.from_numpy(s.labels.ravel().copy()).long(), minlength=num_classes)
    rule = experiment.class_weights if bool(counts.any()) else "none"
    return class_weights(counts, rule)


def _contiguous(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
