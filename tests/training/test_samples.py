from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from msdnet.config import Experiment, Preprocessing, Stage
from msdnet.data.training_slice import TrainingSlice
from msdnet.networks import build_network
from msdnet.training import samples
from msdnet.training.samples import SampleDrawing

Draw = Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]


@pytest.mark.parametrize(
    ("checkpoints", "drawn"), [(1, [1]), (4, [1, 2, 3, 4]), (9, [2, 4, 6, 8, 9]), (12, [3, 5, 8, 10, 12])]
)
def test_a_stage_has_at_most_five_pictures_and_one_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw, checkpoints: int, drawn: list[int]
) -> None:
    names: list[str] = []
    monkeypatch.setattr(samples, "draw_side_by_side", lambda *arguments: names.append(arguments[-1]))
    experiment = Experiment(name="x", training=Stage(steps=1), preprocessing=Preprocessing(size=32))
    drawing = SampleDrawing(draw_slices(1)[0], experiment, tmp_path)
    network = build_network("unet", num_classes=3, width=2)
    training: Any = SimpleNamespace(average=SimpleNamespace(module=network), device="cpu")
    for done in range(checkpoints):
        at = {"current_epoch": done, "max_epochs": checkpoints, "global_step": done + 1}
        trainer: Any = SimpleNamespace(is_global_zero=True, **at)
        drawing.on_train_epoch_end(trainer, training)
    assert names == [f"step-{done:06d}" for done in drawn]
