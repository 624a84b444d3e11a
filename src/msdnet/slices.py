"""Scan <-> slices <-> tensor: orient, window, fit into the network's square input, and bring its result back.

The same code prepares slices for training and for prediction; its settings are in the weights' card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highdicom as hd
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.scans.scan import CANONICAL, Scan

Array = np.ndarray[Any, Any]


def to_canonical(scan: Scan, array: Array | None = None) -> hd.Volume:
    """The scan's voxels, or an array on its grid, with the axes slice, row, column; a view, never resampled.

    Slices go towards the head, rows to the back, columns to the patient's left. Where the orientation is unknown,
    the last axis of a volume is taken as the slice, as its formats store it, and nothing is flipped.
    """
    volume = scan.volume if array is None else scan.volume.with_array(array)
    if scan.orientation_known:
        return volume.to_patient_orientation(CANONICAL)
    return volume.permute_spatial_axes((2, 1, 0)) if scan.source.kind == "volume" else volume


def from_canonical(labels: Array, scan: Scan) -> Array:
    """Labels on canonical axes brought back to the axes of the scan's own grid: the inverse of `to_canonical`.

    Shapes: labels (S, H, W) on `to_canonical(scan)` -> the scan's own shape.
    """
    if not scan.orientation_known:
        return np.ascontiguousarray(labels.transpose(2, 1, 0)) if scan.source.kind == "volume" else labels
    own = scan.volume.get_closest_patient_orientation()
    return np.ascontiguousarray(to_canonical(scan).with_array(labels).to_patient_orientation(own).array)


@dataclass(frozen=True)
class Fit:
    """How a slice of (height, width) lies in the square: its fitted size and its top left corner."""

    height: int
    width: int
    fitted_height: int
    fitted_width: int
    top: int
    left: int


def plan_fit(height: int, width: int, size: int) -> Fit:
    """The placement of a slice in a square of `size` pixels: longer side filled, aspect kept, centred."""
    scale = size / max(height, width)
    fitted_height, fitted_width = max(1, round(height * scale)), max(1, round(width * scale))
    return Fit(height, width, fitted_height, fitted_width, (size - fitted_height) // 2, (size - fitted_width) // 2)


def fit(planes: Tensor, size: int) -> tuple[Tensor, Fit]:
    """The planes resized with antialiasing into a square, zero where the slice has no pixel.

    Shapes: planes (B, K, H, W) float -> (B, K, size, size).
    """
    plan = plan_fit(planes.shape[-2], planes.shape[-1], size)
    resized = F.interpolate(
        planes, size=(plan.fitted_height, plan.fitted_width), mode="bilinear", align_corners=False, antialias=True
    )
    right, bottom = size - plan.left - plan.fitted_width, size - plan.top - plan.fitted_height
    return F.pad(resized, (plan.left, right, plan.top, bottom)), plan


def unfit(planes: Tensor, plan: Fit) -> Tensor:
    """The planes back at the slice's own size: the inverse of `fit`.

    Shapes: planes (B, K, size, size) -> (B, K, H, W).
    """
    window = planes[..., plan.top : plan.top + plan.fitted_height, plan.left : plan.left + plan.fitted_width]
    return F.interpolate(window, size=(plan.height, plan.width), mode="bilinear", align_corners=False)


def to_grey(slices: Array, intensity: str, settings: Preprocessing) -> Tensor:
    """Grey on the scale 0..1.

    Shapes: slices of any shape, HU or grey 0..255 -> the same shape, float32.
    """
    grey = torch.from_numpy(slices.astype(np.float32))
    if intensity == "HU":
        low, high = settings.window_hu
        return ((grey - low) / (high - low)).clamp(0, 1)
    return (grey / 255.0).clamp(0, 1)


def normalise(grey: Tensor, settings: Preprocessing) -> Tensor:
    """The network's input from grey on the scale 0..1; any shape."""
    return (grey - settings.mean) / settings.std
