"""preview.nii.gz: the scan at 2 mm and in few grey levels, by which two results are laid over each other and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from msdnet.scans.scan import Scan
from msdnet.slices import to_canonical

Array = np.ndarray[Any, Any]

VOXEL_MM = 2.0
LOWEST_HU, STEP_HU = -1024, 6
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_preview(scan: Scan, folder: Path) -> dict[str, str]:
    """Writes preview.nii.gz of a scan in HU with orientation and spacing; gives the file's role and name, if any.

    It is a NIfTI of bytes that reads as HU, -1,024 to 506 in steps of 6, in the scan's own space.

    Voxels are means over whole blocks, the largest that are not above 2 mm along each axis; what is left over at the
    far ends is not in it.
    """
    if not scan.has_volumes:
        return {}
    volume = to_canonical(scan)
    blocks = [min(n, max(1, int(VOXEL_MM / mm + 1e-6))) for n, mm in zip(volume.shape, volume.spacing, strict=True)]
    shape = [n // block for n, block in zip(volume.shape, blocks, strict=True)]
    grey = np.empty(shape, dtype=np.uint8)
    for index in range(shape[0]):
        slab = volume.array[index * blocks[0] : (index + 1) * blocks[0], : shape[1] * blocks[1], : shape[2] * blocks[2]]
        mean = slab.reshape(blocks[0], shape[1], blocks[1], shape[2], blocks[2]).mean(axis=(0, 2, 4))
        grey[index] = np.clip(np.rint((mean - LOWEST_HU) / STEP_HU), 0, 255)
    to_blocks = np.diag([*(float(block) for block in blocks), 1.0])
    to_blocks[:3, 3] = [(block - 1) / 2 for block in blocks]
    affine = (_LPS_TO_RAS @ volume.affine @ to_blocks)[:, [2, 1, 0, 3]]
    image: Any = nib.Nifti1Image(grey.transpose(2, 1, 0), affine)  # column, row, slice, as in labels.nii.gz
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_slope_inter(STEP_HU, LOWEST_HU)
    nib.save(image, folder / "preview.nii.gz")
    return {"preview": "preview.nii.gz"}
