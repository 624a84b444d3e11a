from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from msdnet.data.phantom import make_phantom, to_scan
from msdnet.errors import OptionError, SchemaError
from msdnet.labels import get_schema
from msdnet.quantification import GivenLungs, check_given_lungs, measure_scan_lungs
from msdnet.quantification.lung_masks import lungs_from_mask
from msdnet.quantification.lungs import LEFT, RIGHT

PHANTOM = make_phantom(4, shape=(40, 96, 96))
SCAN = to_scan(PHANTOM)
MM = (5.0, 1.0, 1.0)


def test_each_scheme_says_which_lobe_a_number_is() -> None:
    mask = np.array([[[0, 1, 2, 3, 4, 5]]])
    lungs, lobes = lungs_from_mask(mask, "lungmask-lobes", mask, MM)
    assert lungs.sides.tolist() == [[[0, LEFT, LEFT, RIGHT, RIGHT, RIGHT]]]
    assert lobes.tolist() == [[[0, 4, 5, 1, 2, 3]]]  # right upper, middle and lower lobe are 1 to 3, left 4 and 5
    other, same = lungs_from_mask(np.where(mask > 0, mask + 9, 51), "totalsegmentator", mask, MM)  # 51 is the heart
    assert (other.sides.tolist(), same.tolist()) == (lungs.sides.tolist(), lobes.tolist())
    sides, none = lungs_from_mask(np.array([[[0, 1, 2]]]), "left-right", mask, MM)
    assert (sides.sides.tolist(), none) == ([[[0, RIGHT, LEFT]]], None)


def test_a_binary_mask_is_parted() -> None:
    lungs, _ = lungs_from_mask((PHANTOM.lungs > 0).astype(np.int32), "binary", PHANTOM.voxels_hu, PHANTOM.spacing_mm)
    assert np.mean(lungs.sides == PHANTOM.lungs) > 0.999
    for side in (RIGHT, LEFT):
        one = (PHANTOM.lungs == side).astype(np.int32)
        lungs, _ = lungs_from_mask(one, "binary", PHANTOM.voxels_hu, PHANTOM.spacing_mm)
        assert set(np.unique(lungs.sides)) == {0, side}


def test_a_mask_of_another_scheme_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"numbers 1, 2, 7(.|\n)*--lung-scheme"):
        lungs_from_mask(np.array([[[1, 2, 7]]]), "left-right", PHANTOM.voxels_hu, MM)
    with pytest.raises(SchemaError, match="numbers 51"):
        lungs_from_mask(np.array([[[0, 51]]]), "totalsegmentator", PHANTOM.voxels_hu, MM)
    with pytest.raises(OptionError, match="lobes"):
        lungs_from_mask(np.array([[[1]]]), "lobes", PHANTOM.voxels_hu, MM)


def test_a_given_mask_is_measured_as_it_is_and_lobes_give_the_scores(tmp_path: Path) -> None:
    lobes = np.zeros(PHANTOM.lungs.shape, np.uint8)  # by lungmask's numbers, cut along the height alone
    slices = np.arange(40)[:, None, None]
    for side, numbers in ((RIGHT, (5, 4, 3)), (LEFT, (2, 2, 1))):
        for number, first in zip(numbers, (0, 14, 22), strict=True):
            lobes[(PHANTOM.lungs == side) & (slices >= first)] = number
    dz, dy, dx = PHANTOM.spacing_mm
    affine = np.diag([-dx, -dy, dz, 1.0])
    affine[:3, 3] = -PHANTOM.origin_mm[0], -PHANTOM.origin_mm[1], PHANTOM.origin_mm[2]
    nib.save(nib.Nifti1Image(lobes.transpose(2, 1, 0), affine), tmp_path / "lobes.nii.gz")
    given = GivenLungs(tmp_path / "lobes.nii.gz", "lungmask-lobes", carina=20, veins=14)
    labels, schema = PHANTOM.labels_in("ggo-consolidation"), get_schema("ggo-consolidation")
    check_given_lungs(given, SCAN)
    found = measure_scan_lungs(SCAN, labels, schema, given)
    np.testing.assert_array_equal(found.sides, PHANTOM.lungs)
    assert found.given == "lungmask-lobes"
    percent = {
        number: 100 * np.count_nonzero(labels[lobes == number]) / np.count_nonzero(lobes == number)
        for number in range(1, 6)
    }
    names = ("left_upper_lobe", "left_lower_lobe", "right_upper_lobe", "right_middle_lobe", "right_lower_lobe")
    for number, name in enumerate(names, start=1):
        assert found.measures.region(name).percent("any_lesion") == pytest.approx(percent[number])
    points = np.searchsorted([0, 5, 25, 50, 75], list(percent.values()))  # none lies on a bound
    assert found.measures.ct_severity == points.sum()
    assert found.measures.zone_score is not None
    assert found.measures.absent == {}


def test_what_could_not_be_used_is_refused_beforehand() -> None:
    with pytest.raises(OptionError, match="one level of the zones alone"):
        check_given_lungs(GivenLungs(veins=10), SCAN)
    grey = dataclasses.replace(SCAN, intensity="grey")
    with pytest.raises(OptionError, match="grey levels"):
        check_given_lungs(GivenLungs(Path("m.nii"), "binary"), grey)
    check_given_lungs(GivenLungs(), grey)


def test_zones_of_slices_that_the_scan_has_not_are_refused_beforehand() -> None:
    with pytest.raises(OptionError, match="1 to 40"):
        check_given_lungs(GivenLungs(carina=50, veins=10), SCAN)
