"""The DICOM SR says what the tables say: read back by dcmqi and by pydicom, judged by dciodvfy."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from msdnet.data.phantom import make_phantom, write_phantom_dicom
from msdnet.labels import LUNG_PARTS, LUNGS, OWN_SCHEME, get_schema
from msdnet.prediction import Segmentation
from msdnet.prediction.trust import Trust
from msdnet.quantification import GivenLungs
from msdnet.reporting import structured_report
from msdnet.reporting.measurement_groups import CODES
from msdnet.scans import find_scans
from msdnet.study import segment_study

PHANTOM = make_phantom(2, shape=(24, 128, 128))
TRUST = (
    Trust("ggo", 0.8123, (0.71, 0.9), (0.8, 1.3), review=False),
    Trust("consolidation", 0.412, (0.2, 0.6), (0.5, 1.5), review=True, reason="seen again, the marks differ"),
)
FINDING_CATEGORY = "276214006"  # dcmqi lists it among the qualitative evaluations


class TruthSegmenter:
    """Gives the phantom's true labels."""

    flips, all_slices = False, False

    def __init__(self, trust=()):
        self.trust = trust

    def segment(self, scan, progress=None):
        labels, schema = PHANTOM.labels_in("ggo-consolidation"), get_schema("ggo-consolidation")
        return Segmentation(scan, labels, schema, "true-weights", "0f" * 32, "cpu", trust=self.trust)


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    """With lungs that were found, in thirds, and with trust."""
    folder = tmp_path_factory.mktemp("sr")
    write_phantom_dicom(PHANTOM, folder / "ct")
    segment_study(find_scans([folder / "ct"])[0], folder / "out", TruthSegmenter(TRUST))
    return folder / "out"


@pytest.fixture(scope="module")
def of_lobes(result, tmp_path_factory) -> Path:
    """With lobes of a mask, in anatomical zones, and without trust."""
    folder = tmp_path_factory.mktemp("lobes")
    image = nib.load(result / "lungs.nii.gz")
    sides = np.asarray(image.dataobj)
    height = np.broadcast_to(np.arange(sides.shape[2]), sides.shape)
    lobes = np.select(
        [
            (sides == 1) & (height > 14),
            (sides == 1) & (height > 8),
            sides == 1,
            (sides == 2) & (height > 11),
            sides == 2,
        ],
        [3, 4, 5, 1, 2],
    )
    nib.save(nib.Nifti1Image(lobes.astype(np.uint8), image.affine), folder / "lobes.nii.gz")
    given = GivenLungs(mask=folder / "lobes.nii.gz", scheme="lungmask-lobes", carina=14, veins=9)
    segment_study(find_scans([result.parent / "ct"])[0], folder / "out", TruthSegmenter(), given_lungs=given)
    return folder / "out"


@pytest.fixture(params=["result", "of_lobes"])
def either(request) -> Path:
    return request.getfixturevalue(request.param)


def _tables(result):
    lungs = json.loads((result / "lungs.json").read_text(encoding="utf-8"))
    measures = {m["class"]: m for m in json.loads((result / "measures.json").read_text(encoding="utf-8"))}
    return measures, lungs, {region["name"]: region for region in lungs["regions"]}


def _groups(result, tmp_path):
    """What dcmqi reads of measures.dcm, by tracking identifier."""
    reader = Path(sys.executable).with_name("tid1500reader")
    arguments = ["--inputDICOM", result / "measures.dcm", "--outputMetadata", tmp_path / "read.json"]
    subprocess.run([reader, *arguments], check=True, capture_output=True)
    read = json.loads((tmp_path / "read.json").read_text(encoding="utf-8"))["Measurements"]
    groups = {group["TrackingIdentifier"].removeprefix("msdnet "): group for group in read}
    assert len(groups) == len(read)
    return groups


def _quantities(group):
    found = {}
    for item in group["measurementItems"]:
        modifier = item.get("derivationModifier", {}).get("CodeMeaning", "")
        name = f"{item['quantity']['CodeValue']} {modifier}".strip()
        assert name not in found
        found[name] = (float(item["value"]), item["units"]["CodeValue"])
    return found


def _evaluations(group):
    found = {e["conceptCode"]["CodeValue"]: e["conceptValue"] for e in group["qualitativeEvaluations"]}
    return {
        name: v if isinstance(v, str) else v["CodeMeaning"] for name, v in found.items() if name != FINDING_CATEGORY
    }


