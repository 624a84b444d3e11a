"""How much of the lungs is ill: every class in every region, the opacity of the whole, and the published scores."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from msdnet.labels import ANY_LESION, LabelSchema
from msdnet.morphology import box_around
from msdnet.quantification.aeration import measure_aeration
from msdnet.quantification.lung_checks import LungFindings, check_lungs
from msdnet.quantification.lungs import LEFT, RIGHT, Lungs
from msdnet.quantification.regions import Region, RegionCounts, all_regions, count_regions, lobe_regions
from msdnet.quantification.scores import CTSS, LSS, lobar_score, zone_score
from msdnet.quantification.single_lesions import SingleLesion, find_single_lesions
from msdnet.quantification.zones import LEVELS, Shells, Zones, find_shells, find_thirds, find_zones

Array = np.ndarray[Any, Any]

LARGEST_OUTSIDE = 0.05
"""With more than this share of the marks outside the lungs, whole lungs have no figures."""


@dataclass(frozen=True)
class ClassInRegion:
    """One lesion class in one region.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        voxels: So many are marked.
        volume_ml: Their volume; None where the spacing is unknown.
        percent: Of the region's voxels.
        mean_hu: None where nothing is marked.
        sd_hu: The same.
        mass_g: Air counts nothing; None where the spacing is unknown.
        num_lesions: Pieces of at least 0.1 ml; None where the spacing is unknown.
        largest_mm: The largest in-plane diameter of these; None where there is none.
    """

    class_name: str
    voxels: int
    volume_ml: float | None
    percent: float
    mean_hu: float | None
    sd_hu: float | None
    mass_g: float | None
    num_lesions: int | None
    largest_mm: float | None


@dataclass(frozen=True)
class RegionMeasure:
    """A region of the lungs.

    Attributes:
        name: "lungs", "right", "left_peripheral", "right_upper_third" and so on.
        voxels: Of lung, lesions included.
        volume_ml: None where the spacing is unknown.
        mean_hu: Of all of it; None where the region is empty.
        mass_g: Of all of it; None where the spacing is unknown.
        classes: The classes of the schema, and any lesion where there are several.
    """

    name: str
    voxels: int
    volume_ml: float | None
    mean_hu: float | None
    mass_g: float | None
    classes: tuple[ClassInRegion, ...]

    def percent(self, class_name: str) -> float:
        """How much of the region a class takes."""
        return next(c.percent for c in self.classes if c.class_name == class_name)


@dataclass(frozen=True)
class LungMeasures:
    """The figures of the lungs of one scan.

    Attributes:
        regions: In the order of the tables, both lungs first.
        opacity_percent: PO: lesions within the lungs / lungs.
        high_opacity_percent: PHO: lesion voxels above -200 HU within the lungs / lungs.
        lung_severity: LSS, 0 to 20.
        ct_severity: CTSS, 0 to 25.
        zone_score: 0 to 72, of six anatomical zones.
        thirds_score: The same sum over thirds of each lung's height, which nobody has validated.
        absent: Which of these figures are None, and why: "cut", "outside", "no_lobes", "no_zones".
        findings: What looks wrong about the lungs.
        carina: Its axial slice, from the feet; None where it was not found.
        outside_voxels: Lesion voxels outside the lungs, in none of the figures above.
        aeration: Percent of the lungs, and of each class, of each degree of `AERATION`: by density alone.
        levels: The slices of each lung's anatomical zones where known, else of its thirds; None where neither is.
        levels_kind: "zone", "third" or empty.
    """

    regions: tuple[RegionMeasure, ...]
    findings: LungFindings
    opacity_percent: float | None = None
    high_opacity_percent: float | None = None
    lung_severity: int | None = None
    ct_severity: int | None = None
    zone_score: int | None = None
    thirds_score: int | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    carina: int | None = None
    outside_voxels: int = 0
    aeration: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    levels: Zones | None = field(default=None, repr=False)
    levels_kind: str = ""

    def region(self, name: str) -> RegionMeasure:
        """The region of a name."""
        return next(r for r in self.regions if r.name == name)


def measure_lungs(
    hu: Array,
    labels: Array,
    lungs: Lungs,
    schema: LabelSchema,
    spacing_mm: tuple[float, float, float],
    *,
    spacing_known: bool = True,
    veins: int | None = None,
    carina: int | None = None,
    lobes: Array | None = None,
    shells: Shells | None = None,
) -> LungMeasures:
    """The figures of the lungs; at least one must have been found.

    Shapes: hu, labels and lobes (S, H, W) on canonical axes.

    Args:
        hu: In Hounsfield units.
        labels: Lesions, in the schema.
        lungs: Of the same scan.
        schema: What the labels mean.
        spacing_mm: Between slices, rows and columns.
        spacing_known: False leaves out every figure in millilitres, millimetres and grams.
        veins: The slice of the inferior pulmonary veins, from the feet.
        carina: The slice of the carina; the one that was found by default.
        lobes: The numbers of `LOBES`, 0 elsewhere.
        shells: Of the lungs; found by default.

    Raises:
        OptionError: as `find_zones`.
    """
    sides, carina = lungs.sides, lungs.carina if carina is None else carina
    zones = None if carina is None or veins is None else find_zones(sides, carina, veins)
    shells = find_shells(sides, spacing_mm) if shells is None else shells
    counts = count_regions(hu, labels, sides, shells, schema.num_classes)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0 if spacing_known else None
    names: dict[str, Array] = {c.name: np.array([c.index]) for c in schema.classes}
    if len(names) > 1:
        names[ANY_LESION] = np.arange(1, schema.num_classes)
    lesions = _find_lesions(labels, names, sides, shells, spacing_mm) if spacing_known else None
    findings = check_lungs(sides, counts, spacing_mm[0], voxel_ml)
    thirds = None if findings.cut else find_thirds(sides)  # of a height that is not known there is no third
    regions = [_measure(r, counts, names, lesions, voxel_ml) for r in all_regions(thirds, zones)]
    of_lobes = []
    if lobes is not None:
        of_lobes = _measure_lobes(hu, labels, lobes, names, spacing_mm, schema.num_classes, voxel_ml)
    outside = int(counts.voxels[:, 0, :, 1:].sum())
    marked = outside + int(counts.voxels[:, 1:, :, 1:].sum())
    unsure = "cut" if thirds is None else "outside" if outside > LARGEST_OUTSIDE * marked else ""
    figures, absent = _figures(counts, schema, thirds, zones, of_lobes, unsure=unsure)
    aeration = measure_aeration(hu, labels, sides, schema)
    return LungMeasures(
        (*regions, *of_lobes),
        findings,
        **figures,
        absent=absent,
        carina=carina,
        outside_voxels=outside,
        aeration=aeration,
        levels=thirds if zones is None else zones,
        levels_kind="zone" if zones is not None else "third" if thirds is not None else "",
    )


def _measure_lobes(
    hu: Array,
    labels: Array,
    lobes: Array,
    names: Mapping[str, Array],
    spacing_mm: tuple[float, float, float],
    num_labels: int,
    voxel_ml: float | None,
) -> list[RegionMeasure]:
    counts = count_regions(hu, labels, lobes, None, num_labels)
    lesions = None if voxel_ml is None else _find_lesions(labels, names, lobes, None, spacing_mm)
    return [_measure(region, counts, names, lesions, voxel_ml) for region in lobe_regions()]


def _find_lesions(
    labels: Array,
    names: Mapping[str, Array],
    sides: Array,
    shells: Shells | None,
    spacing_mm: tuple[float, float, float],
) -> dict[str, list[SingleLesion]]:
    """The single lesions of each name's numbers."""
    slices, *plane = box_around(labels)  # the slices are counted: all those from the feet on stay
    place = (slice(0, slices.stop), *plane)
    in_shells = np.zeros_like(sides[place])  # OUTSIDE
    if shells is not None:
        for index, shell in enumerate(in_shells):
            shell[:] = shells.plane(index, sides[index])[tuple(plane)]
    labels, sides = labels[place], sides[place]
    return {n: find_single_lesions(_any_of(i, labels), sides, in_shells, spacing_mm) for n, i in names.items()}


