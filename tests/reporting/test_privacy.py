"""Sentences lose what names the patient, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from msdnet.reporting.privacy import without_patient_data
from msdnet.scans.privacy import DATES, NAMES, PATIENT_NUMBERS, STUDY_NUMBERS, public_name

CASES = pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("Left out: series 1.2.840.113619.2.55.3 of 12 slices.", "Left out: series [removed] of 12 slices."),
        ("Left out: the localiser of PLANTEDGIVEN PLANTEDSURNAME.", "Left out: the localiser of [removed] [removed]."),
        ("Number PID-4711, taken 20200317.", "Number [removed], taken [removed]."),
        ("12 of 98 slices of 0.75 mm, a plantedsurnamed scan.", "12 of 98 slices of 0.75 mm, a plantedsurnamed scan."),
    ],
)


def test_every_one_of_several_values_is_cleaned(make_segmentation):
    scan = make_segmentation().scan
    scan.source.datasets[0].OtherPatientIDs = ["FIRST-1234", "SECOND-5678"]
    note = "Left out: FIRST-1234 and SECOND-5678."
    assert without_patient_data(note, scan) == "Left out: [removed] and [removed]."


@pytest.mark.parametrize("keyword", [*NAMES, *PATIENT_NUMBERS, *STUDY_NUMBERS, *DATES])
def test_what_hides_a_name_is_also_cleaned_from_a_sentence(make_segmentation, keyword):
    scan = make_segmentation().scan
    setattr(scan.source.datasets[0], keyword, "20190807")
    named = dataclasses.replace(scan, source=dataclasses.replace(scan.source, name="ct 20190807"))
    assert public_name(named) == scan.source.digest[:12]
    assert without_patient_data("Taken 20190807.", scan) == "Taken [removed]."


@CASES
def test_notes_are_cleaned(make_segmentation, note, expected):
    assert without_patient_data(note, make_segmentation().scan) == expected
