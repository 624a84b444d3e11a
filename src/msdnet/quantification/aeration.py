"""Density alone, without the network: how much of the lungs, and of each lesion class, holds how much air.

Source: Lanza et al., "Quantitative chest CT analysis in COVID-19", European Radiology 2020,
doi:10.1007/s00330-020-07013-2, whose compromised lung is what is poorly aerated or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from msdnet.labels import LabelSchema

Array = np.ndarray[Any, Any]

AERATION: dict[str, tuple[float, float]] = {
    "overinflated": (-np.inf, -900),
    "normal": (-900, -500),
    "poor": (-500, -100),
    "none": (-100, 100),
    "denser": (100, np.inf),
}
"""Name -> from this HU on, up to but without that one."""

COMPROMISED = ("poor", "none")


def measure_aeration(hu: Array, labels: Array, sides: Array, schema: LabelSchema) -> dict[str, dict[str, float]]:
    """Percent of the lungs' voxels, and of each class's voxels in them, of each degree of aeration.

    Shapes: hu, labels and sides (S, H, W).

    Args:
        hu: In Hounsfield units.
        labels: Lesions.
        sides: Right and left lung.
        schema: What the labels mean.
    """
    edges = [*(low for low, _ in AERATION.values()), np.inf]
    counts = np.zeros((schema.num_classes, len(AERATION)), dtype=np.int64)
    for values, of, side in zip(hu, labels, sides, strict=True):
        inside = side > 0
        degree = np.digitize(values[inside], edges[1:-1])
        code = of[inside].astype(np.intp) * len(AERATION) + degree
        counts += np.bincount(code, minlength=counts.size).reshape(counts.shape)
    named = {"lungs": counts.sum(axis=0), **{c.name: counts[c.index] for c in schema.classes}}
    return {name: _percent(of) for name, of in named.items()}


def compromised_percent(aeration: Mapping[str, Mapping[str, float]]) -> float:
    """How much of the lungs is poorly aerated or not at all, in percent."""
    return sum(aeration["lungs"][degree] for degree in COMPROMISED)


def _percent(counts: Array) -> dict[str, float]:
    total = max(1, int(counts.sum()))
    return {name: 100.0 * float(count) / total for name, count in zip(AERATION, counts, strict=True)}
