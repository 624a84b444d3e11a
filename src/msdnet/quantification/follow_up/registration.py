"""The lungs of a later scan laid over those of the first: rigidly, then as breath has bent them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

Array = np.ndarray[Any, Any]

OUTSIDE_HU = -1024.0
_MARGIN_MM = 8.0
_MESH_MM = 60.0
_SAMPLES = 0.05
_HIGHEST_HU = 100.0
_SHRINK = (4, 2)


@dataclass(frozen=True)
class Registration:
    """Where each place of the first scan lies in a later one.

    Attributes:
        transform: From points of the first scan to points of the later one, in mm (LPS).
        lung_dice: Overlap of both lungs once they are laid over each other.
    """

    transform: sitk.Transform
    lung_dice: float


def read_volume(path: Path) -> sitk.Image:
    """A volume of three axes; axes of length 1 beyond these are dropped."""
    image = sitk.ReadImage(str(path))
    while image.GetDimension() > 3:
        image = sitk.Extract(image, [*image.GetSize()[:-1], 0])
    return image


def register(first: Mapping[str, Path], later: Mapping[str, Path]) -> Registration:
    """Rigid, then B-spline registration of two previews by the correlation of their HU in and around the lungs.

    Lesions of either time take no part: what is ill at one time alone would be pulled over what is not.

    Source: SimpleITK's registration framework (Lowekamp et al., Front. Neuroinform. 2013,
    doi:10.3389/fninf.2013.00045); free-form deformation after Rueckert et al., IEEE TMI 1999, doi:10.1109/42.796284.

    Args:
        first: The first result's "preview", "lungs" and "labels".
        later: Those of a later one.
    """
    fixed, fixed_lungs, fixed_lesions = _read(first)
    moving, moving_lungs, moving_lesions = _read(later)
    distance = sitk.SignedMaurerDistanceMap(fixed_lungs, squaredDistance=False, useImageSpacing=True)
    images = _Images(fixed, moving, sitk.And(distance < _MARGIN_MM, sitk.Not(fixed_lesions)), sitk.Not(moving_lesions))
    rigid = _register_rigidly(images, fixed_lungs, moving_lungs)
    bent = _register_bending(images, rigid)
    transform = sitk.CompositeTransform([rigid, bent])  # the last is applied first
    moved = sitk.GetArrayFromImage(resample(moving_lungs, fixed, transform, nearest=True)) > 0
    there = sitk.GetArrayFromImage(fixed_lungs) > 0
    both, either = int(np.count_nonzero(moved & there)), int(np.count_nonzero(moved)) + int(np.count_nonzero(there))
    return Registration(transform, 2 * both / max(1, either))


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


def _read(paths: Mapping[str, Path]) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """The preview, and on its grid the masks of lungs and lesions."""
    preview = sitk.Clamp(sitk.Cast(read_volume(paths["preview"]), sitk.sitkFloat32), upperBound=_HIGHEST_HU)
    lungs, lesions = (resample(read_volume(paths[role]), preview, nearest=True) > 0 for role in ("lungs", "labels"))
    return preview, lungs, lesions


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
        images.fixed, [max(2, round(mm / _MESH_MM)) for mm in extent]
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
    method.SetMetricSamplingPercentage(_SAMPLES, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(list(_SHRINK))
    method.SetSmoothingSigmasPerLevel([float(factor) for factor in _SHRINK])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method
