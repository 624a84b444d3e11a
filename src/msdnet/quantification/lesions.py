"""How much of each lesion class: voxels, millilitres, slices and mean density."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from msdnet.errors import SchemaError
from msdnet.labels import LabelSchema
from msdnet.prediction.trust import Trust
from msdnet.scans.scan import Scan
from msdnet.slices import to_canonical

BASIS = "fitted on single slices"
BASIS_OF_SCANS = f"{BASIS}; not calibrated on whole scans"


@dataclass(frozen=True)
class LesionMeasure:
    """The figures of one lesion class in one scan.

    Attributes:
        class_name: The class's key in the schema; written as `class` in files.
        voxels: The number of voxels with this label.
        volume_ml: Their volume in millilitres; None where the scan's spacing is unknown.
        num_slices_with_class: The number of axial slices with at least one such voxel.
        share_of_slices_with_class: That number divided by the number of all axial slices of the scan, 0 to 1.
        mean_hu: Their mean density in HU; None for grey scans and where there is no such voxel.
        trust: How far this can be trusted; None where nothing is marked or the weights have no calibration.
        num_slices: The number of all axial slices of the scan.
        sd_hu: The standard deviation of their density, as the mean.
    """

    class_name: str
    voxels: int
    volume_ml: float | None
    num_slices_with_class: int
    share_of_slices_with_class: float
    mean_hu: float | None
    trust: Trust | None = None
    num_slices: int = 1
    sd_hu: float | None = None

    @property
    def voxel_interval(self) -> tuple[int, int] | None:
        """90 % interval of the number of voxels that truly are of the class; None without trust."""
        if self.trust is None:
            return None
        low, high = (round(self.voxels * ratio) for ratio in self.trust.ratio_interval)
        return low, high

    @property
    def volume_interval_ml(self) -> tuple[float, float] | None:
        """The same in millilitres; None where trust or spacing is unknown."""
        if self.trust is None or self.volume_ml is None:
            return None
        low, high = (self.volume_ml * ratio for ratio in self.trust.ratio_interval)
        return low, high

    def to_dict(self) -> dict[str, str | int | float | None]:
        """The figures under their file keys, in the order of the file's columns."""
        trust = self.trust
        dsc_low, dsc_high = trust.dsc_interval if trust else (None, None)
        voxels_low, voxels_high = self.voxel_interval or (None, None)
        volume_low_ml, volume_high_ml = self.volume_interval_ml or (None, None)
        return {
            "class": self.class_name,
            "voxels": self.voxels,
            "volume_ml": self.volume_ml,
            "num_slices_with_class": self.num_slices_with_class,
            "share_of_slices_with_class": self.share_of_slices_with_class,
            "mean_hu": self.mean_hu,
            "predicted_dsc": trust.predicted_dsc if trust else None,
            "predicted_dsc_low": dsc_low,
            "predicted_dsc_high": dsc_high,
            "voxels_low": voxels_low,
            "voxels_high": voxels_high,
            "volume_low_ml": volume_low_ml,
            "volume_high_ml": volume_high_ml,
            "review": trust.review if trust else None,
            "review_reason": trust.reason if trust else None,
            "trust_basis": None if trust is None else BASIS if self.num_slices == 1 else BASIS_OF_SCANS,
        }


def measure_lesions(
    scan: Scan, labels: np.ndarray[Any, Any], schema: LabelSchema, trust: Sequence[Trust] = ()
) -> list[LesionMeasure]:
    """The figures of every class of the schema, in its order, classes without a voxel included.

    Args:
        scan: The scan the labels belong to.
        labels: uint8 label map of the scan's shape.
        schema: What the labels mean.
        trust: How far classes can be trusted.

    Raises:
        SchemaError: if the labels have another shape than the scan, or a number the schema does not know.
    """
    counts, hu_sums, hu_squares = _per_slice(scan, labels, schema)
    num_slices = len(counts)
    trust_in = {t.class_name: t for t in trust}
    measures = []
    for lesion in schema.classes:
        voxels = int(counts[:, lesion.index].sum())
        num_with = int(np.count_nonzero(counts[:, lesion.index]))
        with_hu = bool(voxels) and scan.intensity == "HU"
        mean = float(hu_sums[lesion.index] / voxels) if with_hu else None
        square = float(hu_squares[lesion.index] / voxels) if with_hu else 0.0
        measures.append(
            LesionMeasure(
                class_name=lesion.name,
                voxels=voxels,
                volume_ml=None if scan.voxel_ml is None else voxels * scan.voxel_ml,
                num_slices_with_class=num_with,
                share_of_slices_with_class=num_with / num_slices,
                mean_hu=mean,
                sd_hu=None if mean is None else math.sqrt(max(0.0, square - mean**2)),
                trust=trust_in.get(lesion.name),
                num_slices=num_slices,
            )
        )
    return measures


def count_lesion_voxels(scan: Scan, labels: np.ndarray[Any, Any], schema: LabelSchema) -> np.ndarray[Any, Any]:
    """Voxels per axial slice and class: int64 (slices, classes), slices towards the head, classes as in the schema.

    Raises:
        SchemaError: as in `measure_lesions`.
    """
    return _per_slice(scan, labels, schema)[0][:, 1:]


def _per_slice(
    scan: Scan, labels: np.ndarray[Any, Any], schema: LabelSchema
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Voxel counts (slices, 1 + classes), and sums of intensities and of their squares per label, slice by slice."""
    if labels.shape != scan.voxels.shape:
        raise SchemaError(
            "the label map does not lie on the scan's grid",
            got=f"labels of shape {labels.shape}",
            expected=f"the scan's shape, {scan.voxels.shape}",
            do="pass labels that were made from this scan",
        )
    label_slices, voxel_slices = to_canonical(scan, labels).array, to_canonical(scan, scan.voxels).array
    counts = np.zeros((len(label_slices), schema.num_classes), np.int64)
    sums, squares = np.zeros(schema.num_classes), np.zeros(schema.num_classes)
    for counted, label_slice, voxel_slice in zip(counts, label_slices, voxel_slices, strict=True):
        marked = label_slice != 0
        found = label_slice[marked].astype(np.intp)
        if found.size and found.max() >= schema.num_classes:
            raise SchemaError(
                f"the label map has numbers that the schema {schema.name!r} does not know",
                got=f"label {found.max()}",
                expected=f"0 (background) to {schema.num_classes - 1}",
                do="use the schema that travels with the weights the labels were made by",
            )
        counted += np.bincount(found, minlength=schema.num_classes)
        counted[0] = label_slice.size - found.size
        values = voxel_slice[marked].astype(np.float64)
        sums += np.bincount(found, weights=values, minlength=schema.num_classes)
        squares += np.bincount(found, weights=values**2, minlength=schema.num_classes)
    return counts, sums, squares
