"""Training batches: batch i of a seed is always the same, so a resumed run sees what an uninterrupted one sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from msdnet.config import Augmentation, Preprocessing, Stage
from msdnet.data.augmentation import apply_transform, cut_and_mix, draw_cut, draw_transform
from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.data.weak_classes import split_by_density
from msdnet.errors import DatasetError
from msdnet.slices import fit, normalise

Batch = dict[str, Tensor]

CUT_SEED = 1 << 40
"""Rectangles are drawn apart, so that all else is drawn as it is without them."""


class FittedSlices:
    """Slices fitted into the network's square once and kept as bytes.

    Shapes: images (N, 2, S, S) uint8, grey and 255 where the slice has a pixel; targets (N, K, S, S) uint8: 255 times
    the one-hot lesion labels (K = number of lesion classes), or 255 times the weak probability: of any lesion (K = 1),
    or with `split_weak` of each class.
    """

    def __init__(
        self, slices: Sequence[TrainingSlice], size: int, num_lesion_classes: int, *, split_weak: bool = False
    ) -> None:
        images, targets = [], []
        for s in slices:
            grey = torch.from_numpy(s.image.copy()).float()
            images.append(_bytes(torch.stack([grey, torch.full_like(grey, 255.0)]), size))
            if s.labels is not None:
                planes = np.stack([s.labels == c for c in range(1, num_lesion_classes + 1)]) * np.float32(255)
            elif s.weak is not None:
                planes = _weak_planes(s.image, s.weak, split_weak).astype(np.float32)
            else:
                raise DatasetError(
                    f"slice {s.name} has no target", got="neither labels nor weak", expected="one", do="leave it out"
                )
            targets.append(_bytes(torch.from_numpy(planes), size))
        self.images = torch.cat(images)
        self.targets = torch.cat(targets)

    def __len__(self) -> int:
        return len(self.images)


class StepBatches(Dataset[Batch]):
    """The batches of steps first to last - 1, one item each, drawn from (seed, step) alone.

    With several processes each draws the whole batch, and holds every world_size-th slice of it from its rank on.

    An item holds "images" (B, 1, S, S) normalised, "targets" (L, K, S, S) lesion probabilities of the first L images,
    "weak" (W, 1 or K, S, S) guessed probability of any lesion, or of each class, of the other W images.
    """

    def __init__(
        self,
        labelled: FittedSlices | None,
        weak: FittedSlices | None,
        stage: Stage,
        augmentation: Augmentation,
        preprocessing: Preprocessing,
        seed: int,
        first: int,
        last: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.labelled, self.weak, self.stage = labelled, weak, stage
        self.augmentation, self.preprocessing = augmentation, preprocessing
        self.seed, self.first, self.last = seed, first, last
        self.share = slice(rank, None, world_size)

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, index: int) -> Batch:
        step = self.first + index
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        size = self.stage.size or self.preprocessing.size
        batch: Batch = {}
        images = []
        for key, slices, count in (
            ("targets", self.labelled, self.stage.num_labelled),
            ("weak", self.weak, self.stage.num_weak),
        ):
            if slices is None or count == 0:
                continue
            mixes = key == "weak" and self.augmentation.cutmix > 0
            share = slice(None) if mixes else self.share  # a slice may take a part of one that another process holds
            chosen = _draw_indices(len(slices), count, step, self.seed)[share]
            transform = draw_transform(self.augmentation, count, size, generator).of(share)
            grey, targets = apply_transform(
                slices.images[chosen].float() / 255.0, slices.targets[chosen].float() / 255.0, transform
            )
            if mixes:
                generator_of_cut = torch.Generator().manual_seed(self.seed * 1_000_003 + step + CUT_SEED)
                cut = draw_cut(self.augmentation.cutmix, count, generator_of_cut)
                grey, targets = (mixed[self.share] for mixed in cut_and_mix(grey, targets, cut))
            batch[key] = targets
            images.append(grey)
        batch["images"] = normalise(torch.cat(images), self.preprocessing)
        return batch


class ValidationBatches(Dataset[Batch]):
    """Labelled slices as they are, in batches of `BATCH`: "images" (B, 1, S, S), "targets" (B, K, S, S)."""

    BATCH = 8

    def __init__(self, slices: FittedSlices, preprocessing: Preprocessing) -> None:
        self.slices, self.preprocessing = slices, preprocessing

    def __len__(self) -> int:
        return -(-len(self.slices) // self.BATCH)

    def __getitem__(self, index: int) -> Batch:
        chosen = slice(index * self.BATCH, (index + 1) * self.BATCH)
        grey = self.slices.images[chosen, :1].float() / 255.0
        return {
            "images": normalise(grey, self.preprocessing),
            "targets": self.slices.targets[chosen].float() / 255.0,
        }


def _weak_planes(image: Array, weak: Array, split_weak: bool) -> Array:
    """The guess of each class where there is one, else of any lesion, or what its density tells; (K, H, W) uint8."""
    if weak.ndim == 3:
        return weak
    return split_by_density(image, weak) if split_weak else weak[None]


def _draw_indices(total: int, count: int, step: int, seed: int) -> Tensor:
    """The slices of a step: every slice once before any comes again, in an order drawn anew for each round."""
    positions = range(step * count, (step + 1) * count)
    rounds = {p // total for p in positions}
    orders = {r: torch.randperm(total, generator=torch.Generator().manual_seed(seed * 7919 + r)) for r in rounds}
    return torch.stack([orders[p // total][p % total] for p in positions])


def _bytes(planes: Tensor, size: int) -> Tensor:
    return fit(planes[None], size)[0].round().clamp(0, 255).to(torch.uint8)
