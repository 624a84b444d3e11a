"""The report says what it must, loads nothing, and names nobody."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from msdnet.prediction.trust import Trust
from msdnet.quantification import ScanLungs, measure_lesions, measure_scan_lungs
from msdnet.reporting import draw_overview, write_report
from msdnet.reporting.front_views import draw_front_views


class Page(HTMLParser):
    """Collects elements, links and text, and fails on a tag that is closed in the wrong order."""

    VOID = frozenset({"meta", "img", "line", "path", "br", "link"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.links, self.words, self.rows, self._open = [], [], [], [], []
        self.feed(source)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href")]
        if tag == "tr":
            self.rows.append([])
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.words.append(data)
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1].append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def write_page(tmp_path):
    def write(segmentation, **arguments):
        scan, labels = segmentation.scan, segmentation.labels
        measures = measure_lesions(scan, labels, segmentation.schema, segmentation.trust)
        draw_overview(segmentation, tmp_path / "overview.png")
        lungs = arguments.pop("lungs", None) or measure_scan_lungs(scan, labels, segmentation.schema)
        page = tmp_path / "report.html"
        write_report(segmentation, measures, lungs, page, overview=tmp_path / "overview.png", **arguments)
        return Page((tmp_path / "report.html").read_text(encoding="utf-8"))

    return write


def test_the_report_tells_of_each_lung(make_segmentation, write_page):
    page = write_page(make_segmentation())
    rows = {row[0]: row[1:] for row in page.rows if row}
    # each lung: 20 slices of 30 rows x 28 columns of 2.25 mm³; marked in the right one: 6 x 20 x 18, 25 as the other
    assert rows["Right lung"][0] == rows["Left lung"][0] == "37.8"
    assert rows["Right lung"][1:4] == ["13", "0.1", "13"]
    assert rows["Left lung"][1:] == ["0", "0", "0", "–", "0", "0", "–"]  # no thirds of lungs that are cut off
    assert "The scan does not hold the lungs whole" in page.text
    assert "By density alone, 0 % of the lungs lie between" in page.text
    assert "Lung opacity" not in page.text


def test_whole_lungs_have_a_headline_figure_and_a_score(make_segmentation, write_page):
    segmentation = make_segmentation()
    scan, labels = segmentation.scan, segmentation.labels
    measures = measure_scan_lungs(scan, labels, segmentation.schema).measures
    region, last = measures.region("left"), measures.region("left").classes[-1]
    thirds = [
        dataclasses.replace(region, name=f"left_{third}_third", classes=(dataclasses.replace(last, percent=percent),))
        for third, percent in (("upper", 1.0), ("middle", 20.0), ("lower", 0.0))
    ]
    whole = dataclasses.replace(
        measures,
        regions=(*measures.regions, *thirds),
        opacity_percent=12.34,
        high_opacity_percent=3.0,
        thirds_score=7,
        absent={"ct_severity": "no_lobes"},
    )
    page = write_page(segmentation, lungs=ScanLungs(whole, labels))
    assert "Lung opacity (PO) 12 % above −200 HU: 3.0 % (PHO)" in page.text
    assert "Thirds-based approximation of the zone score: 7 of 72." in page.text
    assert "need a mask of the lobes" in page.text
    assert "1.0 / 20 / 0" in page.text


def test_pictures_beside_each_other_know_their_shapes_so_that_they_become_equally_high(
    make_segmentation, write_page, tmp_path
):
    segmentation = make_segmentation()
    draw_front_views(segmentation, tmp_path / "front.png")
    write_page(segmentation, front=tmp_path / "front.png")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    views = re.findall(r'<img style="--shape: ([0-9.]+)" src="data:image/png;base64,([^"]+)"', page)
    sizes = [Image.open(io.BytesIO(base64.b64decode(png))).size for _, png in views]
    assert [float(shape) for shape, _ in views] == pytest.approx([width / height for width, height in sizes], abs=1e-4)
    assert [width for width, _ in sizes] == [1800, 760]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grey": True}, "these need Hounsfield units"),
        ({"orientation_known": False, "kind": "volume"}, "states no orientation"),
        ({"spacing_known": False}, "states no pixel spacing"),
    ],
)
def test_without_lungs_the_report_says_why(make_segmentation, write_page, options, words):
    page = write_page(make_segmentation(**options))
    assert f"No figures of the lungs: {words}" in page.text.replace("the file ", "")
    assert "Both lungs" not in page.text


def test_the_report_states_the_measures_with_units(make_segmentation, write_page):
    page = write_page(make_segmentation())
    # 6 slices of 20 x 18 voxels less 25, and 25, of 2.25 mm³
    assert page.rows[0][:2] == ["Class", "Volume (ml)"]
    assert page.rows[1] == ["Ground-glass opacity", "4.80", "2\u202f135", "6", "30", "−850"]
    assert page.rows[2] == ["Consolidation", "0.06", "25", "1", "5.0", "−850"]
    assert "4.86 ml in 6 of 20 slices (30 %)" in page.text
    assert "20 axial slices of 60 × 80 pixels, 1.50 × 0.75 × 2.00 mm, Hounsfield units" in page.text


def test_the_report_states_method_and_limits(make_segmentation, write_page):
    page = write_page(make_segmentation(skipped=(0, 1, 2, 19)))
    for words in ("test-weights", "cd34" * 16, "ab12" * 16, "ggo-consolidation", "not a medical device", "MSD-Net"):
        assert words in page.text
    assert "4 of 20, without lung: 1–3, 20" in page.text


def test_the_report_is_self_contained(make_segmentation, write_page, tmp_path):
    page = write_page(make_segmentation())
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "svg" in page.tags
    assert page.links
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http:" not in source
    assert "https:" not in source


def test_findings_are_listed_and_escaped(make_segmentation, write_page):
    page = write_page(make_segmentation(), notes=("The scan ends <b>inside</b> the lungs.",))
    assert "Read this first" in page.text
    assert "The scan ends <b>inside</b> the lungs." in page.text
    assert "b" not in page.tags


def test_a_scan_without_lesions_says_so(make_segmentation, write_page):
    page = write_page(make_segmentation(marked=False))
    assert "No lesion was marked in this scan." in page.text
    assert "svg" not in page.tags
    assert page.rows[1][1:] == ["0", "0", "0", "0", "–"]


def test_no_millilitres_and_no_sides_where_they_are_unknown(make_segmentation, write_page):
    page = write_page(
        make_segmentation(kind="picture", num_slices=1, grey=True, spacing_known=False, orientation_known=False)
    )
    assert " ml " not in page.text
    assert "The file states no spacing" in page.text
    assert "The file states no orientation" in page.text
    assert "patient's right" not in page.text
    assert page.rows[1][1] == "–"


@pytest.mark.parametrize("has_dicom", [True, False])
def test_the_report_says_whether_the_folder_holds_patient_data(make_segmentation, write_page, has_dicom):
    page = write_page(make_segmentation(), has_dicom=has_dicom)
    assert ("contains DICOM with patient data" in page.text) is has_dicom


def test_the_report_names_nobody(make_segmentation, write_page, tmp_path):
    write_page(make_segmentation())
    source = (tmp_path / "report.html").read_text(encoding="utf-8").casefold()
    for secret in ("plantedgiven", "plantedsurname", "4711", "20200317", "1.2.826", str(tmp_path).casefold()):
        assert secret not in source


@pytest.mark.parametrize(
    ("num_slices", "pixels", "expected"),
    [
        (1, True, "One axial slice of 60 × 80 pixels, 1.50 × 0.75 mm, distance to the next slice unknown"),
        (1, False, "One axial slice of 60 × 80 pixels, spacing unknown"),
        (20, False, "20 axial slices of 60 × 80 pixels, spacing unknown"),
    ],
)
def test_the_head_line_states_what_is_known_of_the_spacing(make_segmentation, write_page, num_slices, pixels, expected):
    page = write_page(make_segmentation(num_slices=num_slices, spacing_known=False, pixel_spacing_stated=pixels))
    assert f"{expected}, Hounsfield units" in page.text
    assert ("does not state the distance of its slices" in page.text) is pixels
    assert ("The file states no spacing" in page.text) is not pixels


def test_trust_stands_beside_the_figures_it_is_about(make_segmentation, write_page):
    trust = Trust("ggo", 0.614, (0.42, 0.83), (0.5, 2.0), False)
    segmentation = dataclasses.replace(make_segmentation(), trust=(trust,))
    page = write_page(segmentation)
    [ggo, consolidation] = [row for row in page.rows if row and row[0] in ("Ground-glass opacity", "Consolidation")]
    assert "(" not in ggo[1]  # the interval of a slice's area is too wide for a scan's volume
    assert ggo[-1] == "0.61 (0.42–0.83)"
    assert consolidation[-1] == "–"
    assert "fitted on single slices, not calibrated on whole scans." in page.text
    assert "Predicted DSC" not in write_page(make_segmentation()).text
