from __future__ import annotations

import dataclasses
import datetime
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from msdnet.data.phantom import make_phantom
from msdnet.quantification.follow_up import Aligned, align, read_timepoints
from msdnet.quantification.follow_up.lesion_map import NEW, PERSISTENT, RESOLVED, map_lesions
from msdnet.quantification.follow_up.result_files import read_volume

DATES = (datetime.date(2024, 3, 1), datetime.date(2024, 3, 9))


@pytest.fixture(scope="module")
def aligned(results) -> Aligned:
    found = align(read_timepoints(results, same_person=True, dates=DATES))
    assert not found.absent
    return found


def test_a_shifted_scan_comes_to_lie_over_the_first(aligned, phantoms) -> None:
    assert aligned.lung_dice[0] > 0.96
    assert (aligned.likeness[0] or 0) > 0.7
    there = phantoms[0].lungs > 0
    truth = np.isin(phantoms[1].labels_in("ggo-consolidation"), (1, 2)) & there
    found = aligned.labels[1] > 0
    dice = 2 * np.count_nonzero(truth & found) / (np.count_nonzero(truth) + np.count_nonzero(found))
    unmoved = np.roll(truth, 2, axis=2)
    before = 2 * np.count_nonzero(truth & unmoved) / (2 * np.count_nonzero(truth))
    assert dice > 0.85 > before
    assert aligned.pictures[1].shape == aligned.labels[0].shape == there.shape


@pytest.mark.parametrize("ill_first", [False, True])
def test_lungs_that_fell_ill_or_healed_come_together(ill_first: bool, phantoms, results, write, tmp_path) -> None:
    healthy = make_phantom(phantoms[0].seed, shape=phantoms[0].voxels_hu.shape, lesions=())
    well = write(healthy, tmp_path / "well", shift=-1)
    folders = [results[0], well] if ill_first else [well, results[0]]
    found = align(read_timepoints(folders, same_person=True, dates=DATES))
    assert not found.absent
    assert found.lung_dice[0] > 0.98
    assert found.maps[0].persistent_ml == 0
    assert (found.maps[0].resolved_ml if ill_first else found.maps[0].new_ml) > 100


def test_the_same_results_give_the_same_registration(aligned, results) -> None:
    again = align(read_timepoints(results, same_person=True, dates=DATES))
    assert not again.absent
    assert np.array_equal(again.maps[0].array, aligned.maps[0].array)


def test_a_map_lies_where_the_first_scan_lies(aligned, results, tmp_path) -> None:
    aligned.write_map(0, tmp_path / "map.nii.gz")
    written, preview = sitk.ReadImage(str(tmp_path / "map.nii.gz")), read_volume(results[0] / "preview.nii.gz")
    assert written.GetSize() == preview.GetSize()
    assert written.GetOrigin() == pytest.approx(preview.GetOrigin())
    assert np.array_equal(sitk.GetArrayFromImage(written), aligned.maps[0].array)


def test_results_without_lungs_or_preview_are_not_laid_over_each_other(copy_of, results) -> None:
    for role in ("lungs", "preview"):
        folder = copy_of(1)
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        del record["files"][role]
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        points = read_timepoints([results[0], folder], same_person=True, dates=DATES)
        found = align(points)
        assert (found.absent, found.absent_of, found.maps) == (f"no_{role}", (1,), ())
        shutil.rmtree(folder)


def test_rims_persist_and_far_lesions_are_new_or_resolved() -> None:
    before, after = np.zeros((2, 10, 30, 30), bool)
    before[2:5, 5:10, 5:10] = True
    after[2:5, 4:11, 4:11] = True  # grown by 2 mm on each side
    before[7:9, 20:23, 20:23] = True
    after[2:4, 20:23, 20:24] = True
    found = map_lesions(before, after, (2.0, 2.0, 2.0))
    assert np.array_equal(found.array == NEW, after & (np.indices(after.shape)[2] >= 20))
    assert np.array_equal(found.array == RESOLVED, before & (np.indices(after.shape)[2] >= 20))
    assert np.array_equal(found.array == PERSISTENT, after & (np.indices(after.shape)[2] < 20))
    voxel_ml = 0.008
    assert (found.new_ml, found.resolved_ml) == pytest.approx((24 * voxel_ml, 18 * voxel_ml))


