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
# On the pairs of those slices above 0.7 the coarse correlation is never below the full one.
COARSE_SIDE, COARSE_MARGIN, COARSE_BLOCK = 16, 0.03, 512


def similarity(a: Array, b: Array) -> float:
    """The best correlation of two grey images over the eight symmetries of the square and small shifts; at most 1.

    Both are squeezed to 64 x 64 first, so that slightly different crops of one slice still match.
    """
    return correlate(thumbnail(a), thumbnail(b))


def correlate(a: Array, b: Array) -> float:
    """`similarity` of two images from their thumbnails."""
    middle = slice(SIDE // 2 - MAX_SHIFT, SIDE // 2 + MAX_SHIFT + 1)
    return max(
        float(fftconvolve(a, other[::-1, ::-1], mode="same")[middle, middle].max()) / SIDE**2 for other in symmetries(b)
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


def merge_near_duplicates(
    thumbnails: Sequence[Array], groups: Sequence[str], threshold: float
) -> tuple[list[str], list[tuple[int, int, float]]]:
    """The groups with near-duplicates merged, and the pairs (i, j, similarity) that merged them.

    A chain of near-duplicates takes the group of its first member, with all other members of the groups it joins. For
    large sets: coarse correlations by matrix products choose the pairs that are compared in full.

    Args:
        thumbnails: From `thumbnail`, one for each image.
        groups: The groups so far; images of one group are not compared.
        threshold: The smallest similarity of near-duplicates.
    """
    merged = list(groups)
    pairs: list[tuple[int, int, float]] = []
    if len(set(groups)) < 2:
        return merged, pairs
    coarse = _coarse(thumbnails)
    variants = [shifted for turned in _turned(coarse) for shifted in _shifted(turned)]
    for start in range(0, len(coarse), COARSE_BLOCK):
        block = coarse[start : start + COARSE_BLOCK].reshape(-1, COARSE_SIDE**2)
        best = np.full((len(block), len(coarse)), -1.0, dtype=np.float32)
        for variant in variants:
            np.maximum(best, block @ variant.reshape(-1, COARSE_SIDE**2).T, out=best)
        for offset, j in np.argwhere(best >= (threshold - COARSE_MARGIN) * COARSE_SIDE**2):
            i = start + int(offset)
            if i >= j or merged[i] == merged[j]:
                continue
            found = correlate(thumbnails[i].astype(np.float64), thumbnails[j].astype(np.float64))
            if found >= threshold:
                joined = merged[j]
                merged = [merged[i] if g == joined else g for g in merged]
                pairs.append((i, int(j), found))
    return merged, pairs


def thumbnail(image: Array) -> Array:
    """The image squeezed to 64 x 64, with mean 0 and standard deviation 1."""
    small = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    normalised: Array = (small - small.mean()) / (small.std() + 1e-6)
    return normalised


def symmetries(image: Array) -> Iterator[Array]:
    """The image turned by each quarter, as it is and mirrored: eight views."""
    for quarter_turns in range(4):
        turned = np.rot90(image, quarter_turns)
        yield turned
        yield turned[:, ::-1]


def _coarse(thumbnails: Sequence[Array]) -> Array:
    """(N, side, side) float32: block means, normalised again."""
    cell = SIDE // COARSE_SIDE
    small = np.stack(
        [t.reshape(COARSE_SIDE, cell, COARSE_SIDE, cell).mean(axis=(1, 3), dtype=np.float64) for t in thumbnails]
    )
    small -= small.mean(axis=(1, 2), keepdims=True)
    small /= small.std(axis=(1, 2), keepdims=True) + 1e-6
    return small.astype(np.float32)


def _turned(images: Array) -> Iterator[Array]:
    for quarter_turns in range(4):
        turned = np.rot90(images, quarter_turns, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _shifted(images: Array) -> Iterator[Array]:
    """The images shifted by at most one coarse pixel along each axis, zero where nothing was."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    for down in range(3):
        for right in range(3):
            yield np.ascontiguousarray(padded[:, down : down + COARSE_SIDE, right : right + COARSE_SIDE])
