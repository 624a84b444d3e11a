from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou
from sklearn.metrics import confusion_matrix
from torchmetrics.functional.classification import binary_f1_score, binary_stat_scores

from msdnet.errors import SchemaError
from msdnet.evaluation.bootstrap import bootstrap_interval
from msdnet.evaluation.overlap import (
    ANY_LESION,
    GroupOverlap,
    SliceOverlap,
    count_overlap,
    pool_groups,
    read_overlaps,
    write_overlaps,
)
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


@pytest.fixture(scope="module")
def random_masks() -> tuple[np.ndarray, np.ndarray]:
    """1,000 pairs of label maps (N, 16, 16); some lack a class in the truth, in the prediction or in both."""
    rng = np.random.default_rng(7)
    predicted, true = (rng.integers(0, 3, (1000, 16, 16)) for _ in range(2))
    for masks in (predicted, true):
        for index in (1, 2):
            masks[(masks == index) & (rng.uniform(size=(1000, 1, 1)) < 0.3)] = 0
    copied = rng.uniform(size=(1000, 1, 1)) < rng.uniform(size=(1000, 1, 1))
    return np.where(copied & (rng.uniform(size=true.shape) < 0.8), true, predicted), true


def test_measures_of_1000_masks_agree_with_torchmetrics_monai_and_scikit_learn(random_masks) -> None:
    predicted, true = random_masks
    rows = [
        row
        for i, (p, t) in enumerate(zip(predicted, true, strict=True))
        for row in count_overlap(p, t, SCHEMA, name=str(i), group="g")
    ]
    for index, class_name in ((1, "ggo"), (2, "consolidation"), (None, ANY_LESION)):
        of_class = [r for r in rows if r.class_name == class_name]
        p, t = ((m > 0) if index is None else (m == index) for m in (predicted, true))
        both, neither = (p & t).any((1, 2)), ~(p | t).any((1, 2))
        assert both.sum() > 200
        assert neither.sum() > (5 if index else 0)
        p, t = torch.from_numpy(p), torch.from_numpy(t)

        counts = binary_stat_scores(p.int(), t.int(), multidim_average="samplewise")[:, :4]  # tp, fp, tn, fn
        assert [[r.tp, r.fp, r.tn, r.fn] for r in of_class] == counts.tolist()
        f1 = binary_f1_score(p.int(), t.int(), multidim_average="samplewise").numpy()
        ours = np.array([r.dsc for r in of_class])
        np.testing.assert_allclose(ours[~neither], f1[~neither], atol=1e-6)
        assert (ours[neither] == 1).all()
        # MONAI has no figure where the truth is empty, unless told that empty against empty is 1.
        for compute, name in ((compute_dice, "dsc"), (compute_iou, "iou")):
            theirs = compute(p[:, None].float(), t[:, None].float(), ignore_empty=False)[:, 0].numpy()
            np.testing.assert_allclose([r.measure(name) for r in of_class], theirs, atol=1e-6)
        for row, one_p, one_t in list(zip(of_class, p.numpy(), t.numpy(), strict=True))[:300]:
            tn, fp, fn, tp = confusion_matrix(one_t.ravel(), one_p.ravel(), labels=[False, True]).ravel()
            expected = {
                "sensitivity": (tp, tp + fn),
                "specificity": (tn, tn + fp),
                "precision": (tp, tp + fp),
                "iou": (tp, tp + fp + fn),
            }
            for measure, (top, bottom) in expected.items():
                value = row.measure(measure)
                if bottom:
                    assert value == pytest.approx(top / bottom)
                else:
                    assert value == 1.0 if measure == "iou" else math.isnan(value)


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
    low, high = bootstrap_interval([r.group for r in rows], values)
    narrow_low, narrow_high = bootstrap_interval([r.name for r in rows], values)
    assert low < np.mean(values) < high
    assert high - low > 1.5 * (narrow_high - narrow_low)


def test_rows_survive_the_csv(tmp_path: Path) -> None:
    rows = count_overlap(np.array([[1, 2]]), np.array([[1, 0]]), SCHEMA, name="a", group="g", fold=3)
    write_overlaps(tmp_path / "x.csv", rows)
    assert read_overlaps(tmp_path / "x.csv") == rows


def test_rows_with_distances_and_rows_of_patients_survive_the_csv(tmp_path: Path) -> None:
    rows = count_overlap(np.array([[1, 2]]), np.array([[1, 0]]), SCHEMA, name="a", group="g", spacing_mm=(0.5, 2.0))
    assert [r.hd95_mm for r in rows] == [0.0, None, pytest.approx(1.9)]  # of 0 and 2 mm: the 95th percentile
    write_overlaps(tmp_path / "x.csv", rows)
    assert read_overlaps(tmp_path / "x.csv") == rows
    write_overlaps(tmp_path / "x.csv", rows, with_measures=True)
    assert read_overlaps(tmp_path / "x.csv") == rows
    assert (tmp_path / "x.csv").read_text().splitlines()[2] == "a,g,0,consolidation,0,1,0,1,,0.0,0.0,,0.5,0.0"
    write_overlaps(tmp_path / "y.csv", pool_groups(rows))
    assert (tmp_path / "y.csv").read_text().splitlines()[1] == "g,ggo,1,1,1,0,0,1,0.0"


def test_pooling_sums_the_pixels_of_a_patient() -> None:
    rows = [
        SliceOverlap("a", "p", 0, "ggo", 1, 2, 3, 4, 2.0),
        SliceOverlap("b", "q", 0, "ggo", 5, 0, 0, 5),
        SliceOverlap("c", "p", 0, "ggo", 0, 1, 0, 9, None),
        SliceOverlap("d", "p", 0, "ggo", 1, 0, 0, 9, 4.0),
    ]
    assert pool_groups(rows) == [
        GroupOverlap("p", "ggo", 3, 2, 2, 3, 3, 22, 3.0),
        GroupOverlap("q", "ggo", 1, 1, 5, 0, 0, 5, None),
    ]


@pytest.mark.parametrize("weights", ["resnet18-v1", "resnet18-v2", "resnet18-v2-again", "resnet18-v3"])
def test_the_committed_rows_give_the_committed_table(weights: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    rows = read_overlaps(docs / "results" / f"{weights}-per-slice.csv")
    table, _ = overlap_table(rows, SCHEMA).split("\n\n", 1)
    assert table in (docs / "results.md").read_text(encoding="utf-8")


def test_other_sizes_and_unknown_labels_are_refused() -> None:
    with pytest.raises(SchemaError, match="size"):
        count_overlap(np.zeros((2, 2), int), np.zeros((2, 3), int), SCHEMA, name="a", group="g")
    with pytest.raises(SchemaError, match="schema"):
        count_overlap(np.full((2, 2), 3), np.zeros((2, 2), int), SCHEMA, name="a", group="g")
    with pytest.raises(SchemaError, match="schema"):
        count_overlap(np.full((2, 2), -1), np.zeros((2, 2), int), SCHEMA, name="a", group="g")
