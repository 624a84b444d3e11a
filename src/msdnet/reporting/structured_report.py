"""measures.dcm: the figures as a DICOM SR (TID 1500) that points at the segmentations and at the source series."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom as hd
import pydicom
from highdicom.sr import (
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
)
from pydicom.sr.codedict import codes

from msdnet.labels import LUNG_PARTS, LUNGS, OWN_SCHEME
from msdnet.quantification import LesionMeasure, LungMeasures
from msdnet.reporting.measurement_groups import lesion_groups, part_groups, region_groups
from msdnet.scans.dicom_repeat import product_version, take_times_of, uid_of
from msdnet.scans.dicom_writing import identify_schemes, write_from_headers

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation

SEGMENTATIONS = _LESIONS, _LUNGS, _LEVELS, _SHELLS, _LOBES = (
    "segmentation",
    "lungs_segmentation",
    "zones_segmentation",
    "shells_segmentation",
    "lobes_segmentation",
)
"""The roles of the files that the report points at."""

SERIES_NUMBER = 9_103


def write_structured_report(
    segmentation: Segmentation,
    measures: Sequence[LesionMeasure],
    lungs: LungMeasures | None,
    paths: Mapping[str, Path],
    path: Path,
) -> str:
    """Writes the SR in the source's study; the same bytes for the same input, settings and version.

    Args:
        segmentation: Of a DICOM series.
        measures: One per class of the schema.
        lungs: The figures of the lungs, if any.
        paths: The DICOM SEG of the lesions, and those of lungs and their parts where there are some; by
            `SEGMENTATIONS`.
        path: Where to write.

    Returns:
        Why the source's headers make it impossible, and then there is no file; empty if it was written.
    """
    if lungs is None and not any(m.voxels for m in measures):
        return "nothing was marked, and no lungs were found"

    def make(sources: list[Any]) -> Any:
        segs = {role: pydicom.dcmread(one, stop_before_pixels=True) for role, one in paths.items()}
        seed = _seed(segmentation, list(segs.values()), measures, lungs)
        groups = lesion_groups(segmentation, measures, lungs, segs[_LESIONS])
        if lungs is not None:
            schemas = {_LUNGS: LUNGS, _SHELLS: LUNG_PARTS["shell"], _LOBES: LUNG_PARTS["lobe"]}
            schemas |= {_LEVELS: LUNG_PARTS[lungs.levels_kind]} if lungs.levels_kind else {}
            for role in (role for role in SEGMENTATIONS if role in schemas and role in segs):
                groups += part_groups(lungs, schemas[role], segs[role])
            groups += region_groups(lungs, segmentation.schema, seed)
        report = hd.sr.ComprehensiveSR(
            evidence=[*sources, *segs.values()],
            content=_content(segmentation, groups)[0],
            series_instance_uid=uid_of(seed, "series"),
            series_number=SERIES_NUMBER,
            sop_instance_uid=uid_of(seed, "instance"),
            instance_number=1,
            manufacturer="msdnet",
            manufacturer_model_name="msdnet",
            software_versions=product_version(),
            device_serial_number=segmentation.weights_sha256[:16] or "0",
            series_description=f"msdnet measures, {segmentation.weights_name}. Research use only"[:64],
            is_complete=True,
            is_verified=False,
            coding_schemes=identify_schemes((OWN_SCHEME, "DCM", "SCT")),
        )
        take_times_of(sources[0], report)
        return report

    return write_from_headers(segmentation.scan, path, make)


def _content(segmentation: Segmentation, groups: Sequence[Any]) -> MeasurementReport:
    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of(segmentation.weights_sha256, f"device {product_version()}"),
        name="msdnet",
        manufacturer_name="msdnet",
        model_name=segmentation.weights_name,
        serial_number=segmentation.weights_sha256[:16] or "0",
    )
    return MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(codes.DCM.Device, observer_identifying_attributes=device)
        ),
        procedure_reported=CodedConcept("24627-2", "LN", "CT Chest"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )


def _seed(
    segmentation: Segmentation, segs: Sequence[Any], measures: Sequence[LesionMeasure], lungs: LungMeasures | None
) -> str:
    parts = [product_version(), segmentation.weights_sha256, *(str(s.SOPInstanceUID) for s in segs)]
    parts += [repr(list(measures)), repr(lungs)]  # given levels or lobes change the figures alone
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
