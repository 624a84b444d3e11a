"""Which slices show the same place of one patient: near-duplicates under shift, rotation by 90 degrees and flip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

Array = np.ndarray[Any, Any]

SIDE, MAX_SHIFT = 64, 6
# The known duplicates of the MedSeg slices correlate at 0.81 to 0.996; unrelated pairs at 0.77 or less.
NEAR_DUPLICATE = 0.78


def similarity(a: Array, b: Array) -> float:
    """The best correlation of two grey images over the eight symmetries of the square and small shifts; at most 1.

    Both are squeezed to 64 x 64 first, so that slightly different crops of one slice still match.
    """
    first = _thumbnail(a)
    middle = slice(SIDE // 2 - MAX_SHIFT, SIDE // 2 + MAX_SHIFT + 1)
    return max(
        float(fftconvolve(first, other[::-1, ::-1], mode="same")[middle, middle].max()) / SIDE**2
        for other in _symmetries(_thumbnail(b))
    )


def group_near_duplicates(images: Sequence[Array], threshold: float = NEAR_DUPLICATE) -> list[int]:
    """A group number for every image: that of the first member of its chain of near-duplicates."""
    groups = list(range(len(images)))
    for j in range(len(images)):
        for i in range(j):
            if groups[i] != groups[j] and similarity(images[i], images[j]) >= threshold:
                low, high = sorted((groups[i], groups[j]))
                groups = [low if g == high else g for g in groups]
    return groups


def _thumbnail(image: Array) -> Array:
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    normalised: Array = (small - small.mean()) / (small.std() + 1e-6)
    return normalised


def _symmetries(image: Array) -> Iterator[Array]:
    for quarter_turns in range(4):
        turned = np.rot90(image, quarter_turns)
        yield turned
        yield turned[:, ::-1]
