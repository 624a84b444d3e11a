"""Which engine computes in which precision: the rule, and what goes together. Imports nothing heavy.

The rule of "auto", from the figures of docs/benchmarks.md:

    GPU                                 torch
    CPU with matrix units (AMX)         OpenVINO where it is installed, else torch
    any other CPU, network of 30
    million parameters or more          the same
    any other CPU, smaller network      torch: what OpenVINO gains on a study is lost while it starts

in bf16 where the processor has it, else in f32. A network that ONNX cannot express goes to torch. int8 is never chosen
by itself: its labels differ the most from those of f32.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from msdnet.errors import MissingExtraError, OptionError

ENGINES: dict[str, tuple[str, ...]] = {
    "torch": ("f32", "bf16"),
    "openvino": ("f32", "bf16", "int8"),
    "onnxruntime": ("f32", "int8"),
}
"""Engine -> the precisions it can compute in."""

PRECISIONS = ("f32", "bf16", "int8")

LARGE = 30_000_000
"""From so many parameters on OpenVINO pays on any CPU."""

_PACKAGES = {"torch": (), "openvino": ("openvino", "onnx"), "onnxruntime": ("onnxruntime", "onnx")}
_FOR_INT8 = ("onnxruntime",)


@dataclass(frozen=True)
class EngineChoice:
    """What computes: a name of `ENGINES` and one of its precisions."""

    engine: str
    precision: str


PLAIN = EngineChoice("torch", "f32")
"""What every machine can compute, with the same labels everywhere."""


@dataclass(frozen=True)
class Processor:
    """What there is to compute with.

    Attributes:
        is_gpu: A GPU, which torch alone knows here.
        has_bf16: Instructions for bfloat16.
        has_matrix_units: Units that multiply whole tiles of bfloat16 (AMX).
    """

    is_gpu: bool = False
    has_bf16: bool = False
    has_matrix_units: bool = False


def choose_engine(engine: str, precision: str, processor: Processor, num_parameters: int = 0) -> EngineChoice:
    """The engine and precision meant by these names; see the module's head for "auto".

    Args:
        engine: One of `ENGINES`, or "auto".
        precision: One of `PRECISIONS`, or "auto".
        processor: What there is to compute with.
        num_parameters: Of the network.

    Raises:
        OptionError: if they don't go together, or the processor lacks what they need.
        MissingExtraError: if the engine is not installed.
    """
    check_engine(engine, precision)
    if precision == "auto":
        precision = "bf16" if processor.has_bf16 and engine != "onnxruntime" else "f32"
    if engine == "auto":
        pays = not processor.is_gpu and (processor.has_matrix_units or num_parameters >= LARGE)
        engine = "openvino" if precision == "int8" or (pays and _is_installed("openvino")) else "torch"
    if processor.is_gpu and engine != "torch":
        raise OptionError(
            f"{engine} computes on the CPU alone here",
            got=("--precision int8" if precision == "int8" else f"--engine {engine}") + " and a CUDA device",
            expected="--engine torch, in f32 or bf16, on a GPU",
            do="add --device cpu" if precision == "int8" else "add --device cpu, or leave --engine out",
        )
    check_engine(engine, precision)
    if precision == "bf16" and not processor.has_bf16:
        raise OptionError(
            f"this {'GPU' if processor.is_gpu else 'processor'} has no bfloat16 instructions, and would be many times "
            "slower with bf16",
            got="--precision bf16",
            expected="f32, or "
            + (
                "a GPU of compute capability 8.0 or more"
                if processor.is_gpu
                else "a processor with AVX-512 BF16 or AMX"
            ),
            do="leave --precision out",
        )
    return EngineChoice(engine, precision)


def check_engine(engine: str, precision: str) -> None:
    """Refuses names that cannot be used, and engines that are not installed; as far as that is told without torch.

    Raises:
        OptionError: if there is no such engine or precision, or they don't go together.
        MissingExtraError: if the engine is not installed.
    """
    if engine not in ("auto", *ENGINES):
        raise OptionError(
            "unknown engine", got=engine, expected=", ".join(("auto", *ENGINES)), do="choose one of these"
        )
    if precision not in ("auto", *PRECISIONS):
        names = ", ".join(("auto", *PRECISIONS))
        raise OptionError("unknown precision", got=precision, expected=names, do="choose one of these")
    if engine != "auto" and precision != "auto" and precision not in ENGINES[engine]:
        raise OptionError(
            f"{engine} does not compute in {precision}",
            got=f"--engine {engine} --precision {precision}",
            expected="; ".join(f"{name}: {' or '.join(known)}" for name, known in ENGINES.items()),
            do="change one of the two",
        )
    needed = _PACKAGES.get("openvino" if engine == "auto" and precision == "int8" else engine, ())
    missing = [name for name in (*needed, *(_FOR_INT8 if precision == "int8" else ())) if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{' and '.join(dict.fromkeys(missing))} {'is' if len(missing) == 1 else 'are'} not installed",
            got=f"--engine {engine} --precision {precision}",
            expected="the extra 'engines'",
            do="pip install 'msdnet[engines]'",
        )


def _is_installed(engine: str) -> bool:
    return all(find_spec(name) is not None for name in _PACKAGES[engine])
