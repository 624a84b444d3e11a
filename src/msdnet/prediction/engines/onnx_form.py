"""A network as ONNX: what OpenVINO and ONNX Runtime read, and what other programs can be given."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch import nn

from msdnet.errors import OptionError

OPSET = 17
IMAGES, LOGITS = "images", "logits"


def to_onnx(network: nn.Module, size: int) -> bytes:
    """The network as an ONNX model whose batch, height and width are free.

    Reading: torch's exporter by tracing, though its newer one exists: it takes a tenth of the time, at every start,
    and needs no further package.

    Args:
        network: In evaluation mode, on the CPU.
        size: Rows and columns of the example it is traced with.

    Raises:
        OptionError: if ONNX lacks one of its operations.
    """
    for module in network.modules():
        if _has_no_form(module):  # told before the exporter, which prints the whole graph of what it cannot express
            raise _refusal(network, str(module))
    axes = {0: "batch", 2: "height", 3: "width"}
    example = torch.zeros(2, 1, size, size)  # two: with a batch of one, the batch would be fixed
    form = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's, of checks whose outcome it keeps, and the exporter's of its age
        export: Any = torch.onnx.export
        try:
            export(
                network.to(memory_format=torch.contiguous_format),
                (example,),
                form,
                dynamo=False,
                input_names=[IMAGES],
                output_names=[LOGITS],
                dynamic_axes={IMAGES: axes, LOGITS: axes},
                opset_version=OPSET,
            )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError) as error:  # the tracer's own, too
            raise _refusal(network, str(error).splitlines()[0][:200]) from error
    return form.getvalue()


def _has_no_form(module: nn.Module) -> bool:
    """Unpooling, and pooling into a grid whose cells vary with the size of the image."""
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return module.output_size not in (1, (1, 1))
    return isinstance(module, nn.MaxUnpool2d)


def _refusal(network: nn.Module, got: str) -> OptionError:
    return OptionError(
        f"{type(network).__name__} has no ONNX form",
        got=got,
        expected="a network of operations that ONNX has",
        do="segment with --engine torch; for other programs: msdnet export --bundle",
    )
