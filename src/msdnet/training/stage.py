"""Run one training stage to its end, from its newest checkpoint if there is one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader

from msdnet.config import Experiment, Stage
from msdnet.data.batches import Batch, FittedSlices, StepBatches, ValidationBatches
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import MissingExtraError, OptionError
from msdnet.files import alone_in, whole_file
from msdnet.labels import get_schema
from msdnet.training.losses import class_weights_for
from msdnet.training.memory import keep_freed_memory
from msdnet.training.module import SegmentationTraining
from msdnet.training.precision import usable_precision
from msdnet.training.processes import Processes, check_shares, find_processes
from msdnet.training.stage_record import write_stage_record

STEPS_PER_CHECKPOINT = 50  # at least; a whole number of epochs where the stage is given in epochs


def run_stage(
    network: nn.Module,
    stage: Stage,
    experiment: Experiment,
    slices: Sequence[TrainingSlice],
    folder: Path,
    *,
    seed: int,
    device: str = "auto",
    validation: Sequence[TrainingSlice] = (),
    callbacks: Sequence[L.Callback] = (),
) -> nn.Module:
    """The network with the weights that the stage yields, which are also in folder/weights.safetensors.

    A finished stage is loaded; an interrupted one goes on from its newest checkpoint, with the batches, the learning
    rate and the averages it would have had. One that another process is running is waited for, and then loaded.
    Started by `torchrun`, the processes share each batch.

    Args:
        network: Starting point; changed in place.
        stage: What to run.
        experiment: Preprocessing, augmentation and losses.
        slices: Labelled slices, weakly labelled slices, or both; each in the role that the stage has for it.
        folder: Receives checkpoints, the loss curve (log/version_*/metrics.csv, one for each start), TensorBoard's
            files, the weights, and run.json, which says how they were made (`stage_record`).
        seed: Seeds every batch.
        device: "auto", "cpu" or "cuda".
        validation: Labelled slices whose loss is logged at each checkpoint; without them nothing stops early.
        callbacks: Further ones for the trainer.

    Raises:
        OptionError: if several processes cannot share a batch evenly, or MLflow's address cannot be used.
    """
    processes = find_processes()
    check_shares(stage, processes)
    result = folder / "weights.safetensors"
    with alone_in(folder) if processes.writes else contextlib.nullcontext():
        if not result.is_file():
            batches = _Batches(stage, experiment, slices, validation, seed, processes)
            weights_of_classes = class_weights_for(slices, experiment)
            module = SegmentationTraining(
                network,
                stage,
                weights_of_classes,
                experiment.focal_gamma,
                num_steps=batches.num_steps,
                steps_per_epoch=batches.steps_per_epoch,
                seed=seed,
            )
            start = {n: v.clone() for n, v in network.state_dict().items()} if stage.start_share else {}
            precision = usable_precision(experiment.precision, device)
            timer = Timer()  # its time is in the checkpoints
            trainer = _trainer(batches, precision, folder, device, processes, [timer, *callbacks])
            if trainer.strategy.root_device.type == "cpu":
                keep_freed_memory()
            _fit(trainer, module, batches, folder / "newest.ckpt")
            if processes.writes:
                best = folder / "best.ckpt"
                weights = _averaged(best) if best.is_file() else module.average.module.state_dict()
                with whole_file(result) as unfinished:
                    save_file(_contiguous(_mixed(weights, start, stage.start_share) if start else weights), unfinished)
                    write_stage_record(
                        folder,
                        unfinished,
                        weights_of_classes,
                        get_schema(experiment.schema),
                        num_labelled=len(batches.labelled or ()),
                        num_weak=len(batches.weak or ()),
                        device=trainer.strategy.root_device,
                        precision=precision,
                        processes=processes,
                        seconds=timer.time_elapsed(),
                    )
            trainer.strategy.barrier()
    network.load_state_dict(load_file(result))
    return network.eval()


def _fit(trainer: L.Trainer, module: SegmentationTraining, batches: _Batches, newest: Path) -> None:
    with warnings.catch_warnings():
        for harmless in (".*does not have many workers.*", "Checkpoint directory .* exists and is not empty"):
            warnings.filterwarnings("ignore", message=harmless)
        try:
            trainer.fit(module, datamodule=batches, ckpt_path=newest if newest.is_file() else None)
        except SystemExit as stopped:  # what the trainer makes of Ctrl-C
            raise KeyboardInterrupt from stopped


class _Batches(L.LightningDataModule):
    """Hands the trainer the batches between two checkpoints, so that a resumed run starts at the right one."""

    def __init__(
        self,
        stage: Stage,
        experiment: Experiment,
        slices: Sequence[TrainingSlice],
        validation: Sequence[TrainingSlice],
        seed: int,
        processes: Processes,
    ) -> None:
        super().__init__()
        num_classes = len(get_schema(experiment.schema).classes)
        size = experiment.preprocessing.size
        labelled = [s for s in slices if s.labels is not None]
        weak = [s for s in slices if s.labels is None and s.weak is not None]
        self.labelled = FittedSlices(labelled, size, num_classes) if stage.num_labelled else None
        split = (stage.weak_classes or experiment.weak_classes) == "density"
        self.weak = FittedSlices(weak, size, num_classes, split_weak=split) if stage.num_weak else None
        self.validation = FittedSlices(validation, size, num_classes) if validation else None
        self.stage, self.experiment, self.seed, self.processes = stage, experiment, seed, processes
        self.num_steps = stage.num_steps(len(labelled), len(weak))
        self.steps_per_epoch = stage.steps_per_epoch(len(labelled), len(weak))
        unit = self.steps_per_epoch if stage.epochs else 1
        self.steps_per_checkpoint = unit * -(-STEPS_PER_CHECKPOINT // unit)

    def train_dataloader(self) -> DataLoader[Batch]:
        first = (self.trainer.current_epoch if self.trainer else 0) * self.steps_per_checkpoint
        last = min(first + self.steps_per_checkpoint, self.num_steps)
        augmentation = self.experiment.augmentation
        if self.stage.heavy_noise is not None:
            augmentation = dataclasses.replace(augmentation, heavy_noise=self.stage.heavy_noise)
        settings = augmentation, self.experiment.preprocessing
        share = self.processes.rank, self.processes.world_size
        batches = StepBatches(self.labelled, self.weak, self.stage, *settings, self.seed, first, last, *share)
        return DataLoader(batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        if self.validation is None:
            return []
        return DataLoader(ValidationBatches(self.validation, self.experiment.preprocessing), batch_size=None)


class _WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there: a kill in the middle leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with whole_file(Path(path)) as unfinished:
            torch.save(checkpoint, unfinished)


def _trainer(
    batches: _Batches,
    precision: str,
    folder: Path,
    device: str,
    processes: Processes,
    callbacks: Sequence[L.Callback],
) -> L.Trainer:
    folder.mkdir(parents=True, exist_ok=True)
    several = processes.world_size > 1
    stage = batches.stage
    watching: list[L.Callback] = [
        ModelCheckpoint(folder, filename="newest", every_n_epochs=1, enable_version_counter=False)
    ]
    if stage.patience is not None and batches.validation is not None:
        checks = -(-stage.patience * batches.steps_per_epoch // batches.steps_per_checkpoint)
        watching.append(EarlyStopping("validation_loss", patience=checks))
        watching.append(
            ModelCheckpoint(
                folder,
                filename="best",
                monitor="validation_loss",
                save_weights_only=True,
                enable_version_counter=False,
            )
        )
    return L.Trainer(
        max_epochs=-(-batches.num_steps // batches.steps_per_checkpoint),
        accelerator={"auto": "auto", "cpu": "cpu", "cuda": "gpu"}[device],
        devices=processes.world_size // processes.num_nodes,
        num_nodes=processes.num_nodes,
        strategy="ddp" if several else "auto",
        use_distributed_sampler=False,
        sync_batchnorm=several and device != "cpu" and torch.cuda.is_available(),
        precision=precision,  # type: ignore[arg-type]  # one of Lightning's literals, checked in the settings
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if batches.validation is not None else 0,
        callbacks=[*watching, *callbacks],
        plugins=[_WholeCheckpoints()],
        logger=_loggers(folder),
        log_every_n_steps=min(batches.steps_per_checkpoint, batches.num_steps),
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _loggers(folder: Path) -> list[Any]:
    """CSV and TensorBoard; MLflow too where the environment names a tracking server.

    Raises:
        MissingExtraError: if it does and MLflow is not installed.
        OptionError: if MLflow cannot use what it names.
    """
    loggers: list[Any] = [CSVLogger(folder, name="log"), TensorBoardLogger(folder, name="tensorboard")]
    if os.environ.get("MLFLOW_TRACKING_URI"):
        from lightning.pytorch.loggers import MLFlowLogger

        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow.exceptions import MlflowException
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "MLFLOW_TRACKING_URI is set, and MLflow is not installed",
                got="no module 'mlflow'",
                expected='the extra "mlflow"',
                do='install it: pip install "msdnet[mlflow]", or unset the variable',
            ) from error
        try:
            loggers.append(MLFlowLogger("msdnet", run_name="/".join(folder.parts[-2:])))
            _ = loggers[-1].experiment  # begins the run there: what is wrong with the address is said before training
        except MlflowException as error:
            raise OptionError(
                "MLflow cannot use what MLFLOW_TRACKING_URI names",
                got=error.message.strip(),
                expected="the address of an MLflow server that answers, http://HOST:PORT",
                do="correct the variable, or unset it to train without MLflow",
            ) from error
    return loggers


def _averaged(checkpoint: Path) -> dict[str, torch.Tensor]:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    before = "average.module."
    return {name.removeprefix(before): value for name, value in state.items() if name.startswith(before)}


def _mixed(
    trained: dict[str, torch.Tensor], start: dict[str, torch.Tensor], start_share: float
) -> dict[str, torch.Tensor]:
    """(1 - start_share) x trained + start_share x start; counters as trained."""
    return {
        name: torch.lerp(value.cpu(), start[name].cpu(), start_share) if value.is_floating_point() else value
        for name, value in trained.items()
    }


def _contiguous(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in weights.items()}
