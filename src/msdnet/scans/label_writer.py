"""Labels -> files on the scan's own grid, read back from disk and compared with what was to be written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image

from msdnet.errors import OutputError, SchemaError
from msdnet.labels import LUNG_PARTS, LUNGS, LabelSchema
from msdnet.scans.dicom_seg import check_same, check_segmentation, differs, write_segmentation
from msdnet.scans.scan import Scan

Array = np.ndarray[Any, Any]

PART_FILES = {"third": "zones", "zone": "zones", "shell": "shells", "lobe": "lobes"}
"""Key in `LUNG_PARTS` -> name of its DICOM file; with "_segmentation" after it, its role."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_labels(
    labels: Array,
    scan: Scan,
    folder: Path,
    *,
    schema: LabelSchema,
    weights_name: str,
    weights_sha256: str,
    anonymous: bool = False,
) -> dict[str, str]:
    """The files written into `folder`: "labels" and "segmentation", or "segmentation_absent" with the reason.

    labels.nii.gz for DICOM (the grid that SimpleITK gives the series) and volumes (the file's own grid, voxel order and
    affine); labels.png for pictures (class numbers with the schema's colours as palette); segmentation.dcm for DICOM.

    Args:
        labels: uint8 class numbers, the shape of `scan.voxels`.
        folder: Made if missing; files of these names in it are replaced.
        anonymous: Leave out segmentation.dcm, which carries the patient's name and ID.

    Raises:
        SchemaError: if `labels` holds numbers that the schema does not have.
        OutputError: if the labels do not fit the scan, or if what was written differs from them.
    """
    _check_labels(labels, scan, schema)
    folder.mkdir(parents=True, exist_ok=True)
    if scan.source.kind == "picture":
        path = folder / "labels.png"
        _write_png(labels, path, schema)
        check_same(labels, np.asarray(Image.open(path))[np.newaxis], path.name)
    else:
        path = folder / "labels.nii.gz"
        _write_nifti(labels, scan, path)
    written = {"labels": path.name}
    if scan.source.kind != "dicom":
        return written
    if anonymous:
        return written | {"segmentation_absent": "left out, as DICOM output carries the patient's name and ID"}
    if scan.seg_obstacle:
        return written | {"segmentation_absent": scan.seg_obstacle}
    path = folder / "segmentation.dcm"
    obstacle = write_segmentation(labels, scan, path, schema, weights_name, weights_sha256)
    if obstacle:
        return written | {"segmentation_absent": obstacle}
    check_segmentation(path, scan, labels)
    return written | {"segmentation": path.name}


def write_lungs(
    sides: Array,
    scan: Scan,
    folder: Path,
    *,
    weights_name: str,
    weights_sha256: str,
    with_dicom: bool,
    given: bool = False,
    parts: Mapping[str, Callable[[], Array]] | None = None,
) -> dict[str, str]:
    """The files written into `folder`; nothing for pictures.

    "lungs", lungs.nii.gz on the grid of labels.nii.gz; "lungs_segmentation", lungs.dcm, and the like of zones, shells
    and lobes, or "lungs_segmentation_absent" with the reason.

    Args:
        sides: uint8, 1 in the right and 2 in the left lung, the shape of `scan.voxels`.
        weights_name: Of the weights whose lesions are in the lungs.
        weights_sha256: The same.
        with_dicom: Write lungs.dcm, as the lesions' segmentation could be.
        given: Whether they are those of a mask that another program made.
        parts: Make their parts, uint8, by the keys and with the numbers of `LUNG_PARTS`.

    Raises:
        OutputError: if the masks do not fit the scan, or if what was written differs from them.
    """
    if scan.source.kind == "picture":
        return {}
    _check_labels(sides, scan, LUNGS)
    path = folder / "lungs.nii.gz"
    _write_nifti(sides, scan, path)
    written = {"lungs": path.name}
    masks: list[tuple[str, Callable[[], Array], LabelSchema]] = [("lungs", lambda: sides, LUNGS)]
    masks += [(PART_FILES[kind], make, LUNG_PARTS[kind]) for kind, make in (parts or {}).items()]
    for name, make, schema in masks if with_dicom else ():
        path, numbers = folder / f"{name}.dcm", make()
        obstacle = write_segmentation(numbers, scan, path, schema, weights_name, weights_sha256, given=given)
        if obstacle:
            return written | {"lungs_segmentation_absent": obstacle}
        check_segmentation(path, scan, numbers)
        del numbers  # before the next ones are made
        written[f"{name}_segmentation"] = path.name
    return written


