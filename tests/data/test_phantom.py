"""The phantom is the same for a seed, looks like a chest in HU, knows its truth, and is a valid DICOM series."""

import subprocess

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy import ndimage

from msdnet.data.phantom import make_phantom, to_scan, write_phantom_dicom
from msdnet.errors import OptionError

SMALL = (24, 64, 64)
MEDIUM = (24, 160, 160)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(0, shape=MEDIUM)


@pytest.fixture(scope="module")
def healthy():
    return make_phantom(0, shape=MEDIUM, lesions=())


@pytest.fixture(scope="module")
def series(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_phantom_dicom(phantom, folder)
    return folder


def read_with_simpleitk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_same_seed_gives_the_same_voxels():
    one, two = make_phantom(7, shape=SMALL), make_phantom(7, shape=SMALL)
    np.testing.assert_array_equal(one.voxels_hu, two.voxels_hu)
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.lungs, two.lungs)


def test_another_seed_gives_another_person():
    one, two = make_phantom(7, shape=SMALL), make_phantom(8, shape=SMALL)
    assert (one.lungs != two.lungs).mean() > 0.005
    assert (one.labels != two.labels).mean() > 0.005
    assert (one.voxels_hu != two.voxels_hu).mean() > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_small_phantoms_hold_every_class_in_several_lesions(seed):
    phantom = make_phantom(seed, shape=SMALL)
    assert phantom.voxels_hu.shape == phantom.labels.shape == phantom.lungs.shape == SMALL
    assert phantom.voxels_hu.dtype == np.int16
    assert phantom.labels.dtype == phantom.lungs.dtype == np.uint8
    for label in (1, 2, 3):
        sizes = np.bincount(ndimage.label(phantom.labels == label)[0].ravel())[1:]
        assert (sizes >= 4).sum() >= 2, f"class {label}"


def test_labels_lie_within_the_lungs(phantom):
    assert not phantom.labels[phantom.lungs == 0].any()


def test_lungs_are_on_their_sides_and_of_a_chest_s_size(phantom):
    right, left = (np.argwhere(phantom.lungs == side) for side in (1, 2))
    assert right[:, 2].max() < left[:, 2].min() + 8  # columns ascend towards the patient's left
    voxel_ml = np.prod(phantom.spacing_mm) / 1000
    assert 1200 < len(left) * voxel_ml < len(right) * voxel_ml < 3200


def test_rows_go_to_the_back_and_slices_to_the_head(phantom):
    bone = np.argwhere((phantom.voxels_hu > 300) & (phantom.voxels_hu < 3000))
    middle = np.abs(bone[:, 2] - phantom.voxels_hu.shape[2] / 2) < 6
    spine_and_sternum = bone[middle][:, 1]
    assert (spine_and_sternum > 80).sum() > 2 * (spine_and_sternum < 80).sum()  # the spine is at the back
    areas = (phantom.lungs > 0).sum(axis=(1, 2))
    assert areas[-3:].sum() < areas[:3].sum()  # apices end, bases reach beside the liver
    assert np.median(phantom.voxels_hu[0][phantom.voxels_hu[0] > -500]) > 0


def test_each_class_has_its_hu(phantom):
    expected = {1: (-650, -450), 2: (-620, -300), 3: (-80, 50)}
    for label, (low, high) in expected.items():
        inside = ndimage.binary_erosion(phantom.labels == label, np.ones((1, 3, 3)))
        assert low < np.median(phantom.voxels_hu[inside]) < high, f"class {label}"


def test_histogram_peaks_where_real_scans_do(phantom):
    lung = phantom.voxels_hu[(phantom.lungs > 0) & (phantom.labels == 0)]
    counts, edges = np.histogram(lung, bins=np.arange(-1000, 0, 20))
    assert -910 <= edges[counts.argmax()] <= -840
    counts, edges = np.histogram(phantom.voxels_hu, bins=np.arange(-40, 140, 10))
    assert 25 <= edges[counts.argmax()] <= 60
    assert (phantom.voxels_hu > 400).mean() > 0.003  # bone
    assert -1024 <= phantom.voxels_hu.min() <= -1000


def test_healthy_chest_is_the_same_person_without_labels(phantom, healthy):
    assert not healthy.labels.any()
    np.testing.assert_array_equal(healthy.lungs, phantom.lungs)
    far = ~ndimage.binary_dilation(phantom.labels > 0, np.ones((1, 11, 11)))
    difference = np.abs(healthy.voxels_hu[far].astype(int) - phantom.voxels_hu[far])
    assert (difference > 40).mean() < 2e-4  # what is not labelled is hardly touched
    assert np.median(healthy.voxels_hu[phantom.labels > 0]) < -800


@pytest.mark.parametrize(("name", "label"), [("ggo", 1), ("interstitial", 2), ("consolidation", 3)])
def test_one_kind_of_lesion_alone(name, label):
    labels = make_phantom(1, shape=SMALL, lesions=(name,)).labels
    assert set(np.unique(labels)) == {0, label}