def test_where_nothing_was_all_is_new() -> None:
    after = np.zeros((3, 4, 4), bool)
    after[1, 1, 1] = True
    found = map_lesions(np.zeros_like(after), after, (5.0, 1.0, 1.0))
    assert (found.new_ml, found.persistent_ml, found.resolved_ml) == (0.005, 0.0, 0.0)


def test_where_one_scan_does_not_reach_nothing_is_new_or_resolved() -> None:
    before, after = np.zeros((2, 12, 9, 9), bool)
    before[1:3, 4, 4] = True  # where the later scan does not reach
    before[9, 4, 4] = after[9, 4, 4] = True
    seen = np.ones(before.shape, bool)
    seen[:5] = False
    found = map_lesions(before, after, (2.0, 2.0, 2.0), seen)
    assert (found.resolved_ml, found.new_ml) == (0.0, 0.0)
    assert (found.persistent_ml, found.unseen_ml) == pytest.approx((0.008, 0.016))
    assert not found.array[:5].any()


def test_a_scan_that_ends_earlier_resolves_nothing(results, phantoms, write, tmp_path) -> None:
    whole = phantoms[0]
    short = dataclasses.replace(whole, voxels_hu=whole.voxels_hu[5:], labels=whole.labels[5:], lungs=whole.lungs[5:])
    points = read_timepoints([results[0], write(short, tmp_path / "short")], same_person=True, dates=DATES)
    found = align(points)
    assert not found.absent
    assert found.maps[0].unseen_ml > 1
    assert found.maps[0].resolved_ml < 0.1 * found.maps[0].unseen_ml
    assert found.lung_dice[0] > 0.97  # lung that one of them does not show is no difference


def test_a_later_scan_that_reaches_further_is_counted_and_shown(results, phantoms, write, tmp_path) -> None:
    whole = phantoms[0]
    cut = 5
    short = dataclasses.replace(
        whole, voxels_hu=whole.voxels_hu[cut:], labels=whole.labels[cut:], lungs=whole.lungs[cut:]
    )
    found = align(read_timepoints([write(short, tmp_path / "short"), results[0]], same_person=True, dates=DATES))
    assert not found.absent
    truth = whole.labels_in("ggo-consolidation") > 0
    voxel_ml = float(np.prod(whole.spacing_mm)) / 1000
    beyond_ml, in_all_ml = truth[:cut].sum() * voxel_ml, truth.sum() * voxel_ml
    assert beyond_ml > 10
    assert found.maps[0].unseen_ml == pytest.approx(beyond_ml, rel=0.2)
    grid_ml = float(np.prod(found.grid.GetSpacing())) / 1000
    assert (found.labels[1] > 0).sum() * grid_ml == pytest.approx(in_all_ml, rel=0.05)
    assert found.maps[0].new_ml < 0.1 * beyond_ml
    assert not found.maps[0].array[~found.seen[0]].any()
    assert found.pictures[1][~found.seen[0] & found.seen[1]].max() > 0  # the later picture reaches there, too


def test_what_two_later_scans_alone_show_is_in_no_map(results, phantoms, write, tmp_path) -> None:
    whole = phantoms[0]
    short = dataclasses.replace(whole, voxels_hu=whole.voxels_hu[5:], labels=whole.labels[5:], lungs=whole.lungs[5:])
    folders = [write(short, tmp_path / "short"), *results]
    found = align(read_timepoints(folders, same_person=True, dates=[*DATES, datetime.date(2024, 4, 1)]))
    assert found.maps[1].unseen_ml > 1
    assert not found.maps[1].array[~found.seen[0]].any()


def test_another_persons_lungs_are_refused(results, phantoms, write, tmp_path) -> None:
    other = write(make_phantom(7, shape=phantoms[0].voxels_hu.shape), tmp_path / "other")
    found = align(read_timepoints([other, results[0]], same_person=True, dates=DATES))
    assert (found.absent, found.absent_of) == ("failed", (1,))


def test_empty_lungs_are_no_lungs(copy_of, results) -> None:
    folder = copy_of(1)
    image = nib.load(folder / "lungs.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), folder / "lungs.nii.gz")
    tables = json.loads((folder / "lungs.json").read_text(encoding="utf-8"))
    for region in tables["regions"]:
        region["voxels"] = 0  # else the file is not the one that was written
    (folder / "lungs.json").write_text(json.dumps(tables), encoding="utf-8")
    points = read_timepoints([results[0], folder], same_person=True, dates=DATES)
    found = align(points)
    assert (found.absent, found.absent_of) == ("no_lungs", (1,))
