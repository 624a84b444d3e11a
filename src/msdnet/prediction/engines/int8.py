"""Post-training quantisation: a network's convolutions in 8-bit integers, fitted on slices of the phantom."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.config import Preprocessing
from msdnet.data.phantom import make_phantom
from msdnet.prediction.engines.onnx_form import IMAGES
from msdnet.prediction.engines.packages import import_onnx, import_onnxruntime
from msdnet.prediction.field_of_view import find_field_of_view
from msdnet.slices import fit, normalise, to_grey

Array = np.ndarray[Any, Any]

SHAPE = 20, 256, 256
NUM_SLICES = 16


def quantise(form: bytes, settings: Preprocessing, *, seven_bits: bool = True) -> bytes:
    """The ONNX model with its convolutions in int8: activations per tensor, weights per output channel.

    Depth-wise convolutions stay in float32: they take little of the time, and their kernels are large. The ranges of
    the activations are the least and the greatest value on slices of the phantom, which needs no patient's data.

    Args:
        form: The model in float32.
        settings: Of its input.
        seven_bits: Whether weights have 7 bits: without VNNI instructions, ONNX Runtime's sums of two products with
            8-bit weights overflow 16 bits.
    """
    onnx, _ = import_onnx(), import_onnxruntime()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Slices(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, images: Iterator[Array]) -> None:
            self._images = images

        def get_next(self) -> dict[str, Array] | None:
            image = next(self._images, None)
            return None if image is None else {IMAGES: image}

    model = onnx.load_model_from_string(form)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it recommends a preparation that folding has already done
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_static(
                model,
                path,
                Slices(_phantom_images(settings)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=[node.name for node in model.graph.node if _is_depthwise(node)],
                per_channel=True,
                reduce_range=seven_bits,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
            return path.read_bytes()
    finally:
        logging.disable(level)


def _is_depthwise(node: Any) -> bool:
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)


def _phantom_images(settings: Preprocessing) -> Iterator[Array]:
    """Slices of the phantom as the network sees them, evenly spread over its lungs; (1, 1, size, size) each."""
    phantom = make_phantom(shape=SHAPE)
    view = find_field_of_view(phantom.voxels_hu, phantom.spacing_mm, settings)
    for place in np.linspace(0, len(view.slices) - 1, NUM_SLICES):
        index = view.slices[round(place)]
        grey = to_grey(phantom.voxels_hu[index][view.box(index)], "HU", settings)
        image, _ = fit(grey[None, None], settings.size)
        yield normalise(image, settings).numpy()
