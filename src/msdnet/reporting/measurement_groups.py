"""The groups of measurements in measures.dcm: every figure of the tables with its code and unit.

What has a segment of its own is a group that refers to it (TID 1411): each lesion class, each lung, each part of one.
What has none is a group with finding and site alone (TID 1501): both lungs with the scores of the scan, the shells of
both, and each lesion class in each region. What has no standard code has one of 99MSDNET.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes

from msdnet.labels import (
    ANY_LESION,
    ANY_LESION_CODE,
    LUNG_PARTS,
    LUNGS,
    OWN_SCHEME,
    SHELL_CODES,
    Code,
    LabelClass,
    LabelSchema,
)
from msdnet.quantification import LesionMeasure, LungMeasures
from msdnet.quantification.lesions import BASIS, BASIS_OF_SCANS
from msdnet.quantification.lung_measures import ClassInRegion, RegionMeasure
from msdnet.scans.dicom_repeat import product_version, uid_of

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation

DECIMALS = 4

_ML, _GRAM = CodedConcept("ml", "UCUM", "milliliter"), CodedConcept("g", "UCUM", "gram")
_HU, _PERCENT, _ONE, _MM = codes.UCUM.HounsfieldUnit, codes.UCUM.Percent, codes.UCUM.NoUnits, codes.UCUM.Millimeter

CODES: dict[str, tuple[str, str, Any]] = {
    "voxels": ("NUM_VOXELS", "Number of voxels", _ONE),
    "num_slices_with_class": ("NUM_SLICES", "Number of slices with it", _ONE),
    "share_of_slices_with_class": ("SHARE_OF_SLICES", "Slices with it / slices of the scan", _ONE),
    "predicted_dsc": ("DSC_PREDICTED", "Predicted DSC against a reader's marks", _ONE),
    "predicted_dsc_low": ("DSC_LOW", "Predicted DSC, lower end of its 90 % interval", _ONE),
    "predicted_dsc_high": ("DSC_HIGH", "Predicted DSC, upper end of its 90 % interval", _ONE),
    "voxels_low": ("VOXELS_LOW", "Voxels truly of the class, lower end of the 90 % interval", _ONE),
    "voxels_high": ("VOXELS_HIGH", "Voxels truly of the class, upper end of the 90 % interval", _ONE),
    "volume_low_ml": ("VOLUME_LOW", "Volume truly of the class, lower end of the 90 % interval", _ML),
    "volume_high_ml": ("VOLUME_HIGH", "Volume truly of the class, upper end of the 90 % interval", _ML),
    "mass_g": ("MASS", "Mass within the lungs", _GRAM),
    "num_lesions": ("NUM_LESIONS", "Number of lesions in the lungs of at least 0.1 ml", _ONE),
    "largest_mm": ("LARGEST_DIAMETER", "Largest in-plane diameter of a lesion in the lungs", _MM),
    "percent_of_lungs": ("PERCENT_OF_LUNGS", "Percentage of both lungs", _PERCENT),
    "percent": ("PERCENT_OF_SITE", "Percentage of the finding site", _PERCENT),
    "any_percent": ("PERCENT_LESION", "Percentage of the region that is lesion", _PERCENT),
    "opacity_percent": ("PO", "Percentage of opacity of the lungs", _PERCENT),
    "high_opacity_percent": ("PHO", "Percentage of high opacity of the lungs, above -200 HU", _PERCENT),
    "ct_severity": ("CTSS", "CT severity score, 0 to 25", _ONE),
    "lung_severity": ("LSS", "Lung severity score, 0 to 20", _ONE),
    "zone_score": ("ZONE_SCORE", "Zone score, 0 to 72", _ONE),
    "thirds_score": ("THIRDS_SCORE", "Thirds-based approximation of the zone score, 0 to 72", _ONE),
    "outside_voxels": ("VOXELS_OUTSIDE", "Number of lesion voxels outside the lungs", _ONE),
    "overinflated": ("AERATION_OVER", "Percentage overinflated, below -900 HU", _PERCENT),
    "normal": ("AERATION_NORMAL", "Percentage normally aerated, -900 to -500 HU", _PERCENT),
    "poor": ("AERATION_POOR", "Percentage poorly aerated, -500 to -100 HU", _PERCENT),
    "none": ("AERATION_NONE", "Percentage not aerated, -100 to 100 HU", _PERCENT),
    "denser": ("AERATION_DENSER", "Percentage denser than 100 HU", _PERCENT),
}
"""Figure -> value and meaning of its code in the scheme `OWN_SCHEME`, and its unit."""

REVIEW, REVIEW_REASON, TRUST_BASIS = (
    CodedConcept("REVIEW", OWN_SCHEME, "Somebody should review the marks"),
    CodedConcept("REVIEW_REASON", OWN_SCHEME, "Why somebody should review the marks"),
    CodedConcept("TRUST_BASIS", OWN_SCHEME, "Basis of predicted DSC and intervals"),
)
_BASES = {BASIS: "SINGLE_SLICES", BASIS_OF_SCANS: "SLICES_NOT_SCANS"}
_OF_LESION = (
    "voxels",
    "num_slices_with_class",
    "share_of_slices_with_class",
    "predicted_dsc",
    "predicted_dsc_low",
    "predicted_dsc_high",
    "voxels_low",
    "voxels_high",
    "volume_low_ml",
    "volume_high_ml",
)
_OF_SCAN = (
    "opacity_percent",
    "high_opacity_percent",
    "ct_severity",
    "lung_severity",
    "zone_score",
    "thirds_score",
    "outside_voxels",
)
_WITHOUT_SEGMENT = ("lungs", *SHELL_CODES)
_LUNG = LUNGS.classes[0].code
_BOTH_SIDES = Code("51440002", "SCT", "Bilateral")
_SITES: dict[str, tuple[Code, Code | None, Code | None]] = {
    "lungs": (_LUNG, _BOTH_SIDES, None),
    **{shell: (_LUNG, _BOTH_SIDES, place) for shell, place in SHELL_CODES.items()},
    **{c.name: (c.code, c.side, c.place) for s in (LUNGS, *LUNG_PARTS.values()) for c in s.classes},
}
"""Region -> its code, side and topographical modifier."""


def lesion_groups(
    segmentation: Segmentation, measures: Sequence[LesionMeasure], lungs: LungMeasures | None, seg: Any
) -> list[Any]:
    """One group for each class that is marked, referring to its segment, with how far it can be trusted."""
    in_lungs = {c.class_name: c for c in lungs.region("lungs").classes} if lungs else {}
    algorithm = AlgorithmIdentification(
        name="MSD-Net",
        version=product_version(),
        parameters=[f"weights: {segmentation.weights_name}", f"weights SHA-256: {segmentation.weights_sha256}"],
    )
    groups = []
    for lesion, measure in zip(segmentation.schema.classes, measures, strict=True):
        if not measure.voxels:
            continue
        table = measure.to_dict()
        figures = _size_and_density(measure.volume_ml, measure.mean_hu, measure.sd_hu)
        figures += _own({key: table[key] for key in _OF_LESION})
        if lungs is not None and measure.class_name in in_lungs:
            figures += _in_lungs(in_lungs[measure.class_name], whole=not lungs.findings.cut)
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(
            **_segment(lesion, seg),
            finding_category=codes.SCT.MorphologicallyAbnormalStructure,
            finding_sites=[_site(_LUNG)],
            algorithm_id=algorithm,
            measurements=figures,
            qualitative_evaluations=_review(table),
        )
        if table["review_reason"]:
            reason = TextContentItem(REVIEW_REASON, str(table["review_reason"]), RelationshipTypeValues.CONTAINS)
            group[0].ContentSequence.append(reason)
        groups.append(group)
    return groups


def part_groups(lungs: LungMeasures, parts: LabelSchema, seg: Any) -> list[Any]:
    """One group for each lung, or each part of one, that was found, referring to its segment."""
    return [
        VolumetricROIMeasurementsAndQualitativeEvaluations(
            **_segment(part, seg),
            finding_category=codes.SCT.AnatomicalStructure,
            finding_sites=[_site(*_SITES[part.name])],
            measurements=_of_region(lungs.region(part.name), whole=not lungs.findings.cut),
        )
        for part in parts.classes
        if lungs.region(part.name).voxels
    ]


def region_groups(lungs: LungMeasures, schema: LabelSchema, seed: str) -> list[Any]:
    """What has no segment: both lungs, their shells, and each class that is marked in them in each region.

    Args:
        lungs: Their figures.
        schema: Of the lesions.
        seed: Where UIDs come from.
    """
    whole = not lungs.findings.cut  # of lungs that are cut off there is no percentage
    groups = []
    for name in _WITHOUT_SEGMENT:
        region = lungs.region(name)
        figures = _of_region(region, whole=whole)
        if name == "lungs":
            figures += _own({key: getattr(lungs, key) for key in _OF_SCAN})
            figures += _own(lungs.aeration.get("lungs", {})) if whole else []
        if region.voxels:
            groups.append(_group(name, _LUNG, name, codes.SCT.AnatomicalStructure, figures, seed))
    findings = {c.name: c.code for c in schema.classes} | {ANY_LESION: ANY_LESION_CODE}
    marked = {c.class_name for c in lungs.region("lungs").classes if c.voxels}
    for region in lungs.regions:
        for one in region.classes if region.voxels else ():
            if one.class_name not in marked:
                continue
            figures = _of_class(one, whole=whole)
            if region.name == "lungs" and whole:
                figures += _own(lungs.aeration.get(one.class_name, {}))
            name, category = f"{one.class_name} in {region.name}", codes.SCT.MorphologicallyAbnormalStructure
            groups.append(_group(name, findings[one.class_name], region.name, category, figures, seed))
    return groups


def _in_lungs(figures: ClassInRegion, *, whole: bool) -> list[Measurement]:
    """What is counted within the lungs alone."""
    found = {key: getattr(figures, key) for key in ("mass_g", "num_lesions", "largest_mm")}
    return _own(found | ({"percent_of_lungs": figures.percent} if whole else {}))


def _of_class(one: ClassInRegion, *, whole: bool) -> list[Measurement]:
    keys = ("voxels", "mass_g", "num_lesions", "largest_mm", *(("percent",) if whole else ()))
    return _size_and_density(one.volume_ml, one.mean_hu, one.sd_hu) + _own({key: getattr(one, key) for key in keys})


def _of_region(region: RegionMeasure, *, whole: bool) -> list[Measurement]:
    own = {"voxels": region.voxels, "mass_g": region.mass_g}
    own |= {"any_percent": region.classes[-1].percent} if whole else {}
    return _size_and_density(region.volume_ml, region.mean_hu) + _own(own)


def _review(table: Mapping[str, Any]) -> list[QualitativeEvaluation] | None:
    """Whether somebody should look, and what that rests on; None without trust."""
    if table["review"] is None:
        return None
    basis = CodedConcept(_BASES[table["trust_basis"]], OWN_SCHEME, table["trust_basis"])
    answer = codes.SCT.Yes if table["review"] else codes.SCT.No
    return [QualitativeEvaluation(REVIEW, answer), QualitativeEvaluation(TRUST_BASIS, basis)]


def _segment(what: LabelClass, seg: Any) -> dict[str, Any]:
    """What a group says of its segment: who tracks it, where it is, and its code."""
    tracked = uid_of(str(seg.SOPInstanceUID), f"tracked {what.index}")
    source = seg.ReferencedSeriesSequence[0].SeriesInstanceUID
    return {
        "tracking_identifier": TrackingIdentifier(tracked, f"msdnet {what.name}"),
        "referenced_segment": ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=what.index,
            source_series=SourceSeriesForSegmentation(source),
        ),
        "finding_type": _coded(what.code),
    }


def _group(name: str, finding: Code, region: str, category: Any, figures: list[Measurement], seed: str) -> Any:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid_of(seed, name), f"msdnet {name}"),
        finding_type=_coded(finding),
        finding_category=category,
        finding_sites=[_site(*_SITES[region])],
        measurements=figures,
    )


def _site(location: Code, side: Code | None = None, place: Code | None = None) -> FindingSite:
    laterality, modifier = (None if code is None else _coded(code) for code in (side, place))
    return FindingSite(_coded(location), laterality=laterality, topographical_modifier=modifier)


def _coded(code: Code) -> CodedConcept:
    return CodedConcept(code.value, code.scheme, code.meaning)


def _size_and_density(volume_ml: float | None, mean_hu: float | None, sd_hu: float | None = None) -> list[Measurement]:
    found = [] if volume_ml is None else [Measurement(codes.SCT.Volume, round(volume_ml, DECIMALS), _ML)]
    densities = ((mean_hu, codes.SCT.Mean), (sd_hu, codes.SCT.StandardDeviation))
    return found + [
        Measurement(codes.DCM.AttenuationCoefficient, round(hu, DECIMALS), _HU, derivation=derivation)
        for hu, derivation in densities
        if hu is not None
    ]


def _own(figures: Mapping[str, Any]) -> list[Measurement]:
    """Figures with codes of our own, without those that are not known."""
    found = [(CODES[key], value) for key, value in figures.items() if value is not None]
    return [Measurement(CodedConcept(c, OWN_SCHEME, m), round(v, DECIMALS), unit) for (c, m, unit), v in found]