def _figures(table, **names):
    """Figures of a table as they must be read; without those that are empty. Keys: names in the table."""
    known = {"volume_ml": ("118565006", "ml"), "mean_hu": ("112031 Mean", "[hnsf'U]")}
    known["sd_hu"] = ("112031 Standard Deviation", "[hnsf'U]")
    own = {key: (code, unit.value) for key, (code, _, unit) in CODES.items()}
    codes = {key: own.get(as_key) or known[as_key] for key, as_key in names.items()}
    return {
        code: (pytest.approx(float(table[key]), abs=0.01 if unit == "[hnsf'U]" else 6e-4), unit)
        for key, (code, unit) in codes.items()
        if table[key] not in (None, "")
    }


def _same(*keys):
    return {key: key for key in keys}


def test_each_class_has_the_figures_of_the_tables_and_how_far_to_trust_them(either, tmp_path):
    groups = _groups(either, tmp_path)
    measures, _, regions = _tables(either)
    for number, name in enumerate(("ggo", "consolidation"), start=1):
        assert groups[name]["ReferencedSegment"] == number
        in_lungs = next(c for c in regions["lungs"]["classes"] if c["class_name"] == name)
        figures = {key for key, value in measures[name].items() if isinstance(value, int | float)} - {"review"}
        expected = _figures(measures[name], **_same(*figures))
        expected |= _figures(
            in_lungs, percent="percent_of_lungs", **_same("sd_hu", "mass_g", "num_lesions", "largest_mm")
        )
        assert _quantities(groups[name]) == expected
    if either.parent.name.startswith("lobes"):
        assert _evaluations(groups["ggo"]) == {}
        assert not {"DSC_PREDICTED", "VOLUME_LOW"} & set(_quantities(groups["ggo"]))
        return
    basis = "fitted on single slices; not calibrated on whole scans"
    assert _quantities(groups["ggo"])["DSC_PREDICTED"] == (0.8123, "1")
    assert _quantities(groups["ggo"])["VOLUME_HIGH"][1] == "ml"
    assert _evaluations(groups["ggo"]) == {"REVIEW": "No", "TRUST_BASIS": basis}
    review = {"REVIEW": "Yes", "REVIEW_REASON": TRUST[1].reason, "TRUST_BASIS": basis}
    assert _evaluations(groups["consolidation"]) == review


def test_each_part_of_the_lungs_refers_to_a_segment_of_as_many_voxels(either, tmp_path):
    groups = _groups(either, tmp_path)
    regions = _tables(either)[2]
    lobar = either.parent.name.startswith("lobes")
    files = {"lungs": LUNGS, "zones": LUNG_PARTS["zone" if lobar else "third"], "shells": LUNG_PARTS["shell"]}
    files |= {"lobes": LUNG_PARTS["lobe"]} if lobar else {}
    assert {path.stem for path in either.glob("*.dcm")} == {*files, "measures", "segmentation"}
    for file, schema in files.items():
        seg = pydicom.dcmread(either / f"{file}.dcm")
        numbers = [
            f.SegmentIdentificationSequence[0].ReferencedSegmentNumber for f in seg.PerFrameFunctionalGroupsSequence
        ]
        voxels = np.bincount(numbers, weights=seg.pixel_array.reshape(len(numbers), -1).sum(axis=1))
        for part in schema.classes:
            group, region = groups[part.name], regions[part.name]
            assert (group["ReferencedSegment"], group["Finding"]["CodeValue"]) == (part.index, part.code.value)
            assert group["segmentationSOPInstanceUID"] == seg.SOPInstanceUID
            assert group["Laterality"]["CodeMeaning"].lower() == part.name.split("_")[0]
            figures = region | {"any": region["classes"][-1]["percent"]}
            keys = _same("voxels", "volume_ml", "mean_hu", "mass_g")
            assert _quantities(group) == _figures(figures, any="any_percent", **keys)
            assert _quantities(group)["NUM_VOXELS"][0] == voxels[part.index]