def test_labels_in_another_schema(phantom):
    two = phantom.labels_in("ggo-consolidation")
    np.testing.assert_array_equal(two == 1, (phantom.labels == 1) | (phantom.labels == 2))
    np.testing.assert_array_equal(two == 2, phantom.labels == 3)
    np.testing.assert_array_equal(phantom.labels_in("msdnet-paper"), phantom.labels)
    np.testing.assert_array_equal(phantom.labels_in("infection"), phantom.labels > 0)
    with pytest.raises(OptionError, match="unknown label schema"):
        phantom.labels_in("lobes")


def test_noise_is_as_wide_as_asked():
    quiet, loud = (make_phantom(3, shape=SMALL, noise_hu=noise) for noise in (0.0, 40.0))
    difference = loud.voxels_hu.astype(int) - quiet.voxels_hu
    assert 38 < difference[quiet.voxels_hu > -500].std() < 42


def test_spacing_is_a_field_of_view_in_millimetres():
    whole = make_phantom(2, shape=(12, 64, 64), spacing_mm=(16.0, 6.0, 6.0))
    cut = make_phantom(2, shape=(12, 64, 64), spacing_mm=(16.0, 3.0, 3.0))
    assert cut.spacing_mm == (16.0, 3.0, 3.0)
    assert (whole.voxels_hu < -900).mean() > 0.4  # air around the body
    assert (cut.voxels_hu < -900).mean() < 0.3  # the field ends within the chest


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": -1},
        {"shape": (10, 20)},
        {"shape": (0, 64, 64)},
        {"spacing_mm": (6.0, 0.0, 1.0)},
        {"spacing_mm": (6.0, float("nan"), 1.0)},
        {"lesions": ("ggo", "nodule")},
        {"lesions": "ggo"},
        {"noise_hu": -1.0},
    ],
)
def test_unusable_arguments_are_refused(arguments):
    with pytest.raises(OptionError, match="expected"):
        make_phantom(**arguments)


def test_series_reads_in_simpleitk_with_the_phantom_s_geometry(phantom, series):
    image = read_with_simpleitk(series)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), phantom.voxels_hu)
    np.testing.assert_allclose(image.GetSpacing(), phantom.spacing_mm[::-1], atol=1e-5)
    np.testing.assert_allclose(image.GetOrigin(), phantom.origin_mm, atol=1e-5)
    np.testing.assert_array_equal(image.GetDirection(), np.eye(3).ravel())


def test_scan_in_memory_lies_where_the_series_lies(phantom, series):
    scan, image = to_scan(phantom), read_with_simpleitk(series)
    np.testing.assert_array_equal(scan.voxels, phantom.voxels_hu)
    assert scan.voxel_ml == pytest.approx(np.prod(phantom.spacing_mm) / 1000)
    for index in [(0, 0, 0), (5, 20, 100)]:
        here = scan.volume.map_indices_to_reference(np.array([index]))[0]
        np.testing.assert_allclose(here, image.TransformIndexToPhysicalPoint(index[::-1]), atol=1e-4)


def test_uids_follow_from_seed_and_voxels(phantom, healthy, series, tmp_path):
    again = write_phantom_dicom(phantom, tmp_path / "again")
    other = write_phantom_dicom(healthy, tmp_path / "other")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in sorted(series.iterdir())]
    headers, others = ([pydicom.dcmread(p, stop_before_pixels=True) for p in paths] for paths in (again, other))
    assert headers[0].StudyInstanceUID == others[0].StudyInstanceUID  # one person
    uids = {h.SOPInstanceUID for h in headers + others} | {h.SeriesInstanceUID for h in headers + others}
    assert len(uids) == 2 * len(headers) + 2
    assert all(uid.startswith("2.25.") and uid.is_valid for uid in uids)
    assert str(headers[0].PatientName) == "PHANTOM^SYNTHETIC"


def test_series_is_valid_dicom(series, require_tool):
    validator = require_tool("dciodvfy")
    for path in sorted(series.iterdir())[::8]:
        found = subprocess.run([validator, "-new", str(path)], capture_output=True, text=True, check=False)
        report = found.stdout + found.stderr
        assert "CTImage" in report
        assert "Error" not in report, report


def test_folder_with_other_files_is_refused_and_left_alone(phantom, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match=r"notes\.txt"):
        write_phantom_dicom(phantom, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_lesions_of_another_time_are_the_same_ones_wider():
    before, after = (make_phantom(2, shape=(16, 64, 64), lesion_scale=scale) for scale in (1.0, 1.2))
    assert np.array_equal(before.lungs, after.lungs)
    grown = np.count_nonzero(after.labels) / np.count_nonzero(before.labels)
    assert 1.2 < grown < 1.2**3 * 1.2
    assert np.count_nonzero((before.labels > 0) & (after.labels == 0)) == 0
    with pytest.raises(OptionError, match="lesions of this width"):
        make_phantom(2, shape=(16, 64, 64), lesion_scale=0.0)
