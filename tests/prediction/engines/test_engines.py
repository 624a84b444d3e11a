"""Every engine gives the logits of the network, whatever the size of the images and the order in which they come."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.data.phantom import make_phantom
from msdnet.errors import MissingExtraError, OptionError
from msdnet.networks import NETWORKS, build_network
from msdnet.networks.folding import fold
from msdnet.prediction.engines import ENGINES, build_engine
from msdnet.prediction.engines import choice as choice_module
from msdnet.prediction.engines.choice import Processor
from msdnet.prediction.engines.processor import read_processor
from msdnet.prediction.field_of_view import find_field_of_view
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.weights import load_weights

CPU = torch.device("cpu")
SETTINGS = Preprocessing(size=64)
IN_ORDER = ((3, 1, 96, 64), (2, 1, 64, 64), (3, 1, 65, 97), (4, 1, 96, 96), (1, 1, 96, 96), (4, 1, 96, 96))
PACKAGES = {"torch": "torch", "openvino": "openvino", "onnxruntime": "onnxruntime"}
WITH_WIDTH = ("unet", "unetplusplus", "unet_cbam", "attention_unet", "segnet")


def _network(name: str = "msdnet", **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    size = {"width": 16} if name in WITH_WIDTH else {"encoder": "resnet18"}
    return build_network(name, num_classes=3, **size, **arguments).eval()


def _images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def _needs(engine: str) -> None:
    pytest.importorskip(PACKAGES[engine], reason=f"needs {engine}: pip install 'msdnet[engines]'")
    if engine != "torch":
        pytest.importorskip("onnx", reason="needs onnx: pip install 'msdnet[engines]'")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pointwise", ["per_branch", "shared"])
def test_in_float32_every_engine_gives_the_networks_logits(engine: str, pointwise: str) -> None:
    _needs(engine)
    network = _network(pointwise=pointwise)
    compute, choice = build_engine(fold(network), SETTINGS, CPU, engine=engine, precision="f32")
    assert (choice.engine, choice.precision) == (engine, "f32")
    for shape in IN_ORDER:
        images = _images(*shape)
        with torch.inference_mode():
            expected = network(images)
        logits = compute(images)
        assert logits.shape == expected.shape
        assert logits.dtype == torch.float32
        assert (logits - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max())), shape


@pytest.mark.parametrize("engine", ENGINES)
def test_logits_stay_what_they_were_when_more_are_computed(engine: str) -> None:
    _needs(engine)
    compute, _ = build_engine(fold(_network()), SETTINGS, CPU, engine=engine, precision="f32")
    first = compute(_images(2, 1, 64, 64))
    kept = first.clone()
    compute(_images(2, 1, 64, 64) + 3)
    assert torch.equal(first, kept)


def test_openvino_compiles_a_size_once_though_others_come_between(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("openvino")
    from msdnet.prediction.engines import on_openvino

    compiled: list[list[int]] = []
    openvino = on_openvino.import_openvino()

    class Core(openvino.Core):  # type: ignore[misc, name-defined]
        def compile_model(self, model: Any, *settings: Any) -> Any:
            compiled.append(list(model.input().shape))
            return super().compile_model(model, *settings)

    monkeypatch.setattr(openvino, "Core", Core)
    compute, _ = build_engine(fold(_network()), SETTINGS, CPU, engine="openvino", precision="f32")
    sizes = 64, 96, 32
    for _ in range(2):
        for size in sizes:
            compute(_images(2, 1, size, size))
    assert compiled == [[2, 1, size, size] for size in sizes]
    compute(_images(1, 1, 64, 64))  # filled up
    assert len(compiled) == 3
    compute(_images(3, 1, 64, 64))
    compute(_images(2, 1, 128, 128))  # instead of what was used the longest time ago: 96
    compute(_images(2, 1, 32, 32))
    assert compiled[3:] == [[3, 1, 64, 64], [2, 1, 128, 128]]


@pytest.mark.parametrize(
    ("precision", "has_bf16", "rest"), [("int8", True, "bf16"), ("int8", False, "f32"), ("f32", True, "f32")]
)
def test_what_int8_leaves_out_is_in_bf16_where_the_processor_has_it(
    precision: str, has_bf16: bool, rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs("openvino")
    from msdnet.prediction import engines
    from msdnet.prediction.engines import on_openvino

    hints: list[str] = []
    openvino = on_openvino.import_openvino()

    class Core(openvino.Core):  # type: ignore[misc, name-defined]
        def compile_model(self, model: Any, device: str, settings: dict[str, Any]) -> Any:
            hints.append(settings["INFERENCE_PRECISION_HINT"])
            return super().compile_model(model, device, {**settings, "INFERENCE_PRECISION_HINT": "f32"})

    monkeypatch.setattr(openvino, "Core", Core)
    monkeypatch.setattr(engines, "read_processor", lambda _: Processor(has_bf16=has_bf16))
    compute, _ = build_engine(fold(_network()), SETTINGS, CPU, engine="openvino", precision=precision)
    compute(_images(1, 1, 64, 64))
    assert hints == [rest]


WITHOUT_ONNX = ("segnet", "pspnet", "upernet")  # unpooling, and pooling into grids of a size that varies


RIVALS = ("unet", "unetplusplus", "unet_cbam", "attention_unet", "encoder_unet")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in RIVALS else pytest.mark.slow)
        for name in NETWORKS
        if name not in ("msdnet", *WITHOUT_ONNX)  # MSD-Net: above
    ],
)
def test_a_network_has_an_onnx_form_of_any_size(name: str) -> None:
    _needs("onnxruntime")
    network = _network(name)
    compute, _ = build_engine(fold(network), SETTINGS, CPU, engine="onnxruntime", precision="f32")
    for shape in ((2, 1, 64, 64), (3, 1, 96, 128), (1, 1, 64, 96)):
        with torch.inference_mode():
            expected = network(_images(*shape))
        assert (compute(_images(*shape)) - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("name", WITHOUT_ONNX)
def test_a_network_that_onnx_cannot_express_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    _needs("onnxruntime")
    with pytest.raises(OptionError, match="--engine torch"):
        build_engine(fold(_network(name)), SETTINGS, CPU, engine="onnxruntime", precision="f32")
    assert capfd.readouterr().out == ""  # the exporter would print the whole graph


def test_by_itself_such_a_network_goes_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    _needs("openvino")
    monkeypatch.setattr(choice_module, "LARGE", 0)
    images = _images(1, 1, 64, 64)
    for name, expected in (("segnet", "torch"), ("msdnet", "openvino")):
        compute, choice = build_engine(fold(_network(name)), SETTINGS, CPU, precision="f32")
        assert choice.engine == expected
        with torch.inference_mode():
            assert torch.allclose(compute(images), _network(name)(images), atol=1e-4)


@pytest.fixture(scope="module")
def slices() -> list[Tensor]:
    """Six slices of the phantom, in grey."""
    phantom, settings = make_phantom(seed=1, shape=(24, 256, 256)), load_weights(None)[1].preprocessing
    view = find_field_of_view(phantom.voxels_hu, phantom.spacing_mm, settings)
    return [to_grey(phantom.voxels_hu[i][view.box(i)], "HU", settings) for i in view.slices[3:21:3]]


@pytest.fixture(scope="module")
def reference(slices: list[Tensor]) -> np.ndarray:
    """What the default weights make of them in torch in float32."""
    return _labels("torch", "f32", slices)


def _labels(engine: str, precision: str, slices: list[Tensor]) -> np.ndarray:
    network, card = load_weights(None)
    compute, _ = build_engine(fold(network), card.preprocessing, CPU, engine=engine, precision=precision)
    found = predict_probabilities(compute, slices, card.preprocessing)
    return np.concatenate([one.argmax(0).numpy().ravel() for one in found])


@pytest.mark.parametrize(
    ("engine", "precision", "agreement"),
    [
        ("openvino", "f32", 0.9999),
        ("onnxruntime", "f32", 0.9999),
        ("torch", "bf16", 0.98),
        ("openvino", "bf16", 0.98),
        ("openvino", "int8", 0.95),
        ("onnxruntime", "int8", 0.95),
    ],
)
def test_the_default_weights_mark_the_same_lesions(
    engine: str, precision: str, agreement: float, slices: list[Tensor], reference: np.ndarray
) -> None:
    _needs(engine)
    if precision == "bf16" and not read_processor(CPU).has_bf16:
        pytest.skip("needs a processor with bfloat16 instructions")
    labels = _labels(engine, precision, slices)
    either = (labels > 0) | (reference > 0)
    assert either.sum() > 5_000
    assert (labels == reference)[either].mean() >= agreement


def test_openvino_tells_nobody_that_it_is_used() -> None:
    _needs("openvino")
    code = """