def test_every_line_of_the_table_of_regions_is_a_group(either, tmp_path):
    groups = _groups(either, tmp_path)
    aeration = _tables(either)[1]["aeration_percent"]
    with (either / "regions.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    figures = set(lines[0]) - {"region", "region_voxels", "region_ml", "class"}
    for line in lines:
        group = groups.pop(f"{line['class']} in {line['region']}")
        expected = _figures(line, **_same(*figures))
        if line["region"] == "lungs" and line["class"] in aeration:
            expected |= _figures(aeration[line["class"]], **_same(*aeration["lungs"]))
        assert _quantities(group) == expected
    assert not [name for name in groups if " in " in name]


def test_both_lungs_have_opacity_and_scores_and_how_much_is_aerated(either, tmp_path):
    groups = _groups(either, tmp_path)
    _, lungs, regions = _tables(either)
    for name in ("lungs", "peripheral", "central"):
        figures = regions[name] | {"any": regions[name]["classes"][-1]["percent"]}
        expected = _figures(figures, any="any_percent", **_same("voxels", "volume_ml", "mean_hu", "mass_g"))
        if name == "lungs":
            scores = (
                "opacity_percent",
                "high_opacity_percent",
                "ct_severity",
                "lung_severity",
                "zone_score",
                "thirds_score",
            )
            expected |= _figures(lungs, lesion_voxels_outside_lungs="outside_voxels", **_same(*scores))
            expected |= _figures(lungs["aeration_percent"]["lungs"], **_same(*lungs["aeration_percent"]["lungs"]))
        assert _quantities(groups[name]) == expected
        assert "ReferencedSegment" not in groups[name]
    known = {"CTSS", "LSS", "ZONE_SCORE"}
    assert known & set(_quantities(groups["lungs"])) == (known if either.parent.name.startswith("lobes") else set())


def test_codes_alone_tell_where_in_the_lungs_a_figure_belongs(either):
    sites = {}
    for item in _items(pydicom.dcmread(either / "measures.dcm")):
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeMeaning == "Measurement Group":
            finding, site, segment = "", (), 0
            for child in item.ContentSequence:
                name = child.get("ConceptNameCodeSequence", [pydicom.Dataset()])[0].get("CodeMeaning")
                if name == "Tracking Identifier":
                    tracked = child.TextValue.removeprefix("msdnet ")
                elif name == "Finding":
                    finding = child.ConceptCodeSequence[0].CodeValue
                elif name == "Finding Site":
                    places = [child, *child.get("ContentSequence", ())]
                    site = tuple(place.ConceptCodeSequence[0].CodeMeaning for place in places)
                elif name == "Referenced Segment":
                    segment = child.ReferencedSOPSequence[0].ReferencedSegmentNumber
            sites[tracked] = (finding, site, segment > 0)
    assert sites["ggo in right_peripheral"] == ("112120", ("Lung", "Right", "Peripheral"), False)
    assert sites["left_central"] == ("39607008", ("Lung", "Left", "Central"), True)
    assert sites["central"] == ("39607008", ("Lung", "Bilateral", "Central"), False)
    third = ("Lung", "Right", "Upper third of its height")
    assert sites["any_lesion in right_upper_third"] == ("112001", third, False)
    assert len(set(sites.values())) == len(sites)


def _items(item):
    for child in item.get("ContentSequence", ()):
        yield child
        yield from _items(child)


@pytest.mark.parametrize("name", ["measures", "zones", "shells"])
def test_the_schemes_of_codes_are_identified(result, name):
    dataset = pydicom.dcmread(result / f"{name}.dcm")
    named = {s.CodingSchemeDesignator for s in dataset.CodingSchemeIdentificationSequence}
    used = {str(e.value) for e in dataset.iterall() if e.keyword == "CodingSchemeDesignator"} - {
        "LN",
        "UCUM",
        "RFC5646",
    }
    assert used == named
    assert (OWN_SCHEME in named) == (name != "shells")


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


def test_dciodvfy_finds_no_error(either, require_tool):
    for path in sorted(either.glob("*.dcm")):
        run = subprocess.run([require_tool("dciodvfy"), "-new", path], capture_output=True, text=True, check=False)
        assert not [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]


def test_a_repeat_gives_the_same_bytes(result, tmp_path):
    segment_study(find_scans([result.parent / "ct"])[0], tmp_path / "again", TruthSegmenter(TRUST))
    for name in ("measures.dcm", "lungs.dcm", "zones.dcm", "shells.dcm", "segmentation.dcm"):
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
