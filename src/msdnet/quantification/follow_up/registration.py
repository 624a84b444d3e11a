"""The lungs of a later scan laid over those of the first: rigidly, then as breath has bent them."""

from __future__ import annotations

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


def register(fixed: Path, fixed_lungs: Path, moving: Path, moving_lungs: Path) -> Registration:
    """Rigid, then B-spline registration of two previews by the correlation of their HU in and around the lungs.

    Source: SimpleITK's registration framework (Lowekamp et al., Front. Neuroinform. 2013,
    doi:10.3389/fninf.2013.00045); free-form deformation after Rueckert et al., IEEE TMI 1999, doi:10.1109/42.796284.

    Args:
        fixed: The first scan's preview.nii.gz.
        fixed_lungs: Its lungs.nii.gz.
        moving: The later scan's preview.
        moving_lungs: Its lungs.
    """
    first, later = (
        sitk.Clamp(sitk.Cast(read_volume(p), sitk.sitkFloat32), upperBound=_HIGHEST_HU) for p in (fixed, moving)
    )
    lungs_first, lungs_later = (
        resample(read_volume(path), grid, nearest=True) > 0
        for path, grid in ((fixed_lungs, first), (moving_lungs, later))
    )
    near = sitk.SignedMaurerDistanceMap(lungs_first, squaredDistance=False, useImageSpacing=True) < _MARGIN_MM
    rigid = _register_rigidly(first, later, lungs_first, lungs_later, near)
    bent = _register_bending(first, later, near, rigid)
    transform = sitk.CompositeTransform([rigid, bent])  # the last is applied first
    moved = sitk.GetArrayViewFromImage(resample(lungs_later, first, transform, nearest=True)) > 0
    there = sitk.GetArrayViewFromImage(lungs_first) > 0
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


def _register_rigidly(
    first: sitk.Image, later: sitk.Image, lungs_first: sitk.Image, lungs_later: sitk.Image, near: sitk.Image
) -> sitk.Transform:
    """From where the lungs' centres of mass lie over each other."""
    start: sitk.Transform = sitk.CenteredTransformInitializer(
        lungs_first, lungs_later, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method = _method(near, shrink=(4, 2))
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 100, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(first, later)
    return start


def _register_bending(first: sitk.Image, later: sitk.Image, near: sitk.Image, rigid: sitk.Transform) -> sitk.Transform:
    extent = [n * mm for n, mm in zip(first.GetSize(), first.GetSpacing(), strict=True)]
    bent: sitk.Transform = sitk.BSplineTransformInitializer(first, [max(2, round(mm / _MESH_MM)) for mm in extent])
    method = _method(near, shrink=(4, 2))
    method.SetMovingInitialTransform(rigid)
    method.SetInitialTransform(bent, inPlace=True)
    method.SetOptimizerAsLBFGSB(gradientConvergenceTolerance=1e-5, numberOfIterations=20)
    method.Execute(first, later)
    return bent


def _method(near: sitk.Image, shrink: tuple[int, ...]) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(near)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(_SAMPLES, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetShrinkFactorsPerLevel(list(shrink))
    method.SetSmoothingSigmasPerLevel([float(factor) for factor in shrink])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method
