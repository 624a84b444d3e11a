"""What the groups of the SR leave out; what they hold is read back from whole files in test_structured_report."""

from __future__ import annotations

import numpy as np
import pytest

from msdnet.labels import get_schema
from msdnet.quantification.lung_measures import measure_lungs
from msdnet.quantification.lungs import LEFT, RIGHT, Lungs
from msdnet.reporting.measurement_groups import CODES, region_groups

SCHEMA = get_schema("ggo-consolidation")


def _measured(start=0, **options):
    """Two lungs of 9 slices in 11, with ground glass in both; the first slices may be cut off."""
    sides = np.zeros((11, 60, 120), np.uint8)
    sides[1:10, 10:50, 10:55], sides[1:10, 10:50, 65:110] = RIGHT, LEFT
    hu = np.where(sides > 0, -850, 30).astype(np.int16)
    labels = np.zeros(sides.shape, np.uint8)
    labels[3:5, 20:40, 15:30] = 1
    labels[3:5, 20:40, 80:90] = 1
    return measure_lungs(hu[start:], labels[start:], Lungs(sides[start:]), SCHEMA, (5.0, 2.0, 2.0), **options)


def _read(groups):
    """Per tracking identifier: code and unit of every figure."""
    found = {}
    for group in groups:
        items = group[0].ContentSequence
        [name] = [i.TextValue for i in items if i.ConceptNameCodeSequence[0].CodeMeaning == "Tracking Identifier"]
        found[name.removeprefix("msdnet ")] = {
            i.ConceptNameCodeSequence[0].CodeValue: i.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
            for i in items
            if i.ValueType == "NUM"
        }
    return found


def test_lungs_that_are_cut_off_have_no_percentages():
    whole, cut = (_read(region_groups(_measured(start), SCHEMA, "seed")) for start in (0, 2))
    assert "%" in whole["lungs"].values()
    assert "%" in whole["ggo in right_central"].values()
    assert {"118565006", "MASS", "NUM_VOXELS"} <= set(cut["lungs"])
    assert not [name for name, figures in cut.items() if "%" in figures.values()]


def test_a_class_that_is_marked_nowhere_in_the_lungs_has_no_groups_and_one_that_is_has_zeros():
    found = _read(region_groups(_measured(), SCHEMA, "seed"))
    assert not [name for name in found if name.startswith("consolidation")]
    assert found["ggo in right_upper_third"] == {
        "118565006": "ml", "NUM_VOXELS": "1", "MASS": "g", "NUM_LESIONS": "1", "PERCENT_OF_SITE": "%",
    }  # fmt: skip


def test_without_spacing_nothing_is_in_millilitres_grams_or_millimetres():
    found = _read(region_groups(_measured(spacing_known=False), SCHEMA, "seed"))
    assert {unit for figures in found.values() for unit in figures.values()} == {"1", "%", "[hnsf'U]"}


@pytest.mark.parametrize(("code", "meaning"), [(code, meaning) for code, meaning, _ in CODES.values()])
def test_codes_are_as_long_as_dicom_allows(code, meaning):
    assert len(code) <= 16
    assert len(meaning) <= 64
    assert [c for c, *_ in CODES.values()].count(code) == 1
