"""How a training tells how far it is: what is being done, and the share of the whole that is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning as L

Progress = Callable[[str, float], None]
"""Takes what is being done, and the share of the whole that is done, 0 to 1; the share never falls."""


def part_of(progress: Progress | None, start: float, share: float, before: str = "") -> Progress:
    """The progress of a part of the whole, which begins at `start` and is `share` of it; `before` names the part."""

    def tell(doing: str, done: float) -> None:
        if progress is not None:
            progress(f"{before}{doing}", start + share * done)

    return tell


class StepProgress(L.Callback):
    """Tells the share of a stage's steps after each of them.

    Args:
        progress: Who is told.
        doing: The stage's name.
    """

    def __init__(self, progress: Progress, doing: str) -> None:
        self.progress, self.doing = progress, doing

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """After a step."""
        training: Any = pl_module  # a SegmentationTraining
        if trainer.is_global_zero:
            self.progress(self.doing, trainer.global_step / training.num_steps)
