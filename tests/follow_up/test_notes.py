"""What may mislead is said of the days that it is about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from msdnet.quantification.follow_up import Aligned, Timepoint
from msdnet.quantification.follow_up.lesion_map import LesionMap
from msdnet.reporting.follow_up.notes import follow_up_notes

MakePoint = Callable[..., Timepoint]


@pytest.fixture
def notes_of() -> Callable[..., str]:
    """The notes of some results as one text."""

    def notes(*points: Timepoint, unseen_ml: tuple[float, ...] = (), absent: str = "", like: float | None = 0.9) -> str:
        maps = tuple(LesionMap(None, 1.0, 1.0, 1.0, ml) for ml in unseen_ml)
        of = (len(points) - 1,) if absent else ()
        return "\n".join(follow_up_notes(points, Aligned(maps=maps, absent=absent, absent_of=of, likeness=(like,))))

    return notes


def test_results_made_alike_have_no_notes(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    assert notes_of(make_point(0), make_point(8), make_point(20)) == ""


def test_no_band_is_said_of_pairs(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    other = make_point(8, weights={"name": "w", "sha256": "ff"})
    notes = notes_of(make_point(0), other, make_point(20))
    assert "No band can be given for day 0 to 8 and day 8 to 20: the results were made by different weights" in notes
    assert "day 0 to 20" not in notes
    unknown = dataclasses.replace(make_point(20), num_looks=0)
    assert "for day 8 to 20 and day 0 to 20: the repeatability" in notes_of(make_point(0), make_point(8), unknown)


def test_values_are_told_with_their_days(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    notes = notes_of(make_point(0, acquisition={"kernel": "B30f"}), make_point(8, acquisition={"kernel": "B70f"}))
    assert "kernel: B30f on day 0, B70f on day 8" in notes


@pytest.mark.parametrize(
    ("entries", "words", "has_band"),
    [
        ({"version": "9.9"}, "version of msdnet: 0.1 on day 0, 9.9 on day 8", True),
        ({"engine": {"engine": "openvino", "precision": "f32"}}, "engine: torch on day 0, openvino on day 8", True),
        ({"engine": {"engine": "torch", "precision": "bf16"}}, "precision: f32 on day 0, bf16 on day 8", True),
        ({"engine": {"engine": "torch", "precision": "int8"}}, "precision: f32 on day 0, int8 on day 8", False),
        (
            {"engine": {}},
            "engine: torch on day 0, not stated on day 8; precision: f32 on day 0, not stated on day 8",
            True,
        ),
    ],
)
def test_other_software_is_told(
    entries: dict[str, Any], words: str, has_band: bool, make_point: MakePoint, notes_of: Callable[..., str]
) -> None:
    notes = notes_of(make_point(0), make_point(8, **entries))
    assert words in notes
    assert ("No band can be given for day 0 to 8" not in notes) == has_band


def test_the_same_scan_is_told_by_its_days(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    points = [make_point(day) for day in (0, 8, 20)]
    same = dataclasses.replace(points[2], record={**points[2].record, "input": points[0].record["input"]})
    assert "2 of the results are of the same scan: those of days 0 and 20." in notes_of(*points[:2], same)


def test_places_that_were_not_seen_are_told_by_pair(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    notes = notes_of(make_point(0), make_point(8), make_point(20), unseen_ml=(0.0, 34.0))
    assert "34.0 ml of lesion of day 8 or 20 lies where" in notes
    assert "of day 0 or 8" not in notes


def test_lungs_that_do_not_match_are_told_by_day(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    assert "the lungs of day 8 do not match those of day 0" in notes_of(make_point(0), make_point(8), absent="failed")


def test_a_cut_scan_is_no_other_breath(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    cut = dataclasses.replace(make_point(8), cut=("lower",), lungs_ml=2500.0)
    notes = notes_of(make_point(0), cut)
    assert "day 8 does not hold the lungs whole" in notes
    assert "another breath" not in notes
    assert "changed by −38 % from day 0 to day 8" in notes_of(make_point(0), dataclasses.replace(cut, cut=()))


def test_two_keys_are_told(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    points = [make_point(day, subject={"key": key, "day": 1}) for day, key in ((0, "a"), (8, "b"))]
    assert "the user's word alone" in notes_of(*points)
    assert "the user's word alone" in notes_of(*points, make_point(20))
    assert "the user's word alone" not in notes_of(points[0], make_point(8, subject={"key": "a", "day": 9}))


def test_days_with_two_scans_are_told_apart(make_point: MakePoint, notes_of: Callable[..., str]) -> None:
    points = [
        dataclasses.replace(make_point(8, acquisition={"kernel": kernel}), mark=mark)
        for kernel, mark in (("B30f", "a"), ("B40f", "b"))
    ]
    assert "kernel: B30f on day 8a, B40f on day 8b" in notes_of(*points)


def test_lungs_that_are_unlike_inside_may_be_another_persons(
    make_point: MakePoint, notes_of: Callable[..., str]
) -> None:
    points = make_point(0), make_point(8)
    assert "Look whether the scans of day 0 and day 8 are of one person" in notes_of(*points, like=0.24)
    assert notes_of(*points, like=0.8) == notes_of(*points, like=None) == ""
