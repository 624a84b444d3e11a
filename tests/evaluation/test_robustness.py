from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError, OptionError, SchemaError
from msdnet.evaluation.pictures.noise_picture import draw_noise_picture
from msdnet.evaluation.pictures.robustness_figures import draw_robustness, robustness_table
from msdnet.evaluation.robustness import Condition, measure_robustness, perturb_slice, read_robustness
from msdnet.labels import get_schema

SCHEMA = get_schema("ggo-consolidation")
LEVELS = {"noise": (0.0, 0.05), "contrast": (0.5, 1.0)}


def make_slice(index: int) -> TrainingSlice:
    """Dark with a grey square (class 1) and a bright one (class 2) of a size that changes with the index."""
    labels = np.zeros((24, 20 + index), np.uint8)
    labels[3 : 9 + index % 3, 2:9] = 1
    labels[14:20, 10 : 16 + index % 2] = 2
    return TrainingSlice(f"s{index}", f"p{index // 2}", np.array([30, 128, 220], np.uint8)[labels], labels)


SLICES = [make_slice(index) for index in range(4)]


class Threshold:
    """Class 1 from 0.3 on, class 2 from 0.7 on; keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Tensor]] = []

    def __call__(self, one: TrainingSlice, grey: Tensor) -> np.ndarray:
        self.seen.append((one.name, grey))
        return (grey > 0.3).numpy().astype(np.uint8) + (grey > 0.7).numpy()


def test_every_network_sees_the_same_noise_and_the_undamaged_slice_only_once() -> None:
    first, second = Threshold(), Threshold()
    results = measure_robustness({"A": first, "B": second}, SLICES, SCHEMA, LEVELS, seed=3)
    assert list(results) == [
        *[Condition("noise", level, network) for level in (0.0, 0.05) for network in "AB"],
        *[Condition("contrast", level, network) for level in (0.5, 1.0) for network in "AB"],
    ]
    assert len(first.seen) == 3 * len(SLICES)  # clean, noise 0.05, contrast 0.5
    for (name, grey), (other_name, other) in zip(first.seen, second.seen, strict=True):
        assert name == other_name
        assert np.array_equal(grey, other)
    assert results[Condition("noise", 0.0, "A")] == results[Condition("contrast", 1.0, "A")]
    assert np.allclose(first.seen[0][1], SLICES[0].image / 255)
    assert len(results[Condition("noise", 0.05, "A")]) == 3 * len(SLICES)


def test_the_neutral_level_is_measured_even_if_not_asked_for_and_folds_are_kept() -> None:
    results = measure_robustness({"A": Threshold()}, SLICES, SCHEMA, {"dose": [0.1]}, folds={"s1": 4})
    assert list(results) == [Condition("dose", 1.0, "A"), Condition("dose", 0.1, "A")]
    assert {(r.name, r.fold) for rows in results.values() for r in rows} == {("s0", 0), ("s1", 4), ("s2", 0), ("s3", 0)}


def test_a_finished_condition_is_not_predicted_again(tmp_path: Path) -> None:
    path = tmp_path / "robustness.csv"
    network = Threshold()
    first = measure_robustness({"A": network}, SLICES, SCHEMA, LEVELS, seed=1, path=path)
    assert measure_robustness({"A": network}, SLICES, SCHEMA, LEVELS, seed=1, path=path) == first
    assert len(network.seen) == 3 * len(SLICES)
    more, other = LEVELS | {"noise": (0.0, 0.05, 0.2)}, Threshold()
    measure_robustness({"A": network, "B": other}, SLICES, SCHEMA, more, seed=1, path=path)
    assert len(network.seen) == 4 * len(SLICES)
    assert len(other.seen) == 4 * len(SLICES)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Failing(Threshold):
        def __call__(self, one: TrainingSlice, grey: Tensor) -> np.ndarray:
            if len(self.seen) == len(SLICES) + 2:
                raise KeyboardInterrupt
            return super().__call__(one, grey)

    path, network = tmp_path / "robustness.csv", Threshold()
    with pytest.raises(KeyboardInterrupt):
        measure_robustness({"A": Failing()}, SLICES, SCHEMA, LEVELS, path=path)
    assert list(read_robustness(path)) == [Condition("noise", 0.0, "A")]
    resumed = measure_robustness({"A": network}, SLICES, SCHEMA, LEVELS, path=path)
    assert len(network.seen) == 2 * len(SLICES)
    assert resumed == measure_robustness({"A": Threshold()}, SLICES, SCHEMA, LEVELS)


def test_the_csv_gives_every_row_back_and_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "robustness.csv"
    results = measure_robustness({"A": Threshold(), "B": Threshold()}, SLICES, SCHEMA, LEVELS, seed=7, path=path)
    assert read_robustness(path) == results
    head = path.read_text().splitlines()[0]
    assert head == "kind,level,network,seed,name,group,fold,class_name,tp,fp,fn,tn"


def test_a_file_made_with_another_seed_or_other_slices_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "robustness.csv"
    measure_robustness({"A": Threshold()}, SLICES, SCHEMA, {"noise": (0.0,)}, path=path)
    with pytest.raises(OptionError, match="another seed"):
        measure_robustness({"A": Threshold()}, SLICES, SCHEMA, {"noise": (0.0,)}, seed=1, path=path)
    with pytest.raises(DatasetError, match="other slices"):
        measure_robustness({"A": Threshold()}, SLICES[:3], SCHEMA, {"noise": (0.0,)}, path=path)


def test_slices_without_truth_unknown_kinds_and_misfitting_labels_are_refused() -> None:
    bare = TrainingSlice("bare", "p", SLICES[0].image)
    with pytest.raises(DatasetError, match="bare"):
        measure_robustness({"A": Threshold()}, [*SLICES, bare], SCHEMA)
    with pytest.raises(DatasetError, match="s0"):
        measure_robustness({"A": Threshold()}, [SLICES[0], SLICES[0]], SCHEMA)
    with pytest.raises(OptionError, match="fog"):
        measure_robustness({"A": Threshold()}, SLICES, SCHEMA, {"fog": (1.0,)})
    with pytest.raises(SchemaError):
        measure_robustness({"A": lambda one, grey: np.zeros((3, 3), np.uint8)}, SLICES, SCHEMA)


def test_the_table_has_dsc_with_sd_and_the_drop_to_the_undamaged_slice() -> None:
    results = measure_robustness({"A": Threshold()}, SLICES, SCHEMA, {"noise": (0.0, 0.05)})
    table = robustness_table(results, SCHEMA, title="synthetic")
    assert table.markdown().splitlines()[0] == "**synthetic**"
    clean, noisy = (row for row in table.rows if row[3] == "Ground-glass opacity")
    assert (clean[:3], noisy[:3]) == (("Gaussian noise", "0", "A"), ("Gaussian noise", "0.05", "A"))
    assert clean[4].value == 1.0
    assert clean[5].value is None
    dsc = [r.dsc for r in results[Condition("noise", 0.05, "A")] if r.class_name == "ggo"]
    assert noisy[4].value == pytest.approx(np.mean(dsc))
    assert noisy[4].sd == pytest.approx(np.std(dsc, ddof=1))
    assert noisy[5].value == pytest.approx(1 - np.mean(dsc))
    assert noisy[5].value > 0.1
    found = [r for r in results[Condition("noise", 0.05, "A")] if r.class_name == "ggo"]
    assert noisy[6].value == pytest.approx(2 * sum(r.tp for r in found) / sum(2 * r.tp + r.fp + r.fn for r in found))
    assert noisy[7].value == pytest.approx(np.mean([r.tn / (r.tn + r.fp) for r in found if r.tn + r.fp]))
    without = {c: rows for c, rows in results.items() if c.level}
    assert robustness_table(without, SCHEMA).rows[0][5].value is None


def test_curves_are_written_as_png_and_svg_with_every_class_kind_and_network(tmp_path: Path) -> None:
    results = measure_robustness({"A": Threshold(), "rival B": Threshold()}, SLICES, SCHEMA, LEVELS)
    assert draw_robustness(results, SCHEMA, tmp_path, "curves.v1", title="synthetic") == (
        "curves.v1.png",
        "curves.v1.svg",
    )
    with Image.open(tmp_path / "curves.v1.png") as picture:
        assert picture.width >= 7 * 300
        assert picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
        assert {(0, 114, 178), (213, 94, 0)} <= set(picture.convert("RGB").get_flattened_data())
    svg = (tmp_path / "curves.v1.svg").read_text()
    for words in ("synthetic", "Consolidation", "Any lesion", "Gaussian noise", "Contrast", "rival B"):
        assert f"<!-- {words}" in svg


def test_the_noise_picture_shows_input_truth_and_result_of_each_level(tmp_path: Path) -> None:
    one, network = SLICES[0], Threshold()
    draw_noise_picture(one, network, SCHEMA, tmp_path, "noise", seed=3, title="synthetic")
    assert np.array_equal(network.seen[2][1], perturb_slice(one, "noise", 0.10, 3))
    with Image.open(tmp_path / "noise.png") as picture:
        assert picture.height > picture.width  # three square rows of three tiles, and text
    svg = (tmp_path / "noise.svg").read_text()
    for words in (
        "synthetic",
        "Gaussian noise, 0.05",
        "Gaussian noise, 0.1",
        "Input",
        "Truth",
        "Result",
        "1.00 / 1.00",
    ):
        assert f"<!-- {words}" in svg
    with pytest.raises(DatasetError):
        draw_noise_picture(TrainingSlice("x", "x", one.image), network, SCHEMA, tmp_path, "none")
