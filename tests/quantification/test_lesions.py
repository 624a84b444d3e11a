"""Measures against figures worked out by hand."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pytest

from msdnet.errors import SchemaError
from msdnet.labels import get_schema
from msdnet.prediction.trust import Trust
from msdnet.quantification import count_lesion_voxels, measure_lesions
from msdnet.scans.scan import Scan, Source

SCHEMA = get_schema("ggo-consolidation")


def make_scan(*, intensity="HU", spacing_known=True, orientation_known=True):
    """Five slices of 6 x 7 voxels of 0.5 x 0.8 mm, 2.5 mm apart: 1 mm³ = 0.001 ml each; slice k has -100 * k HU."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 2.5, 0.5, 0.8, 1.0
    array = np.broadcast_to((-100 * np.arange(5, dtype=np.int16))[:, None, None], (5, 6, 7)).copy()
    if intensity == "grey":
        array = np.abs(array // 2).astype(np.uint8)
    volume = hd.Volume(array, affine, coordinate_system="PATIENT")
    return Scan(volume, intensity, spacing_known, orientation_known, Source("volume", "x", "0" * 64))


def make_labels():
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1, 2, 2:5] = 1  # 3 voxels at -100 HU
    labels[3, 0, 0] = 1  # 1 voxel at -300 HU
    labels[4, 1:3, 1] = 2  # 2 voxels at -400 HU
    return labels


NO_TRUST = dict.fromkeys(
    (
        "predicted_dsc",
        "predicted_dsc_low",
        "predicted_dsc_high",
        "voxels_low",
        "voxels_high",
        "volume_low_ml",
        "volume_high_ml",
        "review",
        "review_reason",
        "trust_basis",
    )
)


def test_measures_are_those_counted_by_hand():
    ggo, consolidation = measure_lesions(make_scan(), make_labels(), SCHEMA)
    assert ggo.to_dict() == {
        "class": "ggo",
        "voxels": 4,
        "volume_ml": pytest.approx(0.004),
        "num_slices_with_class": 2,
        "share_of_slices_with_class": pytest.approx(0.4),
        "mean_hu": pytest.approx(-150),
        **NO_TRUST,
    }
    assert consolidation.to_dict() == {
        "class": "consolidation",
        "voxels": 2,
        "volume_ml": pytest.approx(0.002),
        "num_slices_with_class": 1,
        "share_of_slices_with_class": pytest.approx(0.2),
        "mean_hu": pytest.approx(-400),
        **NO_TRUST,
    }


def test_trust_is_that_of_the_class():
    told = Trust("consolidation", 0.5, (0.2, 0.8), (0.5, 3.0), False)
    ggo, consolidation = measure_lesions(make_scan(), make_labels(), SCHEMA, [told])
    assert ggo.trust is None
    assert consolidation.voxel_interval == (1, 6)
    assert consolidation.volume_interval_ml == pytest.approx((0.001, 0.006))


@pytest.mark.parametrize("orientation", ["FPL", "LPH", "RAH", "AHR", "PLF"])
def test_measures_and_counts_do_not_depend_on_the_grid(orientation):
    scan, labels = make_scan(), make_labels()
    volume = scan.volume.to_patient_orientation(orientation)
    turned_labels = scan.volume.with_array(labels).to_patient_orientation(orientation).array
    turned = Scan(volume, "HU", True, True, scan.source)
    assert turned.voxels.shape == turned_labels.shape
    assert measure_lesions(turned, turned_labels, SCHEMA) == measure_lesions(scan, labels, SCHEMA)
    assert count_lesion_voxels(turned, turned_labels, SCHEMA).tolist() == [[0, 0], [3, 0], [0, 0], [1, 0], [0, 2]]


@pytest.mark.parametrize(
    ("kind", "counts", "num_slices"),
    [
        ("dicom", [4, 1], 7),  # first axis: columns 0, 2, 3, 4 and column 1
        ("volume", [2, 2], 6),  # last axis, as volume formats store slices: rows 0, 2 and rows 1, 2
    ],
)
def test_where_the_orientation_is_unknown_the_kind_of_file_tells_the_slice_axis(kind, counts, num_slices):
    volume = make_scan().volume.permute_spatial_axes([2, 0, 1])
    turned = Scan(volume, "HU", True, False, Source(kind, "x", "0" * 64))
    measures = measure_lesions(turned, np.transpose(make_labels(), [2, 0, 1]), SCHEMA)
    assert [m.num_slices_with_class for m in measures] == counts
    assert measures[0].share_of_slices_with_class == pytest.approx(counts[0] / num_slices)


def test_no_millilitres_without_spacing():
    assert [m.volume_ml for m in measure_lesions(make_scan(spacing_known=False), make_labels(), SCHEMA)] == [None, None]


def test_no_density_for_grey_scans():
    assert [m.mean_hu for m in measure_lesions(make_scan(intensity="grey"), make_labels(), SCHEMA)] == [None, None]


def test_a_class_that_is_absent_is_listed_with_zeros():
    measures = measure_lesions(make_scan(), np.zeros((5, 6, 7), np.uint8), SCHEMA)
    assert [m.class_name for m in measures] == ["ggo", "consolidation"]
    assert all(m.voxels == 0 and m.volume_ml == 0 and m.mean_hu is None for m in measures)
    assert all(m.num_slices_with_class == 0 and m.share_of_slices_with_class == 0 for m in measures)


def test_labels_of_another_shape_are_refused():
    with pytest.raises(SchemaError, match="grid"):
        measure_lesions(make_scan(), make_labels()[:4], SCHEMA)


def test_labels_of_another_schema_are_refused():
    labels = make_labels()
    labels[0, 0, 0] = 3
    with pytest.raises(SchemaError, match="label 3"):
        measure_lesions(make_scan(), labels, SCHEMA)
