"""measures.dcm: the figures as a DICOM SR (TID 1500) that points at the segmentations and at the source series.

A group of measurements for each lesion class, each lung and each level of a lung refers to its segment (TID 1411);
opacity and scores of the whole scan are a group of their own (TID 1501). What has no standard code has one of
99MSDNET.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom as hd
import pydicom
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes

from msdnet.labels import LUNG_LEVELS, LUNGS, LabelClass, LabelSchema
from msdnet.quantification import LesionMeasure, LungMeasures
from msdnet.quantification.lung_measures import ClassInRegion
from msdnet.scans.dicom_repeat import product_version, take_times_of, uid_of
from msdnet.scans.dicom_writing import write_from_headers

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation

SEGMENTATIONS = _LESIONS, _LUNGS, _LEVELS = ("segmentation", "lungs_segmentation", "zones_segmentation")
"""The roles of the files that the report points at."""

SCHEME = "99MSDNET"
SERIES_NUMBER = 9_103
DECIMALS = 4

_OWN_SCHEME = CodingSchemeIdentificationItem(SCHEME, name="msdnet", responsible_organization="msdnet")
_ML = CodedConcept("ml", "UCUM", "milliliter")
_GRAM = CodedConcept("g", "UCUM", "gram")
_HU, _PERCENT, _ONE, _MM = codes.UCUM.HounsfieldUnit, codes.UCUM.Percent, codes.UCUM.NoUnits, codes.UCUM.Millimeter

CODES = {
    "mass_g": ("MASS", "Mass within the lungs"),
    "num_lesions": ("NUM_LESIONS", "Number of lesions in the lungs of at least 0.1 ml"),
    "largest_mm": ("LARGEST_DIAMETER", "Largest in-plane diameter of a lesion in the lungs"),
    "percent": ("PERCENT_OF_LUNGS", "Percentage of both lungs"),
    "any_percent": ("PERCENT_LESION", "Percentage of the region that is lesion"),
    "opacity_percent": ("PO", "Percentage of opacity of the lungs"),
    "high_opacity_percent": ("PHO", "Percentage of high opacity of the lungs, above -200 HU"),
    "ct_severity": ("CTSS", "CT severity score, 0 to 25"),
    "lung_severity": ("LSS", "Lung severity score, 0 to 20"),
    "zone_score": ("ZONE_SCORE", "Zone score, 0 to 72"),
    "thirds_score": ("THIRDS_SCORE", "Thirds-based approximation of the zone score, 0 to 72"),
}
"""Figure -> value and meaning of its code in the scheme `SCHEME`."""


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
        paths: The DICOM SEG of the lesions, and those of lungs and levels where there are some; by `SEGMENTATIONS`.
        path: Where to write.

    Returns:
        Why the source's headers make it impossible, and then there is no file; empty if it was written.
    """
    if lungs is None and not any(m.voxels for m in measures):
        return "nothing was marked, and no lungs were found"

    def make(sources: list[Any]) -> Any:
        segs = {role: pydicom.dcmread(one, stop_before_pixels=True) for role, one in paths.items()}
        seed = _seed(segmentation, list(segs.values()), measures, lungs)
        groups = _lesion_groups(segmentation, measures, lungs, segs[_LESIONS], seed)
        if lungs is not None:
            if _LUNGS in segs:
                groups += _lung_groups(lungs, LUNGS, segs[_LUNGS], seed)
            if _LEVELS in segs:
                groups += _lung_groups(lungs, LUNG_LEVELS[lungs.levels_kind], segs[_LEVELS], seed)
            groups += _scan_group(lungs, seed)
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
            coding_schemes=[_OWN_SCHEME],
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


def _lesion_groups(
    segmentation: Segmentation,
    measures: Sequence[LesionMeasure],
    lungs: LungMeasures | None,
    seg: Any,
    seed: str,
) -> list[Any]:
    """One group for each class that is marked, referring to its segment."""
    in_lungs = {c.class_name: c for c in lungs.region("lungs").classes} if lungs else {}
    groups = []
    for lesion, measure in zip(segmentation.schema.classes, measures, strict=True):
        if not measure.voxels:
            continue
        figures = _volume(measure.volume_ml)
        if measure.mean_hu is not None and measure.sd_hu is not None:
            figures.append(_density(measure.mean_hu, codes.SCT.Mean))
            figures.append(_density(measure.sd_hu, codes.SCT.StandardDeviation))
        if lungs is not None and measure.class_name in in_lungs:
            figures += _in_lungs(in_lungs[measure.class_name], whole=not lungs.findings.cut)
        groups.append(_group(lesion, seg, seed, segmentation, figures, codes.SCT.MorphologicallyAbnormalStructure))
    return groups


