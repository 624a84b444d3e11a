"""OpenVINO as the engine, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from msdnet.prediction.engines import Engine
from msdnet.prediction.engines.packages import import_openvino

KEPT = 3
"""Compiled models that are kept: a study has slices of one size, and looks at some of them larger and smaller."""


def openvino_engine(form: bytes, precision: str, *, has_bf16: bool) -> Engine:
    """An ONNX model compiled for this CPU, with as many threads as torch has.

    It is compiled for the size of the images at hand, and for each of the last few sizes kept: models with free sizes
    gave wrong logits on their first images of a size (OpenVINO 2026.4.1). A batch that is larger than any before of its
    size has it compiled anew; a smaller one is filled up.

    Args:
        form: The model; quantised for "int8".
        precision: "f32", "bf16" or "int8".
        has_bf16: Whether what int8 leaves out can be computed in bf16; else it is in float32.

    Raises:
        MissingExtraError: if OpenVINO cannot be imported.
    """
    core = import_openvino().Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" or (precision == "int8" and has_bf16) else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled: dict[tuple[int, ...], tuple[int, Any]] = {}  # size -> batch and request, the last used last

    def compile_for(batch: int, size: tuple[int, ...]) -> tuple[int, Any]:
        while len(compiled) >= KEPT:
            del compiled[next(iter(compiled))]
        model = core.read_model(form)
        model.reshape([batch, *size])
        return batch, core.compile_model(model, "CPU", settings).create_infer_request()

    def compute(images: Tensor) -> Tensor:
        batch, size = len(images), tuple(images.shape[1:])
        room, request = compiled.pop(size, (0, None))
        if batch > room:
            room, request = compile_for(batch, size)
        compiled[size] = room, request
        filled = np.zeros((room, *size), dtype=np.float32)
        filled[:batch] = images.numpy()
        logits = request.infer([filled])[0]
        return torch.from_numpy(logits[:batch].copy())  # the next call writes where these lie

    return compute
