"""The DICOM SR says what the tables say: read back by dcmqi and by pydicom, judged by dciodvfy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

from msdnet.data.phantom import make_phantom, write_phantom_dicom
from msdnet.labels import get_schema
from msdnet.prediction import Segmentation
from msdnet.quantification import GivenLungs
from msdnet.reporting import structured_report
from msdnet.reporting.structured_report import CODES, SCHEME
from msdnet.scans import find_scans
from msdnet.study import segment_study

PHANTOM = make_phantom(2, shape=(24, 128, 128))


class TruthSegmenter:
    """Gives the phantom's true labels."""

    flips, all_slices = False, False

    def segment(self, scan, progress=None):
        labels = PHANTOM.labels_in("ggo-consolidation")
        return Segmentation(scan, labels, get_schema("ggo-consolidation"), "true-weights", "0f" * 32, "cpu")


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sr")
    write_phantom_dicom(PHANTOM, folder / "ct")
    segment_study(find_scans([folder / "ct"])[0], folder / "out", TruthSegmenter())
    return folder / "out"


def _tables(result):
    lungs = json.loads((result / "lungs.json").read_text(encoding="utf-8"))
    measures = {m["class"]: m for m in json.loads((result / "measures.json").read_text(encoding="utf-8"))}
    return measures, lungs, {region["name"]: region for region in lungs["regions"]}


def test_dcmqi_reads_the_figures_of_every_segment_back(result, tmp_path):
    reader = Path(sys.executable).with_name("tid1500reader")
    arguments = ["--inputDICOM", result / "measures.dcm", "--outputMetadata", tmp_path / "read.json"]
    subprocess.run([reader, *arguments], check=True, capture_output=True)
    read = json.loads((tmp_path / "read.json").read_text(encoding="utf-8"))
    groups = {group["TrackingIdentifier"]: group for group in read["Measurements"]}
    assert [groups[name]["ReferencedSegment"] for name in ("msdnet ggo", "msdnet consolidation")] == [1, 2]
    measures, _, regions = _tables(result)
    for name in ("ggo", "consolidation"):
        found = _quantities(groups[f"msdnet {name}"])
        in_lungs = next(c for c in regions["lungs"]["classes"] if c["class_name"] == name)
        assert found == {
            "118565006": (pytest.approx(measures[name]["volume_ml"], abs=1e-4), "ml"),
            "112031 Mean": (pytest.approx(measures[name]["mean_hu"], abs=0.01), "[hnsf'U]"),
            "112031 Standard Deviation": (pytest.approx(in_lungs["sd_hu"], abs=0.01), "[hnsf'U]"),
            "MASS": (in_lungs["mass_g"], "g"),
            "NUM_LESIONS": (in_lungs["num_lesions"], "1"),
            "LARGEST_DIAMETER": (in_lungs["largest_mm"], "mm"),
            "PERCENT_OF_LUNGS": (in_lungs["percent"], "%"),
        }
    levels = [f"{side}_{level}_third" for side in ("right", "left") for level in ("upper", "middle", "lower")]
    parts = [*enumerate(("right", "left"), start=1), *enumerate(levels, start=1)]
    for number, side in parts:
        group = groups[f"msdnet {side}"]
        assert (group["ReferencedSegment"], group["Finding"]["CodeValue"]) == (number, "39607008")
        found, region = _quantities(group), regions[side]
        assert found["118565006"] == (region["volume_ml"], "ml")
        assert found["PERCENT_LESION"] == (region["classes"][-1]["percent"], "%")


def _quantities(group):
    found = {}
    for item in group["measurementItems"]:
        modifier = item.get("derivationModifier", {}).get("CodeMeaning", "")
        name = f"{item['quantity']['CodeValue']} {modifier}".strip()
        found[name] = (float(item["value"]), item["units"]["CodeValue"])
    return found


