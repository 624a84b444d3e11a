"""Whether labels stay the same when the picture is mirrored or zoomed: what a network shows of its own doubt.

Everything is counted in pixels, so that the counts of a scan's slices can be added up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.labels import ANY_LESION, LabelSchema
from msdnet.prediction.slicewise import Network, predict_probabilities

Array = np.ndarray[Any, Any]

ZOOMS = (0.8, 1.0, 1.25)
VARIANTS: tuple[tuple[tuple[int, ...], float], ...] = (
    *(((), zoom) for zoom in ZOOMS if zoom != 1.0),
    *((axes, 1.0) for axes in ((-1,), (-2,), (-2, -1))),
)
"""Mirrored axes and zoom of each further look at a slice."""

_AXES = {-1: "columns", -2: "rows"}
LOOKS = tuple(
    f"mirrored {' and '.join(_AXES[a] for a in axes)}" if axes else f"zoom {zoom:g}" for axes, zoom in VARIANTS
)
"""Their names, as weights' cards have them."""


@dataclass(frozen=True)
class Steadiness:
    """Counts of one class over one or more slices.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        num_pixels: All pixels.
        area: Pixels that the result marks.
        areas: Pixels that each further look marks.
        shared: Pixels that the result and each further look mark.
        expected: Sum of the class's probability, averaged over all looks.
        expected_inside: The same, over the pixels that the result marks.
    """

    class_name: str
    num_pixels: int
    area: int
    areas: tuple[int, ...]
    shared: tuple[int, ...]
    expected: float
    expected_inside: float

    def __add__(self, other: Steadiness) -> Steadiness:
        return Steadiness(
            self.class_name,
            self.num_pixels + other.num_pixels,
            self.area + other.area,
            tuple(a + b for a, b in zip(self.areas, other.areas, strict=True)),
            tuple(a + b for a, b in zip(self.shared, other.shared, strict=True)),
            self.expected + other.expected,
            self.expected_inside + other.expected_inside,
        )

    @property
    def area_share(self) -> float:
        """Marked pixels, as a share of all."""
        return self.area / self.num_pixels

    @property
    def agreement(self) -> float:
        """Mean DSC between the result and the further looks; 1 where both are empty."""
        pairs = zip(self.areas, self.shared, strict=True)
        return float(np.mean([2 * s / (self.area + a) if self.area + a else 1.0 for a, s in pairs]))

    @property
    def confidence(self) -> float:
        """The class's probability, averaged over all looks and the pixels that the result marks; 1 without any."""
        return self.expected_inside / self.area if self.area else 1.0


@torch.inference_mode()
def measure_steadiness(
    network: Network,
    grey: Sequence[Tensor],
    labels: Sequence[Array] | None,
    settings: Preprocessing,
    schema: LabelSchema,
    cavities: Sequence[Array] | None = None,
) -> list[list[Steadiness]]:
    """Each slice's counts: of every class of the schema, then of any lesion where there are several.

    Shapes: grey (H, W) in 0..1 on the network's device, labels (H, W) and cavities (H, W) bool of the same size each.

    Args:
        network: In evaluation mode, or an engine.
        grey: Slices; they go through the network as one batch.
        labels: What the network made of them, as it is reported; None for what the plain look gives.
        settings: The preprocessing the network was trained with.
        schema: Of the labels.
        cavities: Where lesions may lie; everywhere by default.
    """
    tallies = [_Tally() for _ in grey]
    for look in _each_look(network, grey, settings):  # none is kept: all of a large slice would take much memory
        for tally in tallies:
            tally.add(look.pop(0).cpu().numpy())
    results = []
    for i, tally in enumerate(tallies):
        inside = np.ones(tally.seen[0].shape, dtype=bool) if cavities is None else cavities[i]
        reported = tally.seen[0] * inside if labels is None else labels[i]
        results.append(tally.count(reported, schema, inside))
    return results


def take_looks(network: Network, grey: Sequence[Tensor], settings: Preprocessing) -> list[list[Array]]:
    """Each slice's probabilities (C, H, W): the plain look, then one for each of `VARIANTS`; arguments as above."""
    looks = list(_each_look(network, grey, settings))
    return [[look[i].cpu().numpy() for look in looks] for i in range(len(grey))]


def count_looks(
    reported: Array, looks: Sequence[Array], schema: LabelSchema, inside: Array | None = None
) -> list[Steadiness]:
    """One slice's counts: of every class of the schema, then of any lesion where there are several.

    Shapes: reported (H, W) labels, looks (C, H, W) each, the plain one first; inside (H, W) bool, all by default.
    """
    tally = _Tally()
    for look in looks:
        tally.add(look)
    return tally.count(reported, schema, np.ones(reported.shape, dtype=bool) if inside is None else inside)


class _Tally:
    """What the looks at one slice have shown so far: the sum of their probabilities, and the labels of each."""

    def __init__(self) -> None:
        self.seen: list[Array] = []
        self._total: Array | None = None

    def add(self, probabilities: Array) -> None:
        """One look's; (C, H, W)."""
        self.seen.append(probabilities.argmax(axis=0).astype(np.uint8))
        self._total = probabilities.copy() if self._total is None else np.add(self._total, probabilities, self._total)

    def count(self, reported: Array, schema: LabelSchema, inside: Array) -> list[Steadiness]:
        """As `count_looks`, once: the plain look was the first to be added, and nothing can be added after."""
        assert self._total is not None
        mean, self._total = self._total, None
        mean /= len(self.seen)
        mean *= inside
        seen = [labels * inside for labels in self.seen[1:]]
        counts = [
            _count(c.name, reported == c.index, (s == c.index for s in seen), mean[c.index]) for c in schema.classes
        ]
        if len(schema.classes) > 1:
            counts.append(_count(ANY_LESION, reported > 0, (s > 0 for s in seen), mean[1:].sum(axis=0)))
        return counts


def _count(class_name: str, marked: Array, others: Iterable[Array], probability: Array) -> Steadiness:
    of_others = [(int(np.count_nonzero(o)), int(np.count_nonzero(o & marked))) for o in others]
    areas, shared = zip(*of_others, strict=True)
    return Steadiness(
        class_name=class_name,
        num_pixels=int(marked.size),
        area=int(np.count_nonzero(marked)),
        areas=areas,
        shared=shared,
        expected=float(probability.sum()),
        expected_inside=float(probability[marked].sum()),
    )


def _each_look(network: Network, grey: Sequence[Tensor], settings: Preprocessing) -> Iterator[list[Tensor]]:
    """The slices' probabilities (C, H, W) in each look, the plain one first."""
    yield predict_probabilities(network, grey, settings)
    for axes, zoom in VARIANTS:
        yield _look(network, grey, settings, axes, zoom)


def _look(
    network: Network, grey: Sequence[Tensor], settings: Preprocessing, axes: tuple[int, ...], zoom: float
) -> list[Tensor]:
    size = _zoomed(settings.size, zoom)
    settings = dataclasses.replace(settings, size=size)
    if not axes:
        return predict_probabilities(network, grey, settings)
    mirrored = predict_probabilities(network, [g.flip(axes) for g in grey], settings)
    for i, one in enumerate(mirrored):
        mirrored[i] = one.flip(axes)  # one at a time, for memory
    return mirrored


def _zoomed(size: int, zoom: float) -> int:
    """The multiple of 32 nearest to size x zoom that is another one than size; a side of 32 cannot become smaller."""
    if zoom == 1.0:
        return size
    nearest = 32 * round(size * zoom / 32)
    return max(32, min(nearest, size - 32) if zoom < 1 else max(nearest, size + 32))
