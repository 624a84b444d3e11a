from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from msdnet.errors import OutputError, SchemaError
from msdnet.labels import get_schema
from msdnet.scans import Scan, label_writer, read_scan, write_labels

WEIGHTS = {"schema": get_schema("ggo-consolidation"), "weights_name": "test", "weights_sha256": "ab" * 32}


@pytest.fixture
def scan(tmp_path: Path, ct: Any) -> Scan:
    affine = np.diag([-0.7, -0.9, 2.5, 1.0])
    nib.save(nib.Nifti1Image(ct.chest_hu((12, 10, 8)), affine), tmp_path / "scan.nii")
    return read_scan(tmp_path / "scan.nii")


def _lose_a_voxel(labels: np.ndarray) -> np.ndarray:
    changed = labels.copy()
    changed[tuple(np.argwhere(labels == 2)[0])] = 0
    return changed


def _mirror(labels: np.ndarray) -> np.ndarray:
    return labels[:, ::-1].copy()


def _swap_classes(labels: np.ndarray) -> np.ndarray:
    return np.array([0, 2, 1], np.uint8)[labels]


@pytest.mark.parametrize("damage", [_lose_a_voxel, _mirror, _swap_classes])
def test_a_file_that_differs_from_the_labels_is_an_error(
    damage: Callable[[np.ndarray], np.ndarray], scan: Scan, tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = nib.save

    def save_damaged(image: Any, path: Path) -> None:
        affine = image.header.get_best_affine()
        save(nib.Nifti1Image(damage(np.asanyarray(image.dataobj)), affine), path)

    monkeypatch.setattr(label_writer.nib, "save", save_damaged)
    with pytest.raises(OutputError, match="differs from what was predicted") as caught:
        write_labels(ct.some_labels(scan.voxels.shape), scan, tmp_path / "out", **WEIGHTS)
    assert caught.value.exit_code == 1


def test_a_file_that_lies_elsewhere_than_the_scan_is_an_error(
    scan: Scan, tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = nib.save
    monkeypatch.setattr(
        label_writer.nib, "save", lambda i, p: save(nib.Nifti1Image(np.asanyarray(i.dataobj), np.eye(4)), p)
    )
    with pytest.raises(OutputError, match="lies elsewhere"):
        write_labels(ct.some_labels(scan.voxels.shape), scan, tmp_path / "out", **WEIGHTS)


def test_a_mirrored_picture_is_an_error(tmp_path: Path, ct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((32, 40), np.uint8)).save(tmp_path / "slice.png")
    scan = read_scan(tmp_path / "slice.png")
    save = Image.Image.save
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    monkeypatch.setattr(Image.Image, "save", lambda self, path, **options: save(self.transpose(flip), path, **options))
    with pytest.raises(OutputError, match=r"labels\.png differs"):
        write_labels(ct.some_labels(scan.voxels.shape), scan, tmp_path / "out", **WEIGHTS)


def test_labels_of_another_schema_are_refused(scan: Scan, tmp_path: Path, ct: Any) -> None:
    labels = ct.some_labels(scan.voxels.shape)
    labels[0, 0, 0] = 3
    with pytest.raises(SchemaError, match="class number 3"):
        write_labels(labels, scan, tmp_path / "out", **WEIGHTS)
    assert not (tmp_path / "out").exists()


def test_labels_of_another_shape_are_refused(scan: Scan, tmp_path: Path, ct: Any) -> None:
    with pytest.raises(OutputError, match="do not fit the scan"):
        write_labels(ct.some_labels((10, 12, 8)), scan, tmp_path / "out", **WEIGHTS)


def test_labels_without_a_lesion_are_written(scan: Scan, tmp_path: Path) -> None:
    write_labels(np.zeros(scan.voxels.shape, np.uint8), scan, tmp_path / "out", **WEIGHTS)
    assert np.asanyarray(nib.load(tmp_path / "out" / "labels.nii.gz").dataobj).max() == 0
