"""OpenVINO as the engine, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from msdnet.prediction.engines import Engine
from msdnet.prediction.engines.packages import import_openvino


def openvino_engine(form: bytes, precision: str) -> Engine:
    """An ONNX model compiled for this CPU, with as many threads as torch has.

    It is compiled for the size of the images at hand, and anew when that changes or a batch is larger than any before:
    models with free sizes gave wrong logits on their first images of a size (OpenVINO 2026.4.1). A smaller batch is
    filled up.

    Args:
        form: The model; quantised for "int8".
        precision: "f32", "bf16" or "int8"; what int8 leaves out is computed in float32.
    """
    core = import_openvino().Core()
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    prepared: tuple[int, ...] = ()
    request: Any = None

    def compute(images: Tensor) -> Tensor:
        nonlocal prepared, request
        batch, *rest = images.shape
        if rest != list(prepared[1:]) or batch > prepared[0]:
            request = None  # frees the one before
            prepared = (batch, *rest)
            model = core.read_model(form)
            model.reshape(list(prepared))
            request = core.compile_model(model, "CPU", settings).create_infer_request()
        filled = np.zeros(prepared, dtype=np.float32)
        filled[:batch] = images.numpy()
        logits = request.infer([filled])[0]
        return torch.from_numpy(logits[:batch].copy())  # the next call writes where these lie

    return compute
