"""The PDF is the report on one page, the same bytes each time, and says why where there is none."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import zlib

import pytest
from PIL import ImageFile

from msdnet.quantification import measure_lesions, measure_scan_lungs
from msdnet.reporting import draw_overview, write_report
from msdnet.reporting.front_views import can_be_drawn, draw_front_views
from msdnet.reporting.pdf import write_pdf


@pytest.fixture
def report(make_segmentation, tmp_path):
    def make(*, notes=(), **options):
        segmentation = make_segmentation(**options)
        scan, labels, schema = segmentation.scan, segmentation.labels, segmentation.schema
        overview, front = tmp_path / "overview.png", None
        draw_overview(segmentation, overview)
        if can_be_drawn(segmentation):
            front = tmp_path / "front.png"
            draw_front_views(segmentation, front)
        measures, lungs = measure_lesions(scan, labels, schema), measure_scan_lungs(scan, labels, schema)
        path = tmp_path / "report.html"
        write_report(segmentation, measures, lungs, path, overview=overview, front=front, notes=notes, has_dicom=True)
        return path

    return make


def _pdf_of(page, path):
    absent = write_pdf(page, path)
    if absent and not os.environ.get("CI"):
        pytest.skip(absent)
    assert absent == ""
    return path.read_bytes()


def _num_pages(pdf):
    """Counted in the objects, of which some are packed into compressed streams."""
    objects = [pdf]
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            objects.append(zlib.decompress(packed))
    return sum(len(re.findall(rb"/Type\s*/Page\b", text)) for text in objects)


@pytest.mark.parametrize("options", [{}, {"grey": True, "kind": "picture", "num_slices": 1, "spacing_known": False}])
def test_a_report_fits_on_one_page(report, tmp_path, options):
    page = report(notes=("A finding of some length that a reader should know.",) * 4, **options)
    assert _num_pages(_pdf_of(page, tmp_path / "a")) == 1


def test_margins_give_way_before_a_last_line_goes_on_a_second_page(report, tmp_path):
    page = report(notes=("A finding of some length that a reader should know.",) * 8)
    assert _num_pages(_pdf_of(page, tmp_path / "a")) == 1


def test_more_than_one_page_holds_goes_on_the_next(report, tmp_path):
    page = report(notes=("A finding that is told at length, again and again. " * 4,) * 20)
    assert _num_pages(_pdf_of(page, tmp_path / "a")) == 2


def test_the_same_report_gives_the_same_bytes(report, tmp_path):
    page = report()
    assert _pdf_of(page, tmp_path / "a") == _pdf_of(page, tmp_path / "b")


def test_damaged_pictures_stay_refused_after_it(report, tmp_path):
    _pdf_of(report(), tmp_path / "a")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_without_its_library_it_is_left_out_with_the_reason(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert "pip install 'msdnet[pdf]'" in write_pdf(report(), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_page_that_cannot_be_set_costs_the_pdf_alone(report, tmp_path, monkeypatch):
    _pdf_of(report(), tmp_path / "whole")

    def fail(*_, **__):
        raise KeyError("font")

    monkeypatch.setattr(sys.modules["weasyprint"].HTML, "render", fail)
    assert "could not be set (KeyError)" in write_pdf(report(), tmp_path / "a")


def test_a_front_is_drawn_only_of_what_has_one(make_segmentation, tmp_path):
    assert can_be_drawn(make_segmentation())
    assert not can_be_drawn(make_segmentation(num_slices=1))
    assert not can_be_drawn(make_segmentation(spacing=(20.0, 1.5, 0.75)))  # a tower of 400 x 60 mm
    assert not can_be_drawn(make_segmentation(spacing_known=False))
    assert not can_be_drawn(make_segmentation(orientation_known=False, kind="volume"))
