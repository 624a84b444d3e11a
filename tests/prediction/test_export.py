"""An exported network gives the logits of the network, and says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from msdnet import cli
from msdnet.networks.folding import fold
from msdnet.prediction.export import CARD_KEY, export_onnx
from msdnet.weights import load_weights

pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'msdnet[engines]'")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "new" / "msdnet.onnx"
    assert cli.main(["export", "-o", str(path), "--quiet"]) == 0
    return path


def test_it_computes_what_the_network_does_at_any_size(exported: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported)
    network, _ = load_weights(None)
    for shape in ((1, 1, 64, 64), (3, 1, 65, 90)):
        images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            expected = fold(network)(images).numpy()
        assert np.abs(session.run(["logits"], {"images": images.numpy()})[0] - expected).max() < 1e-4


def test_it_passes_onnx_own_check_and_holds_its_card(exported: Path) -> None:
    import onnx

    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    [props] = [p.value for p in model.metadata_props if p.key == CARD_KEY]
    card = json.loads(props)
    _, expected = load_weights(None)
    assert (card["name"], card["sha256"]) == (expected.name, expected.sha256)
    assert card["preprocessing"]["size"] == expected.preprocessing.size
    assert "Not a medical device" in model.doc_string


def test_int8_is_smaller_and_says_so(tmp_path: Path, exported: Path) -> None:
    import onnx

    path = tmp_path / "int8.onnx"
    export_onnx(path, precision="int8")
    assert path.stat().st_size < exported.stat().st_size / 2
    assert ("precision", "int8") in [(p.key, p.value) for p in onnx.load(path).metadata_props]


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "-o", str(tmp_path)]) == 2
    assert "msdnet.onnx" in capsys.readouterr().err
