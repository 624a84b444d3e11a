from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from msdnet.evaluation.calibration import (
    LogitHistogram,
    calibration_error,
    calibration_table,
    count_logits,
    fit_for_folds,
    fit_temperature,
    read_histograms,
    write_histograms,
)
from msdnet.labels import get_schema

SCHEMA = get_schema("infection")


def _histograms(sharpness: float, count: int = 20, seed: int = 0) -> list[LogitHistogram]:
    """Slices on which a pixel of probability p is of the class with the probability sigmoid(logit(p) / sharpness)."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        logits = rng.normal(-1, 2, (80, 80))
        true = rng.random((80, 80)) < 1 / (1 + np.exp(-logits / sharpness))
        for name in ("infection", "any_lesion"):
            where = {"name": f"s{i}", "group": f"g{i // 2}", "fold": i // 2 % 5, "class_name": name}
            found.append(count_logits(1 / (1 + np.exp(-logits)), true, **where))
    return found


def test_right_probabilities_have_hardly_any_error_and_need_no_temperature() -> None:
    found = _histograms(1.0)
    assert fit_temperature(found) == pytest.approx(1, abs=0.05)
    row = calibration_table(found, SCHEMA).rows[0]
    assert row[2].value < 0.01
    assert row[3] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_the_temperature_undoes_what_is_too_sharp_or_too_flat(sharpness: float) -> None:
    _, size, before, temperature, after = calibration_table(_histograms(sharpness), SCHEMA).rows[0]
    assert size == 20
    assert temperature == pytest.approx(sharpness, rel=0.07)
    assert before.value > 0.05
    assert after.value < 0.02
    assert before.interval[0] < before.value < before.interval[1]


def test_a_fold_is_judged_with_the_temperature_of_the_others() -> None:
    right, flat = _histograms(1.0), _histograms(3.0)
    mixed = [
        dataclasses.replace(r, fold=0) if r.fold < 2 else dataclasses.replace(f, fold=1)
        for r, f in zip(right, flat, strict=True)
    ]
    assert fit_for_folds(mixed) == {0: pytest.approx(3, rel=0.1), 1: pytest.approx(1, rel=0.1)}


def test_the_error_by_hand() -> None:
    probability = np.full((10, 10), 0.3)
    true = np.zeros((10, 10), bool)
    true[:5] = True
    h = count_logits(probability, true, name="a", group="a", fold=0, class_name="infection")
    assert sum(h.pixels) == 100
    assert sum(h.positives) == 50
    error = calibration_error(np.array(h.pixels), np.array(h.positives))
    assert float(error) == pytest.approx(0.2, abs=0.03)  # |0.5 - 0.3|, within a step of the logit


def test_certain_pixels_are_counted_too() -> None:
    h = count_logits(np.array([[0.0, 1.0]]), np.array([[False, True]]), name="a", group="a", fold=0, class_name="x")
    assert (h.pixels[0], h.pixels[-1], h.positives[-1]) == (1, 1, 1)


def test_histograms_survive_a_file(tmp_path: Path) -> None:
    found = _histograms(1.0, 4)
    write_histograms(tmp_path / "h.csv", found)
    assert read_histograms(tmp_path / "h.csv") == found
