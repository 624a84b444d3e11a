"""Figures of lungs against those counted by hand on a scene of blocks, and against the phantom's own truth."""

from __future__ import annotations

import numpy as np
import pytest

from msdnet.data.phantom import make_phantom
from msdnet.labels import get_schema
from msdnet.prediction.field_of_view import cut_share
from msdnet.quantification.lung_measures import LungMeasures, measure_lungs
from msdnet.quantification.lungs import LEFT, RIGHT, Lungs, segment_lungs

SCHEMA = get_schema("ggo-consolidation")
SPACING_MM = (5.0, 2.0, 2.0)  # 0.02 ml a voxel


def _scene() -> tuple[np.ndarray, np.ndarray, Lungs]:
    """Two lungs of 9 slices of 40 x 45 voxels, air at -850 HU, with lesions, in 11 slices of 60 x 120."""
    sides = np.zeros((11, 60, 120), np.uint8)
    sides[1:10, 10:50, 10:55], sides[1:10, 10:50, 65:110] = RIGHT, LEFT
    hu = np.where(sides > 0, -850, 30).astype(np.int16)
    labels = np.zeros(sides.shape, np.uint8)
    labels[1:4, 10:50, 10:19] = 1  # 3 x 40 x 9 of the right lower third, at its outer wall
    labels[2, 20:30, 40:50] = 2  # 100 of it, deep
    labels[8:10, 20:40, 80:90] = 2  # 400 of the left upper third
    labels[5, 0:2, 0:10] = 1  # 20 outside the lungs
    hu[labels == 1], hu[labels == 2] = -500, 0
    hu[8, 20:40, 80:90] = -300  # half of that consolidation is below -200 HU
    return hu, labels, Lungs(sides, carina=6)


def _measured(**options: object) -> LungMeasures:
    hu, labels, lungs = _scene()
    return measure_lungs(hu, labels, lungs, SCHEMA, SPACING_MM, **options)


def test_regions_hold_what_lies_in_them() -> None:
    found = _measured()
    lungs = found.region("lungs")
    assert (lungs.voxels, lungs.volume_ml) == (2 * 9 * 40 * 45, pytest.approx(648))
    ggo, consolidation, both = lungs.classes
    assert [c.voxels for c in lungs.classes] == [1080, 500, 1580]
    assert ggo.volume_ml == pytest.approx(21.6)
    assert both.percent == pytest.approx(100 * 1580 / 32400)
    assert (consolidation.mean_hu, consolidation.sd_hu) == pytest.approx((-120, np.sqrt(0.24) * 300))
    assert ggo.mass_g == pytest.approx(21.6 * 0.5)
    assert lungs.mass_g == pytest.approx(0.02 * ((32400 - 1580) * 0.15 + 1080 * 0.5 + 200 * 0.7 + 300 * 1.0))
    assert (ggo.num_lesions, consolidation.num_lesions, both.num_lesions) == (1, 2, 3)
    assert ggo.largest_mm == pytest.approx(np.hypot(80, 8 * 2), rel=0.02)
    assert found.region("right").percent("ggo") == pytest.approx(100 * 1080 / 16200)
    assert found.region("left").percent("ggo") == 0
    assert found.region("right_lower_third").percent("consolidation") == pytest.approx(100 * 100 / 5400)
    assert found.region("left_upper_third").percent("any_lesion") == pytest.approx(100 * 400 / 5400)
    assert found.region("right_upper_third").percent("any_lesion") == 0
    assert found.region("peripheral").classes[0].voxels == 1080
    assert found.region("right_peripheral").classes[0].num_lesions == 1
    assert found.region("left").classes[1].num_lesions == 1
    assert found.outside_voxels == 20
    assert "right_upper_zone" not in [r.name for r in found.regions]


def test_opacity_and_scores_are_those_worked_out_by_hand() -> None:
    found = _measured()
    assert found.opacity_percent == pytest.approx(100 * 1580 / 32400)
    assert found.high_opacity_percent == pytest.approx(100 * 300 / 32400)
    # right lower third: 1,180 of 5,400 = 21.9 %, mostly hazy: 1 x 2; left upper third: 7.4 %, dense: 1 x 3
    assert found.thirds_score == 5
    assert dict(found.absent) == {"zone_score": "no_zones", "lung_severity": "no_lobes", "ct_severity": "no_lobes"}


