from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from msdnet.errors import InputError
from msdnet.labels import get_schema
from msdnet.scans import find_scans, public_name, read_scan, write_labels

SCHEMA = get_schema("msdnet-paper")


def _pixels(shape: tuple[int, ...] = (37, 53)) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("extension", ["png", "tif", "tiff"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
def test_grey_pictures_of_every_form_give_the_same_pixels(extension: str, mode: str, tmp_path: Path) -> None:
    Image.fromarray(_pixels()).convert(mode).save(tmp_path / f"slice.{extension}")
    scan = read_scan(tmp_path / f"slice.{extension}")
    np.testing.assert_array_equal(scan.voxels, _pixels()[np.newaxis])
    assert scan.intensity == "grey"
    assert scan.voxels.dtype == np.uint8
    assert not scan.spacing_known
    assert not scan.orientation_known
    assert scan.voxel_ml is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpg_is_read_as_pillow_decodes_it(mode: str, tmp_path: Path) -> None:
    Image.fromarray(_pixels()).convert(mode).save(tmp_path / "slice.jpg")
    decoded = np.asarray(Image.open(tmp_path / "slice.jpg").convert("RGB"), dtype=float).mean(axis=-1)
    assert np.abs(read_scan(tmp_path / "slice.jpg").voxels[0] - decoded).max() <= 1


def test_labels_are_an_index_picture_of_the_picture_s_own_size_in_the_schema_s_colours(tmp_path: Path, ct: Any) -> None:
    Image.fromarray(_pixels()).save(tmp_path / "slice.png")
    scan = read_scan(tmp_path / "slice.png")
    labels = ct.some_labels(scan.voxels.shape)
    labels[0, 20, 20] = 3
    written = write_labels(labels, scan, tmp_path / "out", schema=SCHEMA, weights_name="t", weights_sha256="ab" * 32)
    assert written == {"labels": "labels.png"}
    image = Image.open(tmp_path / "out" / "labels.png")
    assert image.mode == "P"
    assert image.size == (53, 37)
    np.testing.assert_array_equal(np.asarray(image), labels[0])
    colours = np.asarray(image.convert("RGB"))
    for c in SCHEMA.classes:
        assert tuple(colours[labels[0] == c.index][0]) == c.colour
    assert tuple(colours[labels[0] == 0][0]) == (0, 0, 0)


def test_wide_pictures_are_read_with_a_window_as_grey_or_if_they_look_like_hu(tmp_path: Path, ct: Any) -> None:
    wide = np.arange(37 * 53, dtype=np.uint16).reshape(37, 53)
    Image.fromarray(wide).save(tmp_path / "slice.png")
    scan = read_scan(tmp_path / "slice.png", window=(0, 1020))
    np.testing.assert_array_equal(scan.voxels[0], np.rint(np.clip(wide / 4, 0, 255)))
    Image.fromarray(_pixels().astype(np.uint16)).save(tmp_path / "narrow.png")
    np.testing.assert_array_equal(read_scan(tmp_path / "narrow.png", grey=True).voxels[0], _pixels())
    hu = ct.chest_hu((1, 37, 53))
    Image.fromarray(hu[0].astype(np.float32)).save(tmp_path / "hu.tif")
    scan = read_scan(tmp_path / "hu.tif")
    assert scan.intensity == "HU"
    np.testing.assert_array_equal(scan.voxels, hu)


@pytest.mark.parametrize("mode", ["CMYK", "1", "YCbCr"])
def test_pixels_that_are_no_grey_are_refused(mode: str, tmp_path: Path) -> None:
    Image.fromarray(_pixels()).convert("RGB").convert(mode).save(tmp_path / "slice.tif")
    with pytest.raises(InputError, match="cannot be used"):
        read_scan(tmp_path / "slice.tif")


def test_transparent_pictures_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(_pixels()).convert("RGBA")
    image.putalpha(100)
    image.save(tmp_path / "slice.png")
    with pytest.raises(InputError, match="transparent"):
        read_scan(tmp_path / "slice.png")


def test_each_picture_of_a_folder_is_an_input_of_its_own(tmp_path: Path) -> None:
    for name in ("b", "a", "c.1"):
        Image.fromarray(_pixels()).save(tmp_path / f"{name}.png")
    found = find_scans([tmp_path])
    assert [f.name for f in found] == ["a", "b", "c.1"]
    assert [f.kind for f in found] == ["picture"] * 3
    assert public_name(read_scan(found[2])) == "c.1"
    with pytest.raises(InputError, match="stands for several scans"):
        read_scan(tmp_path)


def test_earlier_results_below_a_folder_are_left_out_and_named(tmp_path: Path, ct: Any) -> None:
    Image.fromarray(_pixels()).save(tmp_path / "a.png")
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "run.json").write_text('{"tool": "msdnet", "files": {}}')
    Image.fromarray(_pixels()).save(tmp_path / "out" / "a" / "labels.png")
    [found] = find_scans([tmp_path])
    assert found.name == "a"
    assert found.notes == ("Left out: 1 earlier result in the folder.",)
    ct.write_slices(ct.make_slices(), tmp_path / "out" / "a")
    assert [f.kind for f in find_scans([tmp_path])] == ["picture"]
    (tmp_path / "out" / "a" / "run.json").write_text("{}")  # another program's
    assert [f.kind for f in find_scans([tmp_path])] == ["dicom"]
