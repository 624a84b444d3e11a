from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from msdnet.evaluation.pictures.reliability import draw_reliability
from msdnet.evaluation.trust import Judgement, fit_trust, judge_trust, trust_table
from msdnet.evaluation.trust_rows import TrustRow, read_trust_rows, write_trust_rows
from msdnet.labels import get_schema
from msdnet.prediction.steadiness import VARIANTS, Steadiness
from msdnet.prediction.trust import AREA_ALONE, estimate_trust

SCHEMA = get_schema("ggo-consolidation")


def _rows(count: int = 60, seed: int = 0) -> list[TrustRow]:
    """Slices whose true DSC follows from how steady they are, but for a little; their area says nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        area = int(rng.integers(200, 4000))
        agreement = rng.uniform(0.2, 0.95)
        shared = tuple(int(area * np.clip(agreement + rng.normal(0, 0.02), 0, 1)) for _ in VARIANTS)
        dsc = float(np.clip(agreement - 0.05 + rng.normal(0, 0.05), 0, 1))
        steadiness = Steadiness("ggo", 10_000, area, (area,) * len(VARIANTS), shared, area * 1.0, area * agreement)
        rows.append(TrustRow(f"s{i}", f"g{i // 2}", i // 2 % 5, steadiness, area, round(dsc * area)))
    return rows


def test_steadiness_tells_dsc_where_area_does_not() -> None:
    rows = _rows()
    [told], [trivial] = judge_trust(rows), judge_trust(rows, AREA_ALONE)
    assert told.spearman.value > 0.9
    assert told.spearman.interval[0] > 0.8
    assert abs(trivial.spearman.value) < 0.4
    assert 0.8 <= told.dsc_inside.value <= 1
    assert told.area_inside.value == pytest.approx(1)  # the marked area is the true one everywhere
    assert told.caught.value > 0.6 > 0.25 > told.flagged.value > 0.1


def test_what_is_told_of_a_fold_does_not_know_its_truth() -> None:
    rows = _rows()
    wrong = [dataclasses.replace(r, shared=0) if r.fold == 2 else r for r in rows]
    [told], [told_wrong] = judge_trust(rows), judge_trust(wrong)
    of_fold = [t for r, t in told.told if r.fold == 2]
    assert of_fold == [t for r, t in told_wrong.told if r.fold == 2]
    assert of_fold
    assert [t for r, t in told.told if r.fold == 0] != [t for r, t in told_wrong.told if r.fold == 0]


def test_the_interval_comes_from_groups_left_out() -> None:
    """Slices of a group that are all wrong in a way of their own widen it: no slice vouches for its own group."""
    rows = _rows()
    odd = [dataclasses.replace(r, shared=0) if r.group in ("g0", "g1", "g2") else r for r in rows]
    [usual], [wide] = fit_trust(rows), fit_trust(odd)
    assert wide.dsc.low < usual.dsc.low - 0.2


def test_a_slice_with_the_class_on_which_nothing_is_marked_is_counted_as_missed() -> None:
    rows = _rows()
    nothing = dataclasses.replace(rows[0].steadiness, area=0, areas=(0,) * len(VARIANTS), shared=(0,) * len(VARIANTS))
    missed = dataclasses.replace(rows[0], steadiness=nothing, shared=0)
    [told] = judge_trust([missed, *rows[1:]])
    assert told.num_missed == 1
    assert len(told.told) == len(rows) - 1


def test_a_class_on_few_slices_has_no_calibration() -> None:
    assert fit_trust(_rows(18)) == []
    assert judge_trust(_rows(18)) == []
    one_group = [dataclasses.replace(r, group="g") for r in _rows()]
    assert fit_trust(one_group) == []


def test_the_fit_is_used_as_the_product_uses_it() -> None:
    rows = _rows()
    models = fit_trust(rows)
    truth = np.array([r.dsc for r in rows])
    told = np.array([estimate_trust(models, [r.steadiness])[0].predicted_dsc for r in rows])
    assert np.abs(told - truth).mean() < 0.06


def test_shares_of_a_judgement_by_hand() -> None:
    rows = [dataclasses.replace(r, true_area=100, shared=s) for r, s in zip(_rows(10), range(10, 110, 10), strict=True)]
    rows = [dataclasses.replace(r, steadiness=dataclasses.replace(r.steadiness, area=100)) for r in rows]
    [trust] = estimate_trust(fit_trust(_rows()), [rows[0].steadiness])
    told = [
        dataclasses.replace(trust, review=i in (0, 7), dsc_interval=(0.25, 0.85), ratio_interval=(0.5, 0.9))
        for i in range(10)
    ]
    judgement = Judgement("ggo", tuple(zip(rows, told, strict=True)), 0)
    assert judgement.flagged.value == pytest.approx(0.2)
    assert judgement.caught.value == pytest.approx(0.5)  # of the two worst, 0 and 1, the first
    assert judgement.dsc_inside.value == pytest.approx(0.6)  # 0.3 to 0.8
    assert judgement.area_inside.value == 0


def test_rows_survive_a_file(tmp_path: Path) -> None:
    rows = _rows(6)
    write_trust_rows(tmp_path / "rows.csv", rows)
    kept = read_trust_rows(tmp_path / "rows.csv")
    assert [dataclasses.replace(r, steadiness=rows[0].steadiness) for r in kept] == [
        dataclasses.replace(r, steadiness=rows[0].steadiness) for r in rows
    ]
    assert [r.steadiness.agreement for r in kept] == [r.steadiness.agreement for r in rows]
    assert [r.steadiness.confidence for r in kept] == pytest.approx([r.steadiness.confidence for r in rows])


def test_the_table_puts_the_trivial_predictor_beside(tmp_path: Path) -> None:
    table = trust_table(_rows(), SCHEMA, notes=["synthetic"])
    assert [row[:3] for row in table.rows] == [
        ("Ground-glass opacity", "steadiness", 60),
        ("Ground-glass opacity", "marked area alone", 60),
    ]
    assert table.markdown().startswith("**synthetic**")
    names = draw_reliability(judge_trust(_rows()), SCHEMA, tmp_path, "trust", title="synthetic")
    assert all((tmp_path / name).stat().st_size > 1000 for name in names)


def test_an_interval_beside_the_prediction_is_drawn(tmp_path: Path) -> None:
    """One slice that is all wrong can pull every prediction below the interval."""
    [judgement] = judge_trust(_rows())
    beside = [(row, dataclasses.replace(t, predicted_dsc=0.5, dsc_interval=(0.6, 0.9))) for row, t in judgement.told]
    draw_reliability([dataclasses.replace(judgement, told=tuple(beside))], SCHEMA, tmp_path, "trust")
    assert (tmp_path / "trust.png").is_file()
