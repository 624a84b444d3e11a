"""ONNX Runtime as the engine, on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from msdnet.prediction.engines import Engine
from msdnet.prediction.engines.onnx_form import IMAGES, LOGITS
from msdnet.prediction.engines.packages import import_onnxruntime


def onnxruntime_engine(form: bytes) -> Engine:
    """An ONNX model on this CPU, with as many threads as torch has.

    Args:
        form: The model, in float32 or quantised.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(form, options, providers=["CPUExecutionProvider"])

    def compute(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([LOGITS], {IMAGES: images.contiguous().numpy()})[0])

    return compute
