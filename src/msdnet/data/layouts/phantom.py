"""Synthetic patients, every second one without lesions: a whole data set to try things on, from a seed alone."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from msdnet.data.layouts.draft import Draft, Layout, Options
from msdnet.data.layouts.pairs import rows_of_volume
from msdnet.data.manifest import SYNTHETIC, Row
from msdnet.data.phantom import Phantom, make_phantom
from msdnet.data.training_slice import Array
from msdnet.errors import OptionError
from msdnet.labels import LabelSchema

NUM_PATIENTS = 20


def draft_phantom(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per slice of the NIfTI files in OUT/images and OUT/labels, which are made here.

    The patients have no faults and their groups are known, so near-duplicates are not looked for.

    Raises:
        OptionError: if there is no patient to make, or if an argument of the phantom cannot be used.
    """
    num_patients = NUM_PATIENTS if options.num_patients is None else options.num_patients
    if num_patients < 1:
        raise OptionError(
            "no patient to make", got=f"--patients {num_patients}", expected="1 or more", do="ask for more"
        )
    rows: list[Row] = []
    for index in range(num_patients):
        seed = options.seed + index
        name = f"phantom-{seed:04d}"
        lesions = () if index % 2 else ("ggo", "interstitial", "consolidation")
        phantom = make_phantom(seed, shape=options.shape, lesions=lesions)
        image, labels = (out.resolve() / folder / f"{name}.nii.gz" for folder in ("images", "labels"))
        _write(phantom, phantom.voxels_hu, image)
        _write(phantom, phantom.labels_in(schema.name), labels)
        rows += rows_of_volume(name, image, labels, None, name, SYNTHETIC, "")
    return Draft(tuple(rows), notes=("Synthetic patients: for trying things out, never for a figure about patients.",))


def _write(phantom: Phantom, array: Array, path: Path) -> None:
    """(S, H, W) to the head, the back and the left -> NIfTI, whose axes go to the right, the front and the head."""
    slice_mm, row_mm, column_mm = phantom.spacing_mm
    left_mm, back_mm, head_mm = phantom.origin_mm
    affine = np.diag([-column_mm, -row_mm, slice_mm, 1.0])
    affine[:3, 3] = -left_mm, -back_mm, head_mm
    image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


PHANTOM = Layout("no files: asked for by its name", lambda source: False, draft_phantom)
