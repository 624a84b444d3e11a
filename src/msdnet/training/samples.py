"""Pictures of what a network predicts while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L

from msdnet.config import Experiment
from msdnet.data.training_slice import TrainingSlice
from msdnet.evaluation.pictures.side_by_side import draw_side_by_side
from msdnet.labels import get_schema
from msdnet.prediction.slicewise import most_probable, predict_probabilities
from msdnet.slices import to_grey

NUM_SLICES, NUM_PICTURES = 3, 5


class SampleDrawing(L.Callback):
    """Draws a few slices beside their truth and prediction, at most `NUM_PICTURES` times in a stage.

    Args:
        slices: To choose from: those with the most lesion are drawn.
        experiment: Preprocessing and schema.
        folder: Receives step-N.png and step-N.svg. Pictures of patients: they belong to nobody else.
    """

    def __init__(self, slices: Sequence[TrainingSlice], experiment: Experiment, folder: Path) -> None:
        labelled = [s for s in slices if s.labels is not None]
        self.slices = sorted(labelled, key=_num_lesion_pixels, reverse=True)[:NUM_SLICES]
        self.experiment, self.folder = experiment, folder

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """After a checkpoint: `epoch` is the trainer's word for what lies between two."""
        before, planned = trainer.current_epoch, trainer.max_epochs or 1
        is_due = (before + 1) * NUM_PICTURES // planned > before * NUM_PICTURES // planned
        if not trainer.is_global_zero or not self.slices or not is_due:
            return
        training: Any = pl_module  # a SegmentationTraining
        network = training.average.module.eval()
        labels = {}
        for s in self.slices:
            grey = to_grey(s.image, "grey", self.experiment.preprocessing).to(pl_module.device)
            [probabilities] = predict_probabilities(network, [grey], self.experiment.preprocessing)
            labels[s.name] = most_probable(probabilities).cpu().numpy()
        schema = get_schema(self.experiment.schema)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"step-{trainer.global_step:06d}"
        draw_side_by_side(self.slices, {self.experiment.name: labels}, schema, self.folder, name)


def _num_lesion_pixels(s: TrainingSlice) -> int:
    return 0 if s.labels is None else int((s.labels > 0).sum())
