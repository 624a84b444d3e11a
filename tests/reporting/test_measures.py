"""measures.json and measures.csv hold the same figures."""

from __future__ import annotations

import csv
import json

from msdnet.quantification import LesionMeasure
from msdnet.reporting import write_measures

KEYS = ["class", "voxels", "volume_ml", "num_slices_with_class", "share_of_slices_with_class", "mean_hu"]


def test_both_tables_have_the_stated_keys_and_figures(tmp_path):
    measures = [LesionMeasure("ggo", 4, 0.0021, 2, 0.4, -150.125), LesionMeasure("consolidation", 0, 0.0, 0, 0.0, None)]
    write_measures(measures, tmp_path)
    records = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert [list(record) for record in records] == [KEYS, KEYS]
    assert list(records[0].values()) == ["ggo", 4, 0.0021, 2, 0.4, -150.12]
    with (tmp_path / "measures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == KEYS
    assert list(rows[0].values()) == ["ggo", "4", "0.0021", "2", "0.4", "-150.12"]
    assert rows[1]["mean_hu"] == ""


def test_an_unknown_volume_is_null_and_empty(tmp_path):
    write_measures([LesionMeasure("ggo", 4, None, 1, 1.0, None)], tmp_path)
    assert json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))[0]["volume_ml"] is None
    assert (tmp_path / "measures.csv").read_text(encoding="utf-8").splitlines()[1] == "ggo,4,,1,1.0,"
