"""The page promises no more than its figures hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from msdnet.quantification.follow_up import Aligned, Timepoint, find_changes
from msdnet.quantification.follow_up.lesion_map import LesionMap
from msdnet.reporting.follow_up import draw_course, write_changes, write_follow_up_page
from msdnet.reporting.follow_up.words import format_percent, format_time

MakePoint = Callable[..., Timepoint]


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[..., str]:
    """The page of some results, without the pictures in it."""

    def page(*points: Timepoint, aligned: Aligned | None = None) -> str:
        draw_course(points, tmp_path / "course.png")
        written: dict[str, Any] = {"course": tmp_path / "course.png", "side_by_side": tmp_path / "course.png"}
        changes = find_changes(points[0], points[-1])
        write_follow_up_page(points, changes, aligned or Aligned(), tmp_path / "a.html", claimed=False, **written)
        text = (tmp_path / "a.html").read_text(encoding="utf-8")
        return text[text.index("</style>") :]

    return page


def test_a_cut_scan_has_no_large_per_cent_and_a_sign_that_is_explained(
    make_point: MakePoint, page_of: Callable[..., str]
) -> None:
    cut = dataclasses.replace(make_point(8, ggo_ml=40.0), cut=("lower",), lungs_ml=2500.0)
    page = page_of(make_point(0), cut)
    tiles = page[page.index('class="tiles"') : page.index('class="findings"')]
    assert "%" not in tiles
    assert "no band: one scan does not hold the lungs whole" in tiles
    assert "−60 %†" in page
    assert "† The scan of day 8 does not hold the lungs whole" in page
    assert "*" not in page[page.index("<table") : page.index("</table>")]
    assert "−60" in page_of(make_point(0), dataclasses.replace(cut, cut=()))[: page.index('class="findings"')]


def test_every_dash_among_the_bands_is_explained(make_point: MakePoint, page_of: Callable[..., str]) -> None:
    page = page_of(make_point(0), make_point(8, consolidation_ml=0.0))
    assert "nothing is marked at one time" in page[page.index("</table>") :]
    assert "–: no band" not in page_of(make_point(0), make_point(8))
    other = make_point(8, weights={"name": "w", "sha256": "ff"})
    page = page_of(make_point(0), other)
    assert "(other weights or options)" in page[page.index("</table>") :]


def test_scans_that_are_not_shown_are_named(make_point: MakePoint, page_of: Callable[..., str]) -> None:
    points = [make_point(day) for day in (0, 3, 8, 9, 20)]
    maps = tuple(LesionMap(None, 1.0, 2.0, 3.0, ml) for ml in (0.0, 0.0, 7.0, 0.0))
    page = page_of(*points, aligned=Aligned(lung_dice=(0.98,) * 4, maps=maps))
    assert "4 of the 5 scans are shown here, those of days 0, 8, 9, 20" in page
    assert "its picture is black" in page
    assert "<td>7.00</td>" in page
    assert "scans are shown here" not in page_of(*points[:4], aligned=Aligned(lung_dice=(0.98,) * 3))


def test_all_lesions_come_first(make_point: MakePoint, page_of: Callable[..., str]) -> None:
    table = page_of(make_point(0), make_point(8))
    table = table[table.index("<tbody>") :]
    assert table.index("All lesions (ml)") < table.index("Ground-glass opacity (ml)")


def test_two_scans_of_one_day_have_heads_of_their_own(make_point: MakePoint, page_of: Callable[..., str]) -> None:
    points = [dataclasses.replace(make_point(0), mark=mark) for mark in "ab"]
    page = page_of(*points)
    assert ">Day 0a<" in page
    assert ">Day 0b<" in page
    assert "2 scans of one person on one day" in page


def test_the_table_says_of_every_line_whether_the_lungs_changed_or_are_cut(
    make_point: MakePoint, tmp_path: Path
) -> None:
    first, last = make_point(0), make_point(8, lungs_ml=3000.0)
    for after, changed, cut in ((last, "True", "False"), (dataclasses.replace(last, cut=("lower",)), "False", "True")):
        points = [first, after]
        write_changes(points, [(0, 1, find_changes(first, after))], Aligned(absent="failed"), tmp_path)
        head, *lines = (tmp_path / "changes.csv").read_text(encoding="utf-8").splitlines()
        rows = [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]
        assert {(row["lung_volume_changed"], row["lungs_cut_off"]) for row in rows} == {(changed, cut)}
        assert {(row["from_scan"], row["to_scan"]) for row in rows} == {("1", "2")}


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "0 %"), (0.3, "< 1 %"), (-0.3, "< 1 %"), (0.7, "+1 %"), (-12.2, "−12 %")]
)
def test_small_changes_have_no_empty_sign(value: float, words: str) -> None:
    assert format_percent(value) == words


def test_times_are_told_in_words(make_point: MakePoint) -> None:
    assert [format_time([make_point(0), make_point(day)]) for day in (0, 1, 8)] == [
        "on one day",
        "over 1 day",
        "over 8 days",
    ]