def test_zones_need_the_veins_and_lobes_a_mask_of_them() -> None:
    hu, labels, lungs = _scene()
    lobes = np.zeros(lungs.sides.shape, np.uint8)
    lobes[lungs.sides == RIGHT], lobes[lungs.sides == LEFT] = 3, 5
    lobes[7:10, :, :60], lobes[5:7, :, :60], lobes[5:10, :, 60:] = 1, 2, 4
    lobes[lungs.sides == 0] = 0
    found = measure_lungs(hu, labels, lungs, SCHEMA, SPACING_MM, veins=3, lobes=lobes)
    # zones: above slice 6, slices 3 to 6, below; right lower: 2 x 360 + 100 of 3,600 = 22.8 %: 1 x 2; right middle:
    # 360 of 7,200 = 5 %: 1 x 2; left upper: 400 of 5,400 = 7.4 %: 1 x 3
    assert found.region("right_lower_zone").voxels == 2 * 40 * 45
    assert found.zone_score == 2 + 2 + 3
    # lobes: right lower 1,180 of 7,200 = 16.4 %: 2 and 1 points; left upper 400 of 9,000 = 4.4 %: 1 and 1
    assert found.region("right_lower_lobe").percent("any_lesion") == pytest.approx(100 * 1180 / 7200)
    assert (found.ct_severity, found.lung_severity) == (3, 2)
    assert found.absent == {}


def test_a_scan_that_cuts_the_lungs_off_has_no_figures_of_whole_lungs() -> None:
    hu, labels, lungs = _scene()
    found = measure_lungs(hu[1:], labels[1:], Lungs(lungs.sides[1:]), SCHEMA, SPACING_MM)
    assert found.findings.cut == ("lower",)
    assert set(found.absent.values()) == {"cut"}
    assert found.opacity_percent is found.thirds_score is None
    assert not found.findings.uneven
    assert not [r.name for r in found.regions if "third" in r.name]
    assert found.region("lungs").percent("any_lesion") == pytest.approx(100 * 1580 / 32400)


def test_marks_outside_the_lungs_leave_the_figures_of_whole_lungs_out() -> None:
    hu, labels, lungs = _scene()
    labels[5, 0:10, 0:20] = 1  # 200 of 1,780
    found = measure_lungs(hu, labels, lungs, SCHEMA, SPACING_MM)
    assert found.opacity_percent is None
    assert set(found.absent.values()) == {"outside"}
    assert found.region("lungs").percent("any_lesion") == pytest.approx(100 * 1580 / 32400)


def test_a_tip_that_is_cut_off_does_not_matter() -> None:
    falling = np.array([10.0, 20, 30, 40, 50, 60, 70, 80, 90, 80, 40, 0])
    assert cut_share(falling, 15.0) == pytest.approx(5 / 575)  # a triangle of 10 x 1 / 2 is missing
    assert cut_share(falling, 5.0) == pytest.approx(5 / 575)
    assert cut_share(falling[::-1], 5.0) == 0
    assert cut_share(falling[4:], 5.0) > 0.2
    assert cut_share(falling[8:], 5.0) == 1
    assert cut_share(falling[:1], 5.0) == 1


def test_without_a_spacing_nothing_is_given_in_millilitres() -> None:
    whole = _measured(spacing_known=False).region("lungs")
    assert (whole.volume_ml, whole.mass_g) == (None, None)
    assert {(c.volume_ml, c.mass_g, c.num_lesions, c.largest_mm) for c in whole.classes} == {(None,) * 4}
    assert whole.percent("any_lesion") == pytest.approx(100 * 1580 / 32400)


def test_what_looks_wrong_is_found() -> None:
    hu, labels, lungs = _scene()
    assert _measured().findings.volume  # 648 ml are no adult's lungs
    assert not measure_lungs(hu, labels, lungs, SCHEMA, (10.0, 3.0, 3.0)).findings.volume
    assert not _measured().findings.uneven
    small = np.where(lungs.sides == LEFT, 0, lungs.sides)
    small[4:7, 20:40, 70:90] = LEFT
    assert measure_lungs(hu, labels, Lungs(small), SCHEMA, SPACING_MM).findings.uneven
    assert not _measured().findings.dense
    unmarked = measure_lungs(np.where(labels > 0, 40, hu), 0 * labels, lungs, SCHEMA, SPACING_MM)
    assert not unmarked.findings.dense  # 1,580 of 32,400
    hu[5, lungs.sides[5] > 0] = 40
    assert measure_lungs(hu, labels, lungs, SCHEMA, SPACING_MM).findings.dense


def test_the_phantoms_lesions_have_their_true_volume() -> None:
    phantom = make_phantom(6, shape=(40, 192, 192))
    schema = get_schema("msdnet-paper")
    lungs = segment_lungs(phantom.voxels_hu, phantom.spacing_mm, phantom.labels)
    found = measure_lungs(phantom.voxels_hu, phantom.labels, lungs, schema, phantom.spacing_mm)
    voxel_ml = np.prod(phantom.spacing_mm) / 1000
    for lesion, measured in zip(schema.classes, found.region("lungs").classes, strict=False):
        true_ml = np.count_nonzero(phantom.labels == lesion.index) * voxel_ml
        assert measured.volume_ml == pytest.approx(true_ml, rel=0.01)
    true_percent = 100 * np.count_nonzero(phantom.labels) / np.count_nonzero(phantom.lungs)
    assert found.opacity_percent == pytest.approx(true_percent, rel=0.02)
    assert found.findings.cut == ()
