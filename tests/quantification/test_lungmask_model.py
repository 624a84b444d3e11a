"""lungmask runs with weights from a file. Its own cannot be had here: these are made to mark what is dark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from msdnet.data.phantom import make_phantom, to_scan
from msdnet.errors import MissingExtraError, WeightsError
from msdnet.labels import get_schema
from msdnet.quantification import GivenLungs, lungmask_model, measure_scan_lungs
from msdnet.quantification.lungmask_model import check_lungmask, run_lungmask

resunet = pytest.importorskip("lungmask.resunet", reason="needs the extra lungmask")


def _write_weights(path: Path, num_classes: int) -> Path:
    """Weights of random convolutions but the last, which takes class 2 everywhere."""
    import torch

    torch.manual_seed(0)
    network = resunet.UNet(
        n_classes=num_classes, padding=True, depth=5, up_mode="upsample", batch_norm=True, residual=False
    )
    torch.nn.init.zeros_(network.last.weight)
    torch.nn.init.constant_(network.last.bias, 0.0)
    network.last.bias.data[2] = 1.0
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.parametrize(("num_classes", "scheme"), [(3, "left-right"), (6, "lungmask-lobes")])
def test_the_number_of_classes_tells_the_scheme(tmp_path: Path, num_classes: int, scheme: str) -> None:
    assert check_lungmask(_write_weights(tmp_path / "w.pth", num_classes)) == scheme


def test_its_mask_becomes_the_lungs(tmp_path: Path) -> None:
    scan = to_scan(make_phantom(1, shape=(4, 64, 64)))
    weights = _write_weights(tmp_path / "w.pth", 3)
    mask, scheme = run_lungmask(weights, scan.voxels)
    assert scheme == "left-right"
    assert set(np.unique(mask)) == {0, 2}
    schema = get_schema("ggo-consolidation")
    found = measure_scan_lungs(scan, np.zeros(scan.voxels.shape, np.uint8), schema, GivenLungs(lungmask=weights))
    assert found.sides is not None
    assert np.array_equal(found.sides, mask)
    assert found.given == "left-right"


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"no weights of lungmask"):
        check_lungmask(tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="4 classes"):
        check_lungmask(_write_weights(tmp_path / "four.pth", 4))


def test_without_lungmask_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "lungmask", None)
    with pytest.raises(MissingExtraError, match=r"msdnet\[lungmask\]"):
        lungmask_model.check_lungmask(tmp_path / "w.pth")