def _any_of(numbers: Array, labels: Array) -> Array:
    """As `np.isin(labels, numbers)`, which takes several times the memory."""
    return functools.reduce(np.logical_or, (labels == number for number in numbers))


def _measure(
    region: Region,
    counts: RegionCounts,
    names: Mapping[str, Array],
    lesions: Mapping[str, Sequence[SingleLesion]] | None,
    voxel_ml: float | None,
) -> RegionMeasure:
    sums = counts.of(region)
    total = int(sums.voxels.sum())
    classes = []
    for name, indices in names.items():
        voxels = int(sums.voxels[indices].sum())
        hu, squared, mass = (float(a[indices].sum()) for a in (sums.hu, sums.hu_squared, sums.mass))
        mean = hu / voxels if voxels else None
        inside = None if lesions is None else [one for one in lesions[name] if one.lies_in(region)]
        classes.append(
            ClassInRegion(
                class_name=name,
                voxels=voxels,
                volume_ml=None if voxel_ml is None else voxels * voxel_ml,
                percent=100.0 * voxels / total if total else 0.0,
                mean_hu=mean,
                sd_hu=None if mean is None else float(np.sqrt(max(0.0, squared / voxels - mean**2))),
                mass_g=None if voxel_ml is None else mass * voxel_ml,
                num_lesions=None if inside is None else len(inside),
                largest_mm=max((one.diameter_mm for one in inside), default=None) if inside is not None else None,
            )
        )
    return RegionMeasure(
        name=region.name,
        voxels=total,
        volume_ml=None if voxel_ml is None else total * voxel_ml,
        mean_hu=float(sums.hu.sum()) / total if total else None,
        mass_g=None if voxel_ml is None else float(sums.mass.sum()) * voxel_ml,
        classes=tuple(classes),
    )


