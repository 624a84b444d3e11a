"""Sentences lose what names the patient, and nothing else."""

from __future__ import annotations

import pytest

from msdnet.reporting.privacy import without_patient_data


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("Left out: series 1.2.840.113619.2.55.3 of 12 slices.", "Left out: series [removed] of 12 slices."),
        ("Left out: the localiser of PLANTEDGIVEN PLANTEDSURNAME.", "Left out: the localiser of [removed] [removed]."),
        ("Number PID-4711, taken 20200317.", "Number [removed], taken [removed]."),
        ("12 of 98 slices of 0.75 mm, a plantedsurnamed scan.", "12 of 98 slices of 0.75 mm, a plantedsurnamed scan."),
    ],
)
def test_notes_are_cleaned(make_segmentation, note, expected):
    assert without_patient_data(note, make_segmentation().scan) == expected