def test_opacity_and_scores_are_in_a_group_of_the_whole_scan(result):
    dataset = pydicom.dcmread(result / "measures.dcm")
    _, lungs, _ = _tables(result)
    found = {
        item.ConceptNameCodeSequence[0].CodeValue: (
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in _items(dataset)
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodingSchemeDesignator == SCHEME
    }
    for key, unit in (("opacity_percent", "%"), ("high_opacity_percent", "%"), ("thirds_score", "1")):
        assert found[CODES[key][0]] == (lungs[key], unit)
    assert CODES["ct_severity"][0] not in found  # no lobes are known
    schemes = {s.CodingSchemeDesignator for s in dataset.CodingSchemeIdentificationSequence}
    assert SCHEME in schemes


def _items(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _items(child)


def test_it_is_unverified_research_in_the_sources_study(result):
    dataset = pydicom.dcmread(result / "measures.dcm")
    source = pydicom.dcmread(next((result.parent / "ct").iterdir()))
    assert (dataset.VerificationFlag, dataset.StudyInstanceUID) == ("UNVERIFIED", source.StudyInstanceUID)
    assert "Research use only" in dataset.SeriesDescription
    assert (dataset.ContentDate, dataset.ContentTime) == (source.StudyDate, source.StudyTime)
    texts = [i.TextValue for i in _items(dataset) if i.ValueType == "TEXT"]
    assert "0f" * 8 in " ".join(texts)  # the weights' hash
    names = {e.SOPClassUID.name for e in map(pydicom.dcmread, (result / "segmentation.dcm", result / "lungs.dcm"))}
    assert names == {"Segmentation Storage"}


def test_dciodvfy_finds_no_error(result, require_tool):
    for name in ("measures.dcm", "lungs.dcm", "zones.dcm", "segmentation.dcm"):
        run = subprocess.run(
            [require_tool("dciodvfy"), "-new", result / name], capture_output=True, text=True, check=False
        )
        assert not [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]


def test_a_repeat_gives_the_same_bytes(result, tmp_path):
    segment_study(find_scans([result.parent / "ct"])[0], tmp_path / "again", TruthSegmenter())
    for name in ("measures.dcm", "lungs.dcm", "zones.dcm", "segmentation.dcm"):
        assert (tmp_path / "again" / name).read_bytes() == (result / name).read_bytes()


def test_other_levels_of_the_zones_give_another_report(result, tmp_path):
    given = GivenLungs(carina=14, veins=9)
    segment_study(find_scans([result.parent / "ct"])[0], tmp_path / "zones", TruthSegmenter(), given_lungs=given)
    plain, zones = (pydicom.dcmread(folder / "measures.dcm") for folder in (result, tmp_path / "zones"))
    assert plain.SOPInstanceUID != zones.SOPInstanceUID
    assert (tmp_path / "zones" / "lungs.dcm").read_bytes() == (result / "lungs.dcm").read_bytes()


@pytest.mark.parametrize("keyword", ["StudyDate", "StudyTime", "PatientID", "PatientBirthDate", "AccessionNumber"])
def test_a_header_without_a_type_2_element_has_a_report(tmp_path, keyword):
    write_phantom_dicom(PHANTOM, tmp_path / "ct")
    for path in (tmp_path / "ct").iterdir():
        header = pydicom.dcmread(path)
        del header[keyword]
        header.save_as(path)
    segment_study(find_scans([tmp_path / "ct"])[0], tmp_path / "out", TruthSegmenter())
    assert (tmp_path / "out" / "measures.dcm").is_file()


def test_headers_that_make_a_report_impossible_cost_it_alone(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ValueError("a value that quotes the patient")

    monkeypatch.setattr(structured_report.hd.sr, "ComprehensiveSR", refuse)
    write_phantom_dicom(PHANTOM, tmp_path / "ct")
    segment_study(find_scans([tmp_path / "ct"])[0], tmp_path / "out", TruthSegmenter())
    assert not (tmp_path / "out" / "measures.dcm").exists()
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert "not valid in DICOM (ValueError)" in record["structured_report_absent"]
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_report_goes_into_the_study_as_encapsulated_pdf(result, tmp_path, require_tool):
    if not (result / "report.pdf").is_file():
        pytest.skip('needs the extra "pdf"')
    for name in ("a", "b"):
        segment_study(find_scans([result.parent / "ct"])[0], tmp_path / name, TruthSegmenter(), dicom_pdf=True)
    document = pydicom.dcmread(tmp_path / "a" / "report.dcm")
    source = pydicom.dcmread(next((result.parent / "ct").iterdir()))
    assert (
        document.EncapsulatedDocument[: document.EncapsulatedDocumentLength]
        == (tmp_path / "a" / "report.pdf").read_bytes()
    )
    assert (document.StudyInstanceUID, document.PatientID) == (source.StudyInstanceUID, source.PatientID)
    command = [require_tool("dciodvfy"), "-new", tmp_path / "a" / "report.dcm"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
    assert (tmp_path / "b" / "report.dcm").read_bytes() == (tmp_path / "a" / "report.dcm").read_bytes()
    assert not (result / "report.dcm").exists()


def test_a_class_that_is_not_marked_has_no_group(tmp_path):
    class Nothing(TruthSegmenter):
        def segment(self, scan, progress=None):
            found = super().segment(scan)
            return Segmentation(scan, np.where(found.labels == 2, 0, found.labels), *_rest(found))

    def _rest(found):
        return found.schema, found.weights_name, found.weights_sha256, found.device

    write_phantom_dicom(PHANTOM, tmp_path / "ct")
    segment_study(find_scans([tmp_path / "ct"])[0], tmp_path / "out", Nothing())
    dataset = pydicom.dcmread(tmp_path / "out" / "measures.dcm")
    texts = [i.TextValue for i in _items(dataset) if i.ValueType == "TEXT"]
    assert "msdnet ggo" in texts
    assert "msdnet consolidation" not in texts
