"""The engines' packages, imported so that none of them tells its maker: nothing leaves this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msdnet.errors import MissingExtraError

_TELEMETRY_OF_OPENVINO = "openvino_telemetry"
_TELEMETRY_OF_ONNXRUNTIME = "ORT_DISABLE_TELEMETRY"


def import_openvino() -> Any:
    """OpenVINO without the package that would tell of every import and conversion.

    Raises:
        MissingExtraError: if it cannot be imported.
    """
    modules: dict[str, Any] = sys.modules
    before = modules.get(_TELEMETRY_OF_OPENVINO)
    modules[_TELEMETRY_OF_OPENVINO] = None  # as if it were not installed
    try:
        with _named("openvino"):
            import openvino
    finally:
        del modules[_TELEMETRY_OF_OPENVINO]
        if before is not None:
            modules[_TELEMETRY_OF_OPENVINO] = before
    return openvino


def import_onnxruntime() -> Any:
    """ONNX Runtime with its telemetry off: its Linux, macOS and Windows builds have one, and number the machine.

    Source: Privacy.md of the package, "Disabling Telemetry"; the variable is read when the library is loaded.

    Raises:
        MissingExtraError: if it cannot be imported.
    """
    os.environ[_TELEMETRY_OF_ONNXRUNTIME] = "1"
    with _named("onnxruntime"):
        import onnxruntime
    return onnxruntime


def import_onnx() -> Any:
    """ONNX, which has no telemetry.

    Raises:
        MissingExtraError: if it cannot be imported.
    """
    with _named("onnx"):
        import onnx
    return onnx


@contextmanager
def _named(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"{package} cannot be imported",
            got=str(error),
            expected="the extra 'engines', as it was released",
            do="pip install --force-reinstall 'msdnet[engines]', or use --engine torch",
        ) from error
