"""How far the marked area moves when nothing changes but the technique: a slice turned, resampled, mirrored, noisy.

The same scan is looked at again. What a second scan of the same person would change besides (breathing, dose, position)
is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.labels import ANY_LESION, LabelSchema
from msdnet.prediction.slicewise import Network
from msdnet.slices import fit, normalise

Array = np.ndarray[Any, Any]

NUM_LOOKS = 4
ROTATION_DEG, ZOOM, SHIFT_PIXELS = 10.0, 1.1, 2.0
NOISE = 0.015
"""Standard deviation of the added noise on grey 0 to 1: 20 HU in the usual window."""
_BATCH = 4


@dataclass(frozen=True)
class Repeatability:
    """What further looks at some slices of a scan mark of one class.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        plain: Pixels that the plain look marks, of those that each further look sees.
        again: Pixels that each further look marks.
    """

    class_name: str
    plain: tuple[int, ...]
    again: tuple[int, ...]

    @property
    def sd(self) -> float:
        """Root mean square, over the looks, of log(area again / area): about the relative change of the area.

        One pixel is added to each, so that an empty look is no infinite change.
        """
        squares = [math.log((a + 1) / (p + 1)) ** 2 for p, a in zip(self.plain, self.again, strict=True)]
        return math.sqrt(sum(squares) / len(squares))


@torch.inference_mode()
def measure_repeatability(
    network: Network,
    grey: Sequence[Tensor],
    settings: Preprocessing,
    schema: LabelSchema,
    cavities: Sequence[Array] | None = None,
) -> tuple[Repeatability, ...]:
    """The counts over some slices: of every class of the schema, then of any lesion where there are several.

    Shapes: grey (H, W) in 0..1 on the network's device each; cavities (H, W) bool of the same size each.

    Args:
        network: In evaluation mode, or an engine.
        grey: The slices.
        settings: The preprocessing the network was trained with.
        schema: Of the network's classes.
        cavities: Where lesions may lie; everywhere by default.
    """
    groups = [(c.name, [c.index]) for c in schema.classes]
    if len(groups) > 1:
        groups.append((ANY_LESION, [c.index for c in schema.classes]))
    counts = np.zeros((len(groups), 2, NUM_LOOKS), dtype=np.int64)
    generators = [torch.Generator().manual_seed(look) for look in range(NUM_LOOKS)]
    for start in range(0, len(grey), _BATCH):
        chosen = slice(start, start + _BATCH)
        images = torch.cat([fit(one[None, None], settings.size)[0] for one in grey[chosen]])
        allowed = torch.ones_like(images) if cavities is None else _fitted(cavities[chosen], settings.size, images)
        plain = _labels(network, images, settings) * (allowed > 0.5)
        for look, generator in enumerate(generators):
            grid = _draw_grid(len(images), settings.size, generator).to(images.device)
            noise = torch.randn(images.shape, generator=generator).to(images.device)
            turned = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
            before, inside = (
                F.grid_sample(planes, grid, mode="nearest", align_corners=False) for planes in (plain.float(), allowed)
            )
            again = _labels(network, (turned + NOISE * noise).clamp(0, 1), settings) * (inside > 0.5)
            for place, (_, indices) in enumerate(groups):
                of_class = torch.tensor(indices, device=images.device)
                for row, labels in enumerate((before.long(), again)):
                    counts[place, row, look] += int(torch.isin(labels, of_class).sum())
    return tuple(
        Repeatability(name, *(tuple(row) for row in counts[place].tolist())) for place, (name, _) in enumerate(groups)
    )


def _draw_grid(batch: int, size: int, generator: torch.Generator) -> Tensor:
    """Where each pixel of a turned, zoomed, shifted and perhaps mirrored slice comes from; (B, S, S, 2)."""

    def uniform(reach: float, *shape: int) -> Tensor:
        return reach * (2 * torch.rand(*shape, generator=generator) - 1)

    angle, zoom = torch.deg2rad(uniform(ROTATION_DEG, batch)), torch.exp(uniform(math.log(ZOOM), batch))
    mirrored = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
    rows = torch.stack([mirrored * torch.cos(angle), -torch.sin(angle)], -1)
    columns = torch.stack([mirrored * torch.sin(angle), torch.cos(angle)], -1)
    affine = torch.stack([rows, columns], -2) / zoom[:, None, None]
    shift = uniform(2 * SHIFT_PIXELS / size, batch, 2, 1)
    return F.affine_grid(torch.cat([affine, shift], -1), [batch, 1, size, size], align_corners=False)


def _fitted(cavities: Sequence[Array], size: int, images: Tensor) -> Tensor:
    """Masks (H, W) in the network's square, 0 to 1; (B, 1, S, S)."""
    masks = [torch.from_numpy(one.astype(np.float32))[None, None] for one in cavities]
    return torch.cat([fit(mask, size)[0] for mask in masks]).to(images.device)


def _labels(network: Network, images: Tensor, settings: Preprocessing) -> Tensor:
    """Class numbers (B, 1, S, S) of grey slices (B, 1, S, S) in 0..1."""
    prepared = normalise(images, settings).contiguous(memory_format=torch.channels_last)
    labels: Tensor = network(prepared).argmax(dim=1, keepdim=True)
    return labels