import sys
from msdnet.prediction.engines.packages import import_openvino
import_openvino()
from openvino.tools import ovc
assert "openvino_telemetry" not in sys.modules, "its telemetry was loaded"
print(type(ovc.telemetry).__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


def test_onnxruntime_leaves_no_number_of_this_machine(tmp_path: Path) -> None:
    """Its telemetry begins with a file that holds one: where that is missing, nothing can be sent either."""
    _needs("onnxruntime")
    code = """
import torch
from msdnet.config import Preprocessing
from msdnet.networks import build_network
from msdnet.networks.folding import fold
from msdnet.prediction.engines import build_engine
network = fold(build_network("msdnet", encoder="resnet18", num_classes=3).eval())
for precision in ("f32", "int8"):
    compute, _ = build_engine(
        network, Preprocessing(size=64), torch.device("cpu"), engine="onnxruntime", precision=precision
    )
    compute(torch.zeros(1, 1, 64, 64))
"""
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY" and not k.startswith("XDG_")}
    environment["HOME"] = str(tmp_path)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name or path.name == "deviceid"]


@pytest.mark.parametrize(("engine", "package"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime")])
def test_a_broken_package_is_named_and_left_alone(
    engine: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _needs(engine)
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise ImportError('a library is missing')")
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(choice_module, "LARGE", 0)
    network = fold(_network())
    with pytest.raises(MissingExtraError, match="a library is missing"):
        build_engine(network, SETTINGS, CPU, engine=engine, precision="f32")
    if engine == "openvino":
        assert build_engine(network, SETTINGS, CPU, precision="f32")[1].engine == "torch"


def test_float32_is_whole_on_a_gpu_and_what_was_set_before_is_set_again() -> None:
    from msdnet.prediction.engines.on_torch import whole_float32

    before = torch.backends.cudnn.allow_tf32
    with whole_float32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
    with whole_float32(CPU):
        assert torch.backends.cudnn.allow_tf32 == before
