from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from msdnet.evaluation.comparison import comparison_table, significance_table
from msdnet.evaluation.overlap import SliceOverlap, count_overlap, read_overlaps, write_overlaps
from msdnet.evaluation.tables import figures_table, rows_of
from msdnet.labels import get_schema

SCHEMA = get_schema("ggo-consolidation")


def predict(truth: np.ndarray, share: float, seed: int, *, spacing_mm: tuple[float, float] | None = None):
    """Rows of a network that is right in `share` of the pixels and else says background; three slices a patient."""
    rng = np.random.default_rng(seed)
    rows: list[SliceOverlap] = []
    for i, true in enumerate(truth):
        predicted = np.where(rng.uniform(size=true.shape) < share, true, 0)
        rows += count_overlap(predicted, true, SCHEMA, name=str(i), group=f"p{i // 3}", spacing_mm=spacing_mm)
    return rows


@pytest.fixture(scope="module")
def networks() -> dict[str, list[SliceOverlap]]:
    truth = np.random.default_rng(0).integers(0, 3, (30, 12, 12))
    return {"MSD-Net": predict(truth, 0.9, 1), "U-Net": predict(truth, 0.5, 2), "twin": predict(truth, 0.9, 1)}


def test_rows_are_network_times_class_with_p_against_the_reference(networks) -> None:
    table = comparison_table(networks, SCHEMA, reference="MSD-Net", notes=["one seed", "synthetic"])
    assert [row[:2] for row in table.rows[:4]] == [
        ("MSD-Net", "Ground-glass opacity"),
        ("MSD-Net", "Consolidation"),
        ("MSD-Net", "Any lesion"),
        ("U-Net", "Ground-glass opacity"),
    ]
    head = table.markdown().splitlines()
    assert head[0] == "**one seed; synthetic**"
    assert head[2] == (
        "| network | class | DSC | sensitivity | specificity | DSC, pooled | false area "
        "| p, DSC | p, sensitivity | p, specificity |"
    )
    cells = list(csv.DictReader(io.StringIO(table.csv())))
    assert cells[0]["p_dsc"] == "reference"
    # Ten patients, all worse: 2 / 2^10, times the 2 x 3 x 3 tests shown, those without a p-value included.
    assert float(cells[3]["p_dsc"]) == pytest.approx(18 * 2 / 2**10)
    assert cells[3]["p_specificity"] == cells[6]["p_dsc"] == "no difference"
    assert float(cells[0]["dsc"]) == pytest.approx(np.mean([r.dsc for r in rows_of(networks["MSD-Net"], "ggo")]))
    assert float(cells[3]["sensitivity"]) == pytest.approx(0.5, abs=0.05)
    assert "the unit is the patient or group" in table.foot
    assert "over the 18 tests" in table.foot


def test_effects_and_the_marked_p_over_slices_stand_in_a_table_of_their_own(networks) -> None:
    table = significance_table(networks, SCHEMA, reference="MSD-Net")
    assert "p over slices (anti-conservative)" in table.markdown()
    first = next(csv.DictReader(io.StringIO(table.csv())))
    assert (first["network"], first["class"], first["measure"]) == ("U-Net", "Ground-glass opacity", "DSC")
    assert (first["num_groups"], first["num_zero"], first["num_slices"]) == ("10", "0", "30")
    assert float(first["rank_biserial"]) == -1.0
    assert float(first["difference_low"]) < float(first["difference"]) < float(first["difference_high"]) < 0
    assert float(first["p_slices"]) < float(first["p"]) < float(first["p_holm"])


def test_slices_without_known_groups_are_said_to_be_the_unit(networks) -> None:
    alone = {
        name: [r.__class__(**{**r.__dict__, "group": r.name}) for r in rows] for name, rows in networks.items()
    }  # fmt: skip
    assert (
        "slice, since no groups are known (anti-conservative)" in comparison_table(alone, SCHEMA, reference="twin").foot
    )


def test_tables_from_the_csv_of_rows_are_the_same(networks, tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(0, 3, (6, 12, 12))
    rows = predict(truth, 0.8, 3, spacing_mm=(0.7, 0.9))
    write_overlaps(tmp_path / "x.csv", rows)
    assert figures_table(read_overlaps(tmp_path / "x.csv"), SCHEMA) == figures_table(rows, SCHEMA)
    kept = {}
    for name, of_network in networks.items():
        write_overlaps(tmp_path / f"{name}.csv", of_network)
        kept[name] = read_overlaps(tmp_path / f"{name}.csv")
    assert comparison_table(kept, SCHEMA, reference="twin") == comparison_table(networks, SCHEMA, reference="twin")


def test_figures_stand_under_every_convention_with_distances_where_known() -> None:
    truth = np.random.default_rng(0).integers(0, 3, (6, 12, 12))
    truth[0] = 0
    table = figures_table(predict(truth, 0.8, 3, spacing_mm=(0.7, 0.9)), SCHEMA, min_pixels=2)
    ggo = [row for row in table.rows if row[0] == "Ground-glass opacity"]
    assert [row[1:3] for row in ggo] == [
        ("slices with it", 5),
        ("all slices, empty = 1", 6),
        ("patients or groups", 2),
        ("pooled", 6),
        ("detection, slices", 6),
        ("detection, patients or groups", 2),
    ]
    assert "HD95 in mm" in table.markdown()
    assert "from 2 pixels on" in table.foot
    assert "HD95" not in figures_table(predict(truth, 0.8, 3), SCHEMA).markdown()
