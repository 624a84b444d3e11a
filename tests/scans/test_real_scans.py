from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from msdnet.errors import InputError
from msdnet.labels import get_schema
from msdnet.scans import Scan, find_scans, public_name, read_scan, write_labels

WEIGHTS = {"schema": get_schema("ggo-consolidation"), "weights_name": "test", "weights_sha256": "ab" * 32}


def _assert_equal_to_itk(scan: Scan, labels: np.ndarray, file: Path, names: tuple[str, ...]) -> None:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(names)
    theirs, ours = reader.Execute(), SimpleITK.ReadImage(str(file))
    assert ours.GetSize() == theirs.GetSize()
    np.testing.assert_allclose(ours.GetSpacing(), theirs.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(ours.GetOrigin(), theirs.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(ours.GetDirection(), theirs.GetDirection(), atol=1e-6)
    np.testing.assert_array_equal(np.maximum(SimpleITK.GetArrayFromImage(theirs), -1024), scan.voxels)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(ours), labels)


def test_a_whole_series_equals_simpleitk_and_its_segmentation_is_valid(
    data_folder: Path, tmp_path: Path, ct: Any, require_tool: Callable[[str], str]
) -> None:
    scan = read_scan(data_folder / "ct-lungfcp")
    assert scan.voxels.shape == (98, 512, 512)
    labels = ct.some_labels(scan.voxels.shape)
    write_labels(labels, scan, tmp_path / "out", **WEIGHTS)
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(data_folder / "ct-lungfcp"))
    _assert_equal_to_itk(scan, labels, tmp_path / "out" / "labels.nii.gz", names)
    segmentation = str(tmp_path / "out" / "segmentation.dcm")
    check = [require_tool("dciodvfy"), "-new", segmentation]
    run = subprocess.run(check, capture_output=True, text=True, check=False)
    assert "Error" not in run.stdout + run.stderr
    beside = Path(sys.executable).parent / "segimage2itkimage"
    program = str(beside) if beside.is_file() else require_tool("segimage2itkimage")
    (tmp_path / "dcmqi").mkdir()
    command = [program, "--inputDICOM", segmentation, "--outputDirectory", str(tmp_path / "dcmqi"), "-t", "nii"]
    subprocess.run(command, capture_output=True, check=True)
    for index in (1, 2):
        found = np.count_nonzero(np.asanyarray(nib.load(tmp_path / "dcmqi" / f"{index}.nii.gz").dataobj))
        assert found == np.count_nonzero(labels == index)


def test_single_slices_of_several_patients_are_a_scan_each(data_folder: Path, tmp_path: Path, ct: Any) -> None:
    paths = sorted((data_folder / "ct-covid-slices").glob("*.dcm"))
    found = find_scans(paths)
    assert [f.paths for f in found] == [(p,) for p in paths]
    for scan_input in found:
        scan = read_scan(scan_input)
        assert public_name(scan) == scan.source.digest[:12]
        assert scan.voxels.min() == -1024
        labels = ct.some_labels(scan.voxels.shape)
        written = write_labels(labels, scan, tmp_path / scan.source.digest, **WEIGHTS)
        assert "segmentation" in written
        file = tmp_path / scan.source.digest / "labels.nii.gz"
        _assert_equal_to_itk(scan, labels, file, (str(scan_input.paths[0]),))
    with pytest.raises(InputError, match="3 CT series that could be meant"):
        find_scans([data_folder / "ct-covid-slices"])


def test_small_scans_in_other_formats_are_hu(data_folder: Path) -> None:
    nrrd = read_scan(data_folder / "ct-small" / "ct-64.nrrd")
    dicom = read_scan(data_folder / "ct-small" / "ct-64-dicom")
    np.testing.assert_array_equal(nrrd.voxels.transpose(2, 1, 0), dicom.voxels)
    assert nrrd.orientation_known
    nifti = read_scan(data_folder / "ct-small" / "id002-128x128x64.nii.gz")
    assert (nifti.intensity, nifti.voxels.min()) == ("HU", -1024)
    with pytest.raises(InputError, match="do not look like HU"):
        read_scan(data_folder / "ct-small" / "id002-128x128x64-msk.nii.gz")


def test_real_pictures_are_grey_and_keep_their_size(data_folder: Path) -> None:
    for scan_input in find_scans([data_folder / "covid-semiseg" / "multiclass" / "images"])[:5]:
        scan = read_scan(scan_input)
        assert scan.intensity == "grey"
        assert scan.voxels.shape[0] == 1
