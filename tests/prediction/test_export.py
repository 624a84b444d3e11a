"""An exported network gives the logits of the network, and says what it is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from msdnet import cli
from msdnet.data.phantom import make_phantom, to_scan
from msdnet.networks.folding import fold
from msdnet.prediction import Segmenter
from msdnet.prediction.export import CARD_KEY, export_onnx
from msdnet.slices import normalise, to_grey
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


def test_the_how_to_labels_slices_as_the_network_does(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnxruntime" in block]
    monkeypatch.chdir(exported.parent)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")  # the code sets it, too: put back after the test
    phantom = make_phantom(seed=2, shape=(4, 96, 96))
    found: dict[str, Any] = {"hu": phantom.voxels_hu}
    exec(code, found)
    network, card = load_weights(None)
    grey = to_grey(phantom.voxels_hu[:, None], "HU", card.preprocessing)
    with torch.inference_mode():
        expected = network(normalise(grey, card.preprocessing)).argmax(dim=1).numpy()
    assert found["labels"].any()
    assert (found["labels"] == expected).mean() > 0.9999


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


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.json").write_text("{}")
    assert cli.main(["export", "-o", str(tmp_path / "card.json")]) == 2
    assert "ends in .onnx" in capsys.readouterr().err
    assert (tmp_path / "card.json").read_text() == "{}"


def test_a_bundle_goes_into_no_folder_of_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").touch()
    assert cli.main(["export", "--bundle", "-o", str(tmp_path)]) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("monai", reason="needs MONAI: pip install 'msdnet[train]'")
    folder = tmp_path_factory.mktemp("bundles") / "covid"
    assert cli.main(["export", "--bundle", "-o", str(folder), "--quiet"]) == 0
    return folder


@pytest.mark.filterwarnings("ignore:parsing config_file")  # MONAI, of every configuration
def test_monai_loads_a_bundle_with_its_weights(bundle: Path) -> None:
    from monai.bundle import load

    network = load("covid", bundle_dir=bundle.parent, device="cpu", workflow_type="inference")
    expected, card = load_weights(None)
    for name, value in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["card"]["sha256"] == card.sha256
    assert metadata["network_data_format"]["outputs"]["pred"]["num_channels"] == card.label_schema.num_classes
    assert "Not a medical device" in metadata["intended_use"]


@pytest.mark.filterwarnings("ignore:parsing config_file", "ignore:NvImgCodecPydicomReader")
def test_monai_runs_a_bundle_on_a_scan(bundle: Path, tmp_path: Path) -> None:
    """On slices as large as the network's input, its labels lie where msdnet's own do."""
    import nibabel as nib
    from monai.bundle import ConfigWorkflow

    phantom = make_phantom(seed=2, shape=(8, 288, 288))
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    rows_cols_last = phantom.voxels_hu.transpose(2, 1, 0)  # columns to the left, rows to the back, slices to the head
    mm = phantom.spacing_mm
    nib.save(nib.Nifti1Image(rows_cols_last, np.diag([-mm[2], -mm[1], mm[0], 1.0])), images / "ct.nii.gz")
    flow = ConfigWorkflow(
        config_file=str(bundle / "configs" / "inference.json"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        workflow_type="inference",
        logging_file=False,
        bundle_root=str(bundle),
        dataset_dir=str(images),
        output_dir=str(labels),
        device="$torch.device('cpu')",
    )
    flow.initialize()
    flow.run()
    [path] = labels.iterdir()
    written = nib.load(path)
    assert written.shape == rows_cols_last.shape
    assert np.allclose(written.affine, nib.load(images / "ct.nii.gz").affine)
    found = np.asanyarray(written.dataobj).astype(int)
    own = Segmenter.from_pretrained(device="cpu", precision="f32").segment(to_scan(phantom)).labels
    own = own if own.shape == found.shape else own.transpose(2, 1, 0)
    both = ((found > 0) & (own > 0)).sum()
    assert 2 * both / ((found > 0).sum() + (own > 0).sum()) > 0.7


def test_a_bundle_in_int8_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--bundle", "--precision", "int8", "-o", str(tmp_path / "b")]) == 2
    assert "--bundle alone" in capsys.readouterr().err


def test_the_licence_texts_that_the_card_names_go_with_it(bundle: Path, exported: Path) -> None:
    root = Path(__file__).parents[2]
    onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'msdnet[engines]'")
    properties = {p.key: p.value for p in onnx.load(exported).metadata_props}
    for name in ("LICENSE-WEIGHTS", "NOTICE-DATA"):
        text = (root / name).read_text(encoding="utf-8")
        assert (bundle / name).read_text(encoding="utf-8") == properties[name] == text
    assert not (bundle / "LICENSE").exists()


def test_a_bundle_of_others_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = tmp_path / "configs" / "metadata.json"
    metadata.parent.mkdir()
    metadata.write_text('{"name": "spleen", "required_packages_version": {"nibabel": "5"}}')
    assert cli.main(["export", "--bundle", "-o", str(tmp_path)]) == 2
    assert "configs/metadata.json" in capsys.readouterr().err
    assert "spleen" in metadata.read_text()


def test_an_earlier_bundle_is_replaced_and_what_was_added_to_it_stays(bundle: Path) -> None:
    added = bundle / "images" / "ct.nii.gz"
    added.parent.mkdir()
    added.touch()
    (bundle / "models" / "model.pt").write_bytes(b"")
    assert cli.main(["export", "--bundle", "-o", str(bundle), "--quiet"]) == 0
    assert added.exists()
    assert (bundle / "models" / "model.pt").stat().st_size > 1_000_000


def test_a_bundle_that_was_not_finished_says_nothing_and_is_begun_anew(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder, ignore=shutil.ignore_patterns("images"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("msdnet.prediction.bundle.torch.save", stop)
        assert cli.main(["export", "--bundle", "-o", str(folder), "--quiet"]) == 130
    assert "the same command begins anew" in capsys.readouterr().err
    assert not (folder / "configs" / "metadata.json").exists()
    assert cli.main(["export", "--bundle", "-o", str(folder), "--quiet"]) == 0
    assert (folder / "configs" / "metadata.json").exists()
