from __future__ import annotations

import pytest

from msdnet.errors import MissingExtraError, OptionError
from msdnet.prediction.engines import choice
from msdnet.prediction.engines.choice import ENGINES, EngineChoice, Processor, check_engine, choose_engine

PLAIN_CPU = Processor()
BF16_CPU = Processor(has_bf16=True)
AMX_CPU = Processor(has_bf16=True, has_matrix_units=True)
GPU = Processor(is_gpu=True, has_bf16=True)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No optional package is installed."""
    monkeypatch.setattr(choice, "find_spec", lambda name: None)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: object())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("processor", "num_parameters", "expected"),
    [
        (PLAIN_CPU, 15_000_000, EngineChoice("torch", "f32")),
        (BF16_CPU, 15_000_000, EngineChoice("torch", "bf16")),
        (AMX_CPU, 15_000_000, EngineChoice("openvino", "bf16")),
        (PLAIN_CPU, 90_000_000, EngineChoice("openvino", "f32")),
        (BF16_CPU, 90_000_000, EngineChoice("openvino", "bf16")),
        (GPU, 90_000_000, EngineChoice("torch", "bf16")),
        (Processor(is_gpu=True), 15_000_000, EngineChoice("torch", "f32")),
    ],
)
def test_the_rule_picks_by_processor_and_size_of_the_network(
    processor: Processor, num_parameters: int, expected: EngineChoice
) -> None:
    assert choose_engine("auto", "auto", processor, num_parameters) == expected


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("processor", [PLAIN_CPU, BF16_CPU, AMX_CPU, GPU])
def test_without_optional_packages_torch_computes(processor: Processor) -> None:
    assert choose_engine("auto", "auto", processor, 90_000_000).engine == "torch"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("asked", "processor", "expected"),
    [
        (("auto", "f32"), BF16_CPU, ("torch", "f32")),
        (("auto", "int8"), BF16_CPU, ("openvino", "int8")),
        (("openvino", "auto"), BF16_CPU, ("openvino", "bf16")),
        (("openvino", "auto"), PLAIN_CPU, ("openvino", "f32")),
        (("onnxruntime", "auto"), AMX_CPU, ("onnxruntime", "f32")),
        (("torch", "auto"), AMX_CPU, ("torch", "bf16")),
    ],
)
def test_what_is_asked_for_is_kept(asked: tuple[str, str], processor: Processor, expected: tuple[str, str]) -> None:
    assert choose_engine(*asked, processor) == EngineChoice(*expected)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("asked", "processor"),
    [
        (("torch", "bf16"), PLAIN_CPU),
        (("openvino", "bf16"), PLAIN_CPU),
        (("openvino", "auto"), GPU),
        (("auto", "int8"), GPU),
        (("torch", "int8"), BF16_CPU),
        (("onnxruntime", "bf16"), BF16_CPU),
        (("tensorrt", "auto"), PLAIN_CPU),
        (("auto", "f16"), PLAIN_CPU),
    ],
)
def test_what_cannot_be_is_refused(asked: tuple[str, str], processor: Processor) -> None:
    with pytest.raises(OptionError):
        choose_engine(*asked, processor)


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("asked", [("openvino", "auto"), ("onnxruntime", "f32"), ("auto", "int8")])
def test_an_engine_that_is_not_installed_says_what_to_install(asked: tuple[str, str]) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'msdnet\[engines\]'"):
        check_engine(*asked)


def test_every_precision_is_known() -> None:
    assert {p for known in ENGINES.values() for p in known} == set(choice.PRECISIONS)
