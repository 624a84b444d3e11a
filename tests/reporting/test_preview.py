from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from msdnet.reporting import write_preview
from msdnet.scans import find_scans, read_scan


def test_a_preview_holds_means_of_blocks_where_the_scan_lies(make_segmentation, tmp_path) -> None:
    scan = make_segmentation(spacing=(2.0, 1.0, 0.5)).scan
    assert write_preview(scan, tmp_path) == {"preview": "preview.nii.gz"}
    preview = nib.load(tmp_path / "preview.nii.gz")
    assert preview.header.get_zooms() == pytest.approx((2.0, 2.0, 2.0))
    assert preview.get_data_dtype() == np.uint8
    found = preview.get_fdata().transpose(2, 1, 0)
    expected = scan.voxels[:, :60, :80].reshape(20, 1, 30, 2, 20, 4).mean(axis=(1, 3, 5))
    assert np.abs(found - np.clip(expected, -1024, 506)).max() <= 3
    first = scan.volume.map_indices_to_reference(np.array([[0, 0, 0]]))[0]
    x, y, z = preview.affine[:3, 3]
    assert (-x, -y, z) == pytest.approx((first[0] + 1.5 * 0.5, first[1] + 0.5 * 1.0, first[2]))


def test_a_preview_reads_as_a_scan(make_segmentation, tmp_path) -> None:
    write_preview(make_segmentation().scan, tmp_path)
    scan = read_scan(find_scans([tmp_path / "preview.nii.gz"])[0])
    assert scan.intensity == "HU"


@pytest.mark.parametrize("lacking", [{"grey": True}, {"spacing_known": False}, {"orientation_known": False}])
def test_what_has_no_volumes_has_no_preview(make_segmentation, tmp_path, lacking) -> None:
    assert write_preview(make_segmentation(**lacking).scan, tmp_path) == {}
    assert not list(tmp_path.iterdir())