def _in_lungs(figures: ClassInRegion, *, whole: bool) -> list[Measurement]:
    """What is counted within the lungs alone; of lungs that are cut off there is no percentage."""
    keys = [("mass_g", _GRAM), ("num_lesions", _ONE), ("largest_mm", _MM), *([("percent", _PERCENT)] if whole else [])]
    found = [(key, getattr(figures, key), unit) for key, unit in keys]
    return [_own(key, value, unit) for key, value, unit in found if value is not None]


def _lung_groups(lungs: LungMeasures, parts: LabelSchema, seg: Any, seed: str) -> list[Any]:
    """One group for each lung, or each level of one, that was found, referring to its segment."""
    groups = []
    for part in parts.classes:
        region = lungs.region(part.name)
        if not region.voxels:
            continue
        figures = _volume(region.volume_ml)
        figures += [_density(region.mean_hu, codes.SCT.Mean)] if region.mean_hu is not None else []
        figures += [_own("mass_g", region.mass_g, _GRAM)] if region.mass_g is not None else []
        figures += [] if lungs.findings.cut else [_own("any_percent", region.classes[-1].percent, _PERCENT)]
        groups.append(_group(part, seg, seed, None, figures, codes.SCT.AnatomicalStructure))
    return groups


def _scan_group(lungs: LungMeasures, seed: str) -> list[Any]:
    """Opacity and scores of whole lungs; no group where none can be given."""
    percents = [(key, _PERCENT) for key in ("opacity_percent", "high_opacity_percent")]
    scores = [(key, _ONE) for key in ("ct_severity", "lung_severity", "zone_score", "thirds_score")]
    figures = [
        _own(key, getattr(lungs, key), unit) for key, unit in [*percents, *scores] if getattr(lungs, key) is not None
    ]
    if not figures:
        return []
    tracking = TrackingIdentifier(uid_of(seed, "whole lungs"), "msdnet whole lungs")
    return [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=tracking,
            finding_type=codes.SCT.Lung,
            finding_category=codes.SCT.AnatomicalStructure,
            measurements=figures,
        )
    ]


def _group(
    what: LabelClass, seg: Any, seed: str, segmentation: Segmentation | None, figures: list[Measurement], category: Any
) -> Any:
    side = None if what.side is None else CodedConcept(what.side.value, what.side.scheme, what.side.meaning)
    algorithm = None
    if segmentation is not None:
        algorithm = AlgorithmIdentification(
            name="MSD-Net",
            version=product_version(),
            parameters=[f"weights: {segmentation.weights_name}", f"weights SHA-256: {segmentation.weights_sha256}"],
        )
    source = seg.ReferencedSeriesSequence[0].SeriesInstanceUID
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid_of(str(seg.SOPInstanceUID), f"tracked {what.index}"), f"msdnet {what.name}"
        ),
        referenced_segment=ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=what.index,
            source_series=SourceSeriesForSegmentation(source),
        ),
        finding_type=CodedConcept(what.code.value, what.code.scheme, what.code.meaning),
        finding_category=category,
        finding_sites=[FindingSite(codes.SCT.Lung, laterality=side)],
        algorithm_id=algorithm,
        measurements=figures,
    )


def _volume(value_ml: float | None) -> list[Measurement]:
    return [] if value_ml is None else [Measurement(codes.SCT.Volume, round(value_ml, DECIMALS), _ML)]


def _density(value: float, derivation: Any) -> Measurement:
    return Measurement(codes.DCM.AttenuationCoefficient, round(value, DECIMALS), _HU, derivation=derivation)


def _own(key: str, value: float, unit: Any) -> Measurement:
    return Measurement(CodedConcept(CODES[key][0], SCHEME, CODES[key][1]), round(value, DECIMALS), unit)


def _seed(
    segmentation: Segmentation, segs: Sequence[Any], measures: Sequence[LesionMeasure], lungs: LungMeasures | None
) -> str:
    parts = [product_version(), segmentation.weights_sha256, *(str(s.SOPInstanceUID) for s in segs)]
    parts += [repr(list(measures)), repr(lungs)]  # given levels or lobes change the figures alone
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
