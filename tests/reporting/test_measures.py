"""measures.json and measures.csv hold the same figures."""

from __future__ import annotations

import csv
import json

from msdnet.prediction.trust import Trust
from msdnet.quantification import LesionMeasure
from msdnet.reporting import write_measures

KEYS = ["class", "voxels", "volume_ml", "num_slices_with_class", "share_of_slices_with_class", "mean_hu"]
TRUST_KEYS = [
    "predicted_dsc",
    "predicted_dsc_low",
    "predicted_dsc_high",
    "voxels_low",
    "voxels_high",
    "volume_low_ml",
    "volume_high_ml",
    "review",
    "review_reason",
    "trust_basis",
]
TRUST = Trust("ggo", 0.61234, (0.4, 0.8), (0.5, 2.0), True, "it moves")


def test_both_tables_have_the_stated_keys_and_figures(tmp_path):
    measures = [LesionMeasure("ggo", 4, 0.0021, 2, 0.4, -150.125), LesionMeasure("consolidation", 0, 0.0, 0, 0.0, None)]
    write_measures(measures, tmp_path)
    records = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert [list(record) for record in records] == [KEYS + TRUST_KEYS] * 2
    assert list(records[0].values()) == ["ggo", 4, 0.0021, 2, 0.4, -150.12] + [None] * len(TRUST_KEYS)
    with (tmp_path / "measures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == KEYS + TRUST_KEYS
    assert list(rows[0].values()) == ["ggo", "4", "0.0021", "2", "0.4", "-150.12"] + [""] * len(TRUST_KEYS)
    assert rows[1]["mean_hu"] == ""


def test_an_unknown_volume_is_null_and_empty(tmp_path):
    write_measures([LesionMeasure("ggo", 4, None, 1, 1.0, None)], tmp_path)
    assert json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))[0]["volume_ml"] is None
    assert (tmp_path / "measures.csv").read_text(encoding="utf-8").splitlines()[1] == "ggo,4,,1,1.0," + "," * len(
        TRUST_KEYS
    )


def test_trust_becomes_intervals_of_voxels_and_volume(tmp_path):
    write_measures([LesionMeasure("ggo", 10, 3.0, 2, 0.4, None, TRUST, num_slices=5)], tmp_path)
    [record] = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert [record[key] for key in TRUST_KEYS] == [
        *(0.612, 0.4, 0.8, 5, 20, 1.5, 6.0, True, "it moves"),
        "fitted on single slices; not calibrated on whole scans",
    ]


def test_a_single_slice_is_what_trust_was_fitted_on_and_no_spacing_gives_no_volume(tmp_path):
    write_measures([LesionMeasure("ggo", 10, None, 1, 1.0, None, TRUST)], tmp_path)
    [record] = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert record["trust_basis"] == "fitted on single slices"
    assert (record["voxels_low"], record["volume_low_ml"], record["volume_high_ml"]) == (5, None, None)
