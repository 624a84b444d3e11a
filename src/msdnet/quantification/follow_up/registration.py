"""The lungs of a later scan laid over those of the first: rigidly, then as breath has bent them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import distance_transform_edt

Array = np.ndarray[Any, Any]

OUTSIDE_HU = -1024.0
MARGIN_MM = 8.0
"""So far around the lungs the metric looks."""

MESH_MM = 60.0
"""Between the knots of the B-spline."""

SAMPLES = 0.05
"""Share of the voxels that the metric takes."""

INNER_MM = 3.0
"""So far from the lungs' surface and from lesions their likeness is taken."""

_FEWEST = 1000
_HIGHEST_HU = 100.0
_SHRINK = (4, 2)


@dataclass(frozen=True)
class Views:
    """What of a result is laid over others, all on its preview's grid.

    Attributes:
        preview: HU as float32, whatever is denser than 100 HU cut to that.
        lungs: uint8, 1 in the lungs.
        lesions: uint8, 1 in any lesion.
    """

    preview: sitk.Image
    lungs: sitk.Image
    lesions: sitk.Image


@dataclass(frozen=True)
class Registration:
    """Where each place of the first scan lies in a later one.

    Attributes:
        transform: From points of the first scan to points of the later one, in mm (LPS).
        rigid: Its rigid part, which alone holds beyond the first scan's grid.
        lung_dice: Overlap of both lungs once they are laid over each other, where both scans reach.
        likeness: Correlation of the HU of both within the lungs, away from their surface and from lesions: of the
            vessels, which are a person's own. None where too little of that is left.
    """

    transform: sitk.Transform
    rigid: sitk.Transform
    lung_dice: float
    likeness: float | None


def make_views(preview: sitk.Image, lungs: sitk.Image, labels: sitk.Image) -> Views:
    """The views of a result: its preview in HU, and its lungs and labels on grids of their own."""
    grey = sitk.Clamp(sitk.Cast(preview, sitk.sitkFloat32), upperBound=_HIGHEST_HU)
    return Views(grey, *(resample(image, grey, nearest=True) > 0 for image in (lungs, labels)))


def register(first: Views, later: Views) -> Registration:
    """Rigid, then B-spline registration of two previews by the correlation of their HU in and around the lungs.

    Lesions of either time take no part: what is ill at one time alone would be pulled over what is not.

    Source: SimpleITK's registration framework (Lowekamp et al., Front. Neuroinform. 2013,
    doi:10.3389/fninf.2013.00045); free-form deformation after Rueckert et al., IEEE TMI 1999, doi:10.1109/42.796284.

    Args:
        first: The first result's views.
        later: Those of a later one.

    Raises:
        RuntimeError: from SimpleITK, if the scans share nothing.
    """
    distance = sitk.SignedMaurerDistanceMap(first.lungs, squaredDistance=False, useImageSpacing=True)
    around = sitk.And(distance < MARGIN_MM, sitk.Not(first.lesions))
    images = _Images(first.preview, later.preview, around, sitk.Not(later.lesions))
    rigid = _register_rigidly(images, first.lungs, later.lungs)
    bent = _register_bending(images, rigid)
    transform = sitk.CompositeTransform([rigid, bent])  # the last is applied first
    return Registration(transform, rigid, _lung_dice(first, later, transform), _likeness(first, later, transform))


def reach_of_scan(image: sitk.Image, grid: sitk.Image, transform: sitk.Transform | None = None) -> Array:
    """Where on a grid an image has voxels; bool, the grid's shape (S, H, W)."""
    there = resample(sitk.Cast(image * 0 + 1, sitk.sitkUInt8), grid, transform, nearest=True)
    return np.asarray(sitk.GetArrayFromImage(there)) > 0


def resample(
    image: sitk.Image, grid: sitk.Image, transform: sitk.Transform | None = None, *, nearest: bool = False
) -> sitk.Image:
    """An image on another grid; outside of it labels are 0 and HU are air.

    Args:
        image: Labels or HU.
        grid: The image whose grid it is.
        transform: From points of the grid to points of the image; the identity by default.
        nearest: Of labels: take the nearest voxel's.
    """
    interpolator, outside = (sitk.sitkNearestNeighbor, 0.0) if nearest else (sitk.sitkLinear, OUTSIDE_HU)
    return sitk.Resample(image, grid, transform or sitk.Transform(3, sitk.sitkIdentity), interpolator, outside)


@dataclass(frozen=True)
class _Images:
    """What is registered: two previews, and where in each the metric may look."""

    fixed: sitk.Image
    moving: sitk.Image
    fixed_mask: sitk.Image
    moving_mask: sitk.Image


def _lung_dice(first: Views, later: Views, transform: sitk.Transform) -> float:
    """Over all that both scans hold: lung that one of them does not show says nothing about whose it is."""
    moved = sitk.GetArrayFromImage(resample(later.lungs, first.preview, transform, nearest=True)) > 0
    there = (sitk.GetArrayFromImage(first.lungs) > 0) & reach_of_scan(later.preview, first.preview, transform)
    both, of_each = int(np.count_nonzero(moved & there)), int(np.count_nonzero(moved)) + int(np.count_nonzero(there))
    return 2 * both / max(1, of_each)


def _likeness(first: Views, later: Views, transform: sitk.Transform) -> float | None:
    """Without surface and lesions: the former fits after bending whoever it is, the latter change."""

    def moved(mask: sitk.Image) -> Array:
        return sitk.GetArrayFromImage(resample(mask, first.preview, transform, nearest=True)) > 0

    spacing_mm = first.preview.GetSpacing()[::-1]
    lungs = (sitk.GetArrayFromImage(first.lungs) > 0) & moved(later.lungs)
    lesions = (sitk.GetArrayFromImage(first.lesions) > 0) | moved(later.lesions)
    inside = distance_transform_edt(lungs, sampling=spacing_mm) > INNER_MM
    if lesions.any():
        inside &= distance_transform_edt(~lesions, sampling=spacing_mm) > INNER_MM
    one, other = (
        sitk.GetArrayFromImage(image)[inside]
        for image in (first.preview, resample(later.preview, first.preview, transform))
    )
    if len(one) < _FEWEST or min(one.std(), other.std()) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _register_rigidly(images: _Images, fixed_lungs: sitk.Image, moving_lungs: sitk.Image) -> sitk.Transform:
    """From where the lungs' centres of mass lie over each other."""
    start: sitk.Transform = sitk.CenteredTransformInitializer(
        fixed_lungs, moving_lungs, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = _method(images)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 100, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(images.fixed, images.moving)
    return start


def _register_bending(images: _Images, rigid: sitk.Transform) -> sitk.Transform:
    extent = [n * mm for n, mm in zip(images.fixed.GetSize(), images.fixed.GetSpacing(), strict=True)]
    bent: sitk.Transform = sitk.BSplineTransformInitializer(
        images.fixed, [max(2, round(mm / MESH_MM)) for mm in extent]
    )
    method = _method(images)
    method.SetMovingInitialTransform(rigid)
    method.SetInitialTransform(bent, inPlace=True)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=20)
    method.Execute(images.fixed, images.moving)
    return bent


def _method(images: _Images) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # the same sums whatever the number of cores
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(images.fixed_mask)
    method.SetMetricMovingMask(images.moving_mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLES, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel([float(factor) for factor in _SHRINK])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method
