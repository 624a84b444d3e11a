"""lungs.json, regions.csv and scan.csv hold the figures of the lungs, and scan.csv the same columns for every scan."""

from __future__ import annotations

import csv
import dataclasses
import json

import pytest

from msdnet.quantification import measure_lesions, measure_scan_lungs
from msdnet.quantification.lung_checks import LungFindings
from msdnet.reporting import write_lung_tables


def _written(segmentation, folder):
    scan, labels, schema = segmentation.scan, segmentation.labels, segmentation.schema
    lungs = measure_scan_lungs(scan, labels, schema)
    folder.mkdir(exist_ok=True)
    measures = measure_lesions(scan, labels, schema)
    files = write_lung_tables(lungs.measures, lungs.absent, measures, "a scan", folder)
    tables = {}
    for name in files.values():
        text = (folder / name).read_text(encoding="utf-8")
        tables[name] = json.loads(text) if name.endswith("json") else list(csv.DictReader(text.splitlines()))
    return lungs.measures, tables


def test_the_tables_hold_the_figures(make_segmentation, tmp_path):
    measures, tables = _written(make_segmentation(), tmp_path)
    assert list(tables) == ["scan.csv", "lungs.json", "regions.csv"]
    record = tables["lungs.json"]
    assert record["absent"]["opacity_percent"] == "cut"  # lung on every slice of the scan
    assert record["findings"]["cut"] == ["lower", "upper"]
    assert record["aeration_percent"]["lungs"]["normal"] == 100  # all of it has -850 HU
    assert (record["opacity_percent"], record["carina_slice"]) == (None, None)
    right = next(r for r in record["regions"] if r["name"] == "right")
    assert right["voxels"] == measures.region("right").voxels
    assert right["classes"][0]["percent"] == round(measures.region("right").percent("ggo"), 4)
    rows = {(row["region"], row["class"]): row for row in tables["regions.csv"]}
    assert float(rows["right", "ggo"]["percent"]) == right["classes"][0]["percent"]
    assert float(rows["lungs", "consolidation"]["volume_ml"]) == pytest.approx(25 * 2.25 / 1000, abs=1e-4)
    assert rows["left", "ggo"]["mean_hu"] == ""
    [line] = tables["scan.csv"]
    assert (line["scan"], line["slices"], line["lungs_absent"]) == ("a scan", "20", "")
    assert (line["right_ggo_percent"], line["opacity_percent"]) == ("", "")
    assert float(line["lungs_ggo_mass_g"]) > 0


def test_percentages_of_whole_lungs_are_in_the_line(make_segmentation, tmp_path):
    segmentation = make_segmentation()
    scan, labels, schema = segmentation.scan, segmentation.labels, segmentation.schema
    cut = measure_scan_lungs(scan, labels, schema).measures
    whole = dataclasses.replace(cut, findings=LungFindings())
    write_lung_tables(whole, "", measure_lesions(scan, labels, schema), "a scan", tmp_path)
    [line] = csv.DictReader((tmp_path / "scan.csv").read_text(encoding="utf-8").splitlines())
    assert float(line["right_ggo_percent"]) == round(whole.region("right").percent("ggo"), 4) > 0


def test_every_scan_of_a_schema_has_the_same_columns(make_segmentation, tmp_path):
    _, whole = _written(make_segmentation(), tmp_path / "a")
    _, grey = _written(make_segmentation(grey=True), tmp_path / "b")
    _, unknown = _written(make_segmentation(spacing_known=False), tmp_path / "c")
    _, turned = _written(make_segmentation(orientation_known=False, kind="volume"), tmp_path / "d")
    columns = [list(tables["scan.csv"][0]) for tables in (whole, grey, unknown, turned)]
    assert columns[0] == columns[1] == columns[2] == columns[3]
    assert [tables["scan.csv"][0]["lungs_absent"] for tables in (grey, turned)] == ["grey", "orientation"]
    assert list(grey) == ["scan.csv"]
    assert unknown["scan.csv"][0]["lungs_absent"] == "spacing"
    assert (unknown["scan.csv"][0]["lungs_cut"], whole["scan.csv"][0]["lungs_cut"]) == ("", "lower upper")


def test_a_schema_with_one_class_has_it_once(make_segmentation, tmp_path):
    segmentation = make_segmentation(schema="infection")
    segmentation.labels[segmentation.labels > 1] = 1
    _, tables = _written(segmentation, tmp_path)
    assert {row["class"] for row in tables["regions.csv"]} == {"infection"}