def _check_labels(labels: Array, scan: Scan, schema: LabelSchema) -> None:
    if labels.shape != scan.voxels.shape or labels.dtype != np.uint8:
        raise OutputError(
            "the labels do not fit the scan",
            got=f"{labels.dtype} of shape {labels.shape}",
            expected=f"uint8 of shape {scan.voxels.shape}",
            do="pass the labels of this scan",
        )
    highest = int(labels.max())
    if highest >= schema.num_classes:
        raise SchemaError(
            f"the labels do not belong to the schema {schema.name!r}",
            got=f"class number {highest}",
            expected=f"0 to {schema.num_classes - 1}",
            do="pass the schema of the weights that made the labels",
        )


def _write_png(labels: Array, path: Path, schema: LabelSchema) -> None:
    image = Image.fromarray(labels[0], mode="P")
    image.putpalette([0, 0, 0] + [value for c in schema.classes for value in c.colour])
    image.save(path, optimize=False)


def _write_nifti(labels: Array, scan: Scan, path: Path) -> None:
    """Writes the labels, and reads them back.

    Raises:
        OutputError: if the file differs from them, or lies elsewhere than the scan.
    """
    image: Any
    source = scan.source.nifti_header
    if source is not None:
        affine = source.get_best_affine()
        kind: Any = nib.Nifti2Image if isinstance(source, nib.Nifti2Header) else nib.Nifti1Image
        array = labels.reshape(source.get_data_shape())
        image = kind(array, None, header=source)
        _clean_header(image.header)
    else:
        affine = _LPS_TO_RAS @ scan.volume.affine
        array = labels
        if scan.source.kind == "dicom":  # slice, row, column -> column, row, slice, as SimpleITK writes it
            array, affine = labels.transpose(2, 1, 0), affine[:, [2, 1, 0, 3]]
        image = nib.Nifti1Image(array, affine)
        image.header.set_xyzt_units("mm")
        image.set_qform(affine, code=1)
        image.set_sform(affine, code=1)
    image.set_data_dtype(np.uint8)
    nib.save(image, path)
    _check_nifti(path, array, affine)


def _clean_header(header: Any) -> None:
    """Removes free text, which may name the patient, and the scaling of the source's values."""
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        if field in header:
            header[field] = b""
    header.extensions.clear()
    header["intent_code"] = 0
    header["cal_max"] = header["cal_min"] = 0
    header.set_slope_inter(1, 0)


def _check_nifti(path: Path, array: Array, affine: Array) -> None:
    """Compares a file with its array and its affine (RAS), plane by plane, for memory."""
    image: Any = nib.load(path, keep_file_open=True)
    reach = np.abs(affine[:3, :3]).sum() * max(image.shape) + np.abs(affine).max()
    if not np.allclose(image.affine, affine, atol=1e-6 * reach):
        raise OutputError(
            f"{path.name} lies elsewhere than the scan",
            got=f"affine {np.round(image.affine, 4).tolist()}",
            expected=f"affine {np.round(affine, 4).tolist()}",
            do="report this as a defect, with the scan's format",
        )
    if image.shape != array.shape:
        raise differs(path.name, f"shape {image.shape}", f"shape {array.shape}")
    for k in range(array.shape[-1]):
        check_same(array[..., k], np.asanyarray(image.dataobj[..., k]), path.name)
