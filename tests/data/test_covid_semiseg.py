from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from msdnet.data.covid_semiseg import clean_weak, grey_levels, match_grey, read_labelled, read_unlabelled
from msdnet.data.preparation import prepare
from msdnet.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part in ("multiclass/images", "multiclass/labels", "unlabelled/images", "unlabelled/pseudo-labels"):
        (tmp_path / part).mkdir(parents=True)
    for i in range(3):
        image = rng.integers(0, 256, (60, 50), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"multiclass/images/{i}.jpg")
        Image.fromarray((image > 200).astype(np.uint8)).save(tmp_path / f"multiclass/labels/{i}.png")
    for series in ("Data-1_coronacases_org_001", "Data-1_radiopaedia_org_covid-19-pneumonia-29_86490_1-dcm",
                   "Data-1_radiopaedia_org_covid-19-pneumonia-29_86491_1-dcm"):  # fmt: skip
        for i in (2, 10):
            Image.fromarray(_chest_like(rng)).save(tmp_path / f"unlabelled/images/{series}_{i}.jpg")
            Image.fromarray(np.zeros((80, 80), np.uint8)).save(tmp_path / f"unlabelled/pseudo-labels/{series}_{i}.png")
    return tmp_path


def _chest_like(rng: np.random.Generator, lung: int = 20, tissue: int = 100) -> np.ndarray:
    image = np.full((80, 80), float(tissue))
    image[10:70, 10:40] = lung
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def test_slices_come_with_labels_and_groups(folder: Path) -> None:
    slices = read_labelled(folder)
    assert [s.name for s in slices] == ["0", "1", "2"]
    assert len({s.group for s in slices}) == 3
    assert all(s.labels is not None and s.labels.shape == s.image.shape for s in slices)


def test_unlabelled_slices_are_in_slice_order_and_grouped_by_case(folder: Path) -> None:
    slices = read_unlabelled(folder)
    assert [s.group for s in slices] == ["coronacases-001"] * 2 + ["radiopaedia-29"] * 4
    assert [s.name.rsplit("_", 1)[1] for s in slices] == ["2", "10"] * 3
    assert all(s.labels is None and s.weak is not None for s in slices)


def test_a_narrow_grey_range_is_stretched_to_that_of_the_labelled_slices() -> None:
    image = _chest_like(np.random.default_rng(1))
    lung, tissue = grey_levels([image])
    assert tissue == pytest.approx(100, abs=4)
    matched = match_grey(image, lung, tissue)
    assert np.median(matched[:, 50:]) == pytest.approx(211, abs=8)
    assert np.median(matched[20:60, 15:35]) < 60


def test_a_guess_inside_tissue_is_dropped_and_one_at_the_lung_is_kept() -> None:
    image = np.full((80, 80), 211, dtype=np.uint8)
    image[10:70, 10:40] = 27
    weak = np.zeros_like(image)
    weak[30:45, 60:75] = 255  # in the chest wall
    weak[30:45, 25:40] = 255  # in the lung
    cleaned = clean_weak(image, weak)
    assert cleaned[:, 55:].max() == 0
    assert np.array_equal(cleaned[:, :50], weak[:, :50])


def test_a_missing_or_wrong_label_map_is_refused(folder: Path) -> None:
    (folder / "multiclass/labels/1.png").unlink()
    with pytest.raises(DatasetError, match="a slice without file in labels: 1"):
        read_labelled(folder)
    for values in (np.full((60, 50), 7, np.uint8), np.full((60, 50), 263, np.uint16)):
        Image.fromarray(values).save(folder / "multiclass/labels/1.png")
        with pytest.raises(DatasetError, match=rf"values other than 0, 1, 2 in labels: 1 \({values[0, 0]}\)"):
            read_labelled(folder)


def test_all_faults_of_both_parts_are_told_at_once(folder: Path, tmp_path: Path) -> None:
    labelled, unlabelled = folder / "multiclass", folder / "unlabelled"
    (labelled / "images/0.jpg").rename(labelled / "images/a1.jpg")
    (labelled / "images/1.jpg").write_bytes((labelled / "images/1.jpg").read_bytes()[:200])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(labelled / "labels/2.png")
    (unlabelled / "images/x.jpg").touch()
    first, second, *_ = sorted(unlabelled.glob("pseudo-labels/*"))
    first.write_text("no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(second)
    with pytest.raises(DatasetError) as refused:
        prepare(folder, tmp_path / "out", "ggo-consolidation")
    for told in (
        "an image in multiclass/images that is not called NUMBER.jpg: a1.jpg",
        "the file cannot be read (OSError): images/1.jpg",
        "labels of another size than the image: 2",
        "an image in unlabelled/images that is not called SERIES_NUMBER.jpg: x.jpg",
        f"the file cannot be read (UnidentifiedImageError): pseudo-labels/{first.name}",
        f"pseudo-labels of another size than the image: {second.stem}",
    ):
        assert told in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no slices"):
        read_labelled(tmp_path)
    with pytest.raises(DatasetError, match="no slices"):
        read_unlabelled(tmp_path)


def test_the_known_duplicates_of_the_real_slices_are_grouped(data_folder: Path) -> None:
    groups: dict[str, set[str]] = {}
    for s in read_labelled(data_folder / "covid-semiseg"):
        groups.setdefault(s.group, set()).add(s.name)
    together = {frozenset(members) for members in groups.values() if len(members) > 1}
    assert {frozenset({"10", "43"}), frozenset({"4", "5", "17", "46"}), frozenset({"35", "67"})} <= together
