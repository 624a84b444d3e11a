"""Augmentation of a batch: `draw_transform` draws all that is random, `apply_transform` draws nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from msdnet.config import Augmentation

ELASTIC_NODES = 6


@dataclass(frozen=True)
class Transform:
    """Everything that was drawn for one batch of B slices; all tensors have B as their first axis.

    Attributes:
        affine: (B, 2, 3) from output to input coordinates in [-1, 1].
        displacement: (B, 2, n, n) coarse displacement field in the same coordinates.
        contrast, brightness, gamma, noise_sd, blur_sd: (B,).
        block: (B,) side in pixels of the blocks that grey is averaged over; 1 leaves a slice as it is.
        noise: (B, 1, h, w) standard normal.
        surroundings: (B, 8) parameters of the simulated body around a slice, each in 0..1; None for black.
    """

    affine: Tensor
    displacement: Tensor
    contrast: Tensor
    brightness: Tensor
    gamma: Tensor
    noise_sd: Tensor
    blur_sd: Tensor
    block: Tensor
    noise: Tensor
    surroundings: Tensor | None

    def of(self, slices: slice) -> Transform:
        """What was drawn for these slices of the batch."""
        return replace(self, **{name: drawn[slices] for name, drawn in vars(self).items() if drawn is not None})


def draw_transform(settings: Augmentation, batch: int, size: int, generator: torch.Generator) -> Transform:
    """A transform for a batch whose output is (batch, 1, size, size)."""

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*(shape or (batch,)), generator=generator)

    angle = torch.deg2rad(uniform(-settings.rotation_deg, settings.rotation_deg))
    zoom = torch.exp(uniform(math.log(settings.scale[0]), math.log(settings.scale[1])))
    stretch = torch.exp(uniform(-settings.stretch, settings.stretch) / 2)
    flips = torch.where(torch.rand(batch, 2, generator=generator) < 0.5, -1.0, 1.0)
    if not settings.flip:
        flips = torch.ones_like(flips)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (B, 2, 2)
    scales = flips / torch.stack([zoom * stretch, zoom / stretch], -1)  # (B, 2)
    affine = torch.cat([scales[:, :, None] * rotation, uniform(-2, 2, batch, 2, 1) * settings.shift], dim=-1)
    transform = Transform(
        affine=affine,
        displacement=settings.elastic * uniform(-2, 2, batch, 2, ELASTIC_NODES, ELASTIC_NODES),
        contrast=1 + uniform(-settings.contrast, settings.contrast),
        brightness=uniform(-settings.brightness, settings.brightness),
        gamma=torch.exp(uniform(-settings.gamma, settings.gamma)),
        noise_sd=uniform(0, settings.noise) * (uniform(0, 1) < 0.5),
        blur_sd=uniform(0.5, 1.2) * (uniform(0, 1) < settings.blur),
        noise=torch.randn(batch, 1, size, size, generator=generator),
        surroundings=uniform(0, 1, batch, 8),
        block=torch.where(uniform(0, 1) < settings.coarse, uniform(1, settings.coarsest), torch.ones(batch)),
    )
    if settings.heavy_noise:  # drawn last and only where wanted, so that all else is drawn as it is without
        heavy = torch.rand(batch, generator=generator) < settings.heavy_noise
        noise_sd = torch.where(heavy, uniform(0, settings.heaviest_noise), transform.noise_sd)
        transform = replace(transform, noise_sd=noise_sd)
    return transform if settings.surroundings else replace(transform, surroundings=None)


def apply_transform(images: Tensor, targets: Tensor, transform: Transform) -> tuple[Tensor, Tensor]:
    """The transformed batch.

    Shapes: images (B, 2, H, W): grey in 0..1 and 1 where the slice has a pixel; targets (B, K, H, W) one-hot or
    probabilities -> grey (B, 1, h, w) in 0..1, targets (B, K, h, w) with zeros where the slice has no pixel.
    """
    grid = _sampling_grid(transform)
    warped = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    targets = F.grid_sample(targets, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    grey, inside = warped[:, :1], warped[:, 1:]
    if transform.surroundings is not None:
        outside = simulate_surroundings(images[:, 1:], grid, transform.surroundings, transform.noise)
        grey = torch.where(inside > 0.99, grey, outside)
    return _vary_grey(_coarsen(grey, transform.block), transform), targets


def draw_cut(probability: float, batch: int, generator: torch.Generator) -> Tensor:
    """Squares with a uniformly distributed area, clipped at the picture's sides, or with no area where none is drawn.

    Shapes: -> (B, 4): first row, one past the last row, first column, one past the last column, as shares of the side.
    """
    drawn = torch.rand(batch, 4, generator=generator)
    half = drawn[:, :1].sqrt() / 2 * (drawn[:, 1:2] < probability)
    edges = torch.stack([drawn[:, 2:] - half, drawn[:, 2:] + half], -1)  # (B, axis, side)
    return edges.clamp(0, 1).flatten(1)


def cut_and_mix(grey: Tensor, targets: Tensor, cut: Tensor) -> tuple[Tensor, Tensor]:
    """Each slice with a rectangle of the slice before it in the batch, the first with one of the last.

    Shapes: grey (B, 1, h, w), targets (B, K, h, w), cut (B, 4) as `draw_cut` draws it -> the same.
    """
    height, width = grey.shape[-2:]
    top, bottom, left, right = (cut[:, i, None, None, None] for i in range(4))
    row = (torch.arange(height) / height)[None, None, :, None]
    column = (torch.arange(width) / width)[None, None, None, :]
    taken = (row >= top) & (row < bottom) & (column >= left) & (column < right)
    return torch.where(taken, grey.roll(1, 0), grey), torch.where(taken, targets.roll(1, 0), targets)


def simulate_surroundings(inside: Tensor, grid: Tensor, drawn: Tensor, noise: Tensor) -> Tensor:
    """What may lie around a lung crop: chest wall with fat and bone, then air, then a couch on one side; grey in 0..1.

    Shapes: inside (B, 1, H, W), grid (B, h, w, 2), drawn (B, 8) in 0..1, noise (B, 1, h, w) -> (B, 1, h, w).
    """
    extent = torch.stack([inside.amax(2).mean(-1), inside.amax(3).mean(-1)], -1)  # (B, 1, 2): share of the side
    point = grid / extent.clamp(min=0.1)[:, :, None, :]  # the crop is the square [-1, 1]
    column, row = point[..., 0], point[..., 1]
    power = 2.0 + 6.0 * drawn[:, 0, None, None]  # from an ellipse to nearly the crop's own rectangle
    radius = (column.abs() ** power + row.abs() ** power) ** (1 / power)
    angle = torch.atan2(row, column)
    skin = 1.0 + 0.7 * drawn[:, 1, None, None]
    tissue = 0.72 + 0.2 * drawn[:, 2, None, None] + 0.03 * noise[:, 0]
    stripes = torch.cos(angle * (6 + 10 * drawn[:, 3, None, None]) + 6.3 * drawn[:, 4, None, None])
    bone = (stripes > 0.45) & (radius > 1.02) & (radius < 1.12 + 0.1 * drawn[:, 5, None, None])
    fat = radius > 1.0 + (skin - 1.0) * 0.5
    body = torch.where(bone, torch.ones_like(tissue), torch.where(fat, tissue - 0.12, tissue))
    air = 0.02 * noise[:, 0].abs() + 0.05 * drawn[:, 6, None, None]
    couch_side = torch.cos(angle - 6.3 * drawn[:, 7, None, None]) > 0.3
    couch = couch_side & (radius > skin + 0.08) & (radius < skin + 0.14)
    return torch.where(radius < skin, body, torch.where(couch, 0.6 + 0.1 * noise[:, 0], air))[:, None]


def _sampling_grid(transform: Transform) -> Tensor:
    size = list(transform.noise.shape)
    grid = F.affine_grid(transform.affine, size, align_corners=False)  # (B, h, w, 2)
    field = F.interpolate(transform.displacement, size=size[-2:], mode="bicubic", align_corners=True)
    return grid + field.permute(0, 2, 3, 1)


def _coarsen(grey: Tensor, block: Tensor) -> Tensor:
    """Each slice averaged over blocks of its own size and interpolated back, as a coarse scan comes to the network."""
    side = grey.shape[-1]
    slices = list(grey.split(1))
    for i, length in enumerate(block.tolist()):
        if length > 1:
            small = F.interpolate(slices[i], size=max(8, round(side / length)), mode="area")
            slices[i] = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
    return torch.cat(slices)


def _vary_grey(grey: Tensor, transform: Transform) -> Tensor:
    def each(values: Tensor) -> Tensor:
        return values[:, None, None, None]

    grey = ((grey - 0.5) * each(transform.contrast) + 0.5 + each(transform.brightness)).clamp(0, 1)
    grey = grey.clamp(min=1e-4) ** each(transform.gamma)
    blurred = _blur(grey, transform.blur_sd)
    return (blurred + each(transform.noise_sd) * transform.noise).clamp(0, 1)


def _blur(grey: Tensor, sd: Tensor) -> Tensor:
    """Gaussian blur of 5 x 5 with another standard deviation in pixels for each slice; 0 leaves a slice as it is."""
    offsets = torch.arange(-2, 3, dtype=grey.dtype)
    kernel = torch.exp(-0.5 * (offsets / sd.clamp(min=1e-3)[:, None]) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    batch = grey.transpose(0, 1)  # (1, B, h, w): one group for each slice
    batch = F.conv2d(F.pad(batch, (2, 2, 0, 0), mode="replicate"), kernel[:, None, None, :], groups=len(sd))
    batch = F.conv2d(F.pad(batch, (0, 0, 2, 2), mode="replicate"), kernel[:, None, :, None], groups=len(sd))
    return batch.transpose(0, 1)
