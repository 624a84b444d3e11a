from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from msdnet.errors import SchemaError
from msdnet.evaluation.overlap import ANY_LESION, bootstrap_interval, count_overlap, read_overlaps, write_overlaps
from msdnet.evaluation.tables import overlap_table, summarise
from msdnet.labels import get_schema

SCHEMA = get_schema("ggo-consolidation")


def test_counts_agree_with_scikit_learns_confusion_matrix() -> None:
    rng = np.random.default_rng(0)
    for i in range(50):
        true = rng.integers(0, rng.integers(1, 4), (9, 7))
        predicted = rng.integers(0, rng.integers(1, 4), (9, 7))
        for row, index in zip(
            count_overlap(predicted, true, SCHEMA, name=str(i), group="g"), (1, 2, None), strict=True
        ):
            t, p = (true > 0, predicted > 0) if index is None else (true == index, predicted == index)
            tn, fp, fn, tp = confusion_matrix(t.ravel(), p.ravel(), labels=[False, True]).ravel()
            assert (row.tp, row.fp, row.fn, row.tn) == (tp, fp, fn, tn)


def test_figures_of_a_hand_made_pair_of_slices() -> None:
    true = np.array([[1, 1, 2, 0]])
    predicted = np.array([[1, 0, 0, 0]])
    rows = count_overlap(predicted, true, SCHEMA, name="a", group="g1")
    rows += count_overlap(np.array([[1, 0, 0, 0]]), np.zeros((1, 4), int), SCHEMA, name="b", group="g2")
    ggo, consolidation, lesion = summarise(rows, SCHEMA)
    assert ggo.num_slices_with_class == 1
    assert ggo.dsc == pytest.approx(2 / 3)
    assert ggo.dsc_empty_is_one == pytest.approx((2 / 3 + 0) / 2)
    assert ggo.dsc_pooled == pytest.approx(2 / (2 + 1 + 1))
    assert ggo.sensitivity == pytest.approx(0.5)
    assert ggo.specificity == pytest.approx((1 + 3 / 4) / 2)
    assert ggo.false_area == pytest.approx(1 / 4)
    assert consolidation.dsc == 0.0
    assert consolidation.dsc_empty_is_one == pytest.approx(0.5)
    assert lesion.class_name == ANY_LESION
    assert lesion.dsc == pytest.approx(2 / 4)


def test_a_class_that_no_slice_shows_has_no_dsc() -> None:
    rows = count_overlap(np.zeros((2, 2), int), np.zeros((2, 2), int), SCHEMA, name="a", group="g")
    ggo = summarise(rows, SCHEMA)[0]
    assert ggo.dsc is None
    assert ggo.dsc_empty_is_one == 1.0
    assert math.isnan(rows[0].sensitivity)
    assert "| - (-) | - |" in overlap_table(rows, SCHEMA)


def test_the_interval_resamples_groups_not_slices() -> None:
    rng = np.random.default_rng(1)
    rows, values = [], []
    for g in range(10):
        level = rng.uniform()
        for i in range(5):  # five slices of a group are alike
            rows += count_overlap(np.ones((1, 1), int), np.ones((1, 1), int), SCHEMA, name=f"{g}-{i}", group=str(g))[:1]
            values.append(level)
    low, high = bootstrap_interval(rows, values)
    alone = [r.__class__(**{**r.__dict__, "group": r.name}) for r in rows]
    narrow_low, narrow_high = bootstrap_interval(alone, values)
    assert low < np.mean(values) < high
    assert high - low > 1.5 * (narrow_high - narrow_low)


def test_rows_survive_the_csv(tmp_path: Path) -> None:
    rows = count_overlap(np.array([[1, 2]]), np.array([[1, 0]]), SCHEMA, name="a", group="g", fold=3)
    write_overlaps(tmp_path / "x.csv", rows)
    assert read_overlaps(tmp_path / "x.csv") == rows


def test_other_sizes_and_unknown_labels_are_refused() -> None:
    with pytest.raises(SchemaError, match="size"):
        count_overlap(np.zeros((2, 2), int), np.zeros((2, 3), int), SCHEMA, name="a", group="g")
    with pytest.raises(SchemaError, match="schema"):
        count_overlap(np.full((2, 2), 3), np.zeros((2, 2), int), SCHEMA, name="a", group="g")