def _figures(
    counts: RegionCounts,
    schema: LabelSchema,
    thirds: Zones | None,
    zones: Zones | None,
    lobes: Sequence[RegionMeasure],
    *,
    unsure: str,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The figures of whole lungs that can be given, and why the others cannot."""
    names = "opacity_percent", "high_opacity_percent", "lung_severity", "ct_severity", "zone_score", "thirds_score"
    if unsure or thirds is None:
        return {}, dict.fromkeys(names, unsure)
    whole = counts.of(Region("lungs"))
    total = whole.voxels.sum()
    figures: dict[str, Any] = {
        "opacity_percent": float(100.0 * whole.voxels[1:].sum() / total),
        "high_opacity_percent": float(100.0 * whole.dense[1:].sum() / total),
        "thirds_score": zone_score(_percent_of_zones(counts, thirds, schema)),
    }
    absent = {}
    if zones is not None:
        figures["zone_score"] = zone_score(_percent_of_zones(counts, zones, schema))
    else:
        absent["zone_score"] = "no_zones"
    if lobes:
        percent = [lobe.classes[-1].percent for lobe in lobes]  # any lesion stands last, or is the only class
        figures |= {"lung_severity": lobar_score(percent, LSS), "ct_severity": lobar_score(percent, CTSS)}
    else:
        absent |= {"lung_severity": "no_lobes", "ct_severity": "no_lobes"}
    return figures, absent


def _percent_of_zones(counts: RegionCounts, zones: Zones, schema: LabelSchema) -> list[dict[str, float]]:
    """Of each of the six zones, the percent that each class takes."""
    found = []
    for side in (RIGHT, LEFT):
        for level in range(len(LEVELS)):
            voxels = counts.of(Region("", (side,), slices=zones.level == level)).voxels
            total = max(1, int(voxels.sum()))
            found.append({c.name: 100.0 * voxels[c.index] / total for c in schema.classes if voxels[c.index]})
    return found
