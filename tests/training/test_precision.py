from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from msdnet.config import Experiment, Preprocessing, Stage
from msdnet.data.training_slice import TrainingSlice
from msdnet.prediction.engines.choice import Processor
from msdnet.training import precision as module
from msdnet.training.precision import usable_precision
from msdnet.training.stage import run_stage

Draw = Callable[[int], tuple[list[TrainingSlice], list[TrainingSlice]]]


@pytest.mark.parametrize("has_bf16", [True, False])
@pytest.mark.parametrize("asked", ["bf16-mixed", "32-true"])
def test_bfloat16_is_left_to_processors_that_have_it(
    asked: str, has_bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_processor", lambda device: Processor(has_bf16=has_bf16))
    assert usable_precision(asked, "cpu") == (asked if has_bf16 else "32-true")


@pytest.mark.parametrize(("has_bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_training_computes_in_what_the_processor_has(
    has_bf16: bool, dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_slices: Draw
) -> None:
    monkeypatch.setattr(module, "read_processor", lambda device: Processor(has_bf16=has_bf16))
    convolution, seen = nn.Conv2d(1, 3, 3, padding=1), set()
    convolution.register_forward_hook(lambda _, __, output: seen.add(output.dtype))
    experiment = Experiment(name="tiny", training=Stage(steps=1), preprocessing=Preprocessing(size=32))
    network, slices = nn.Sequential(convolution), draw_slices(2)[0]
    run_stage(network, Stage(steps=1, size=32), experiment, slices, tmp_path, seed=0, device="cpu")
    assert seen == {dtype}
