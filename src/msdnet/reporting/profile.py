"""The lesion area along the scan as an SVG drawing: one step per slice, classes stacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from msdnet.quantification import count_lesion_voxels
from msdnet.reporting.texts import TEXTS
from msdnet.slices import to_canonical

if TYPE_CHECKING:
    from msdnet.prediction import Segmentation

_WIDTH, _HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 34


def draw_profile(segmentation: Segmentation) -> Markup:
    """An SVG element: area per axial slice in cm², or in per cent of the slice where the spacing is unknown.

    Args:
        segmentation: The scan and its labels; two slices at least, or there is nothing to draw along.
    """
    scan = segmentation.scan
    volume = to_canonical(scan, segmentation.labels)
    counts = count_lesion_voxels(scan, segmentation.labels, segmentation.schema)
    num_slices, num_rows, num_columns = volume.shape
    unit = (
        float(volume.spacing[1] * volume.spacing[2]) / 100.0 if scan.spacing_known else 100.0 / (num_rows * num_columns)
    )
    edges = np.concatenate([np.zeros((num_slices, 1)), np.cumsum(counts * unit, axis=1)], axis=1)
    top, step = _nice_scale(float(edges[:, -1].max()))

    def x(index: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * index / num_slices

    def y(area: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * area / top

    parts = []
    for tick in np.arange(0, top + step / 2, step):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 3.5:.1f}" text-anchor="end">{tick:g}</text>')
    for place, lesion in enumerate(segmentation.schema.classes):
        if counts[:, place].any():
            points = _steps(edges[:, place], edges[:, place + 1], x, y)
            parts.append(f'<path fill="rgb{lesion.colour}" d="{points}"/>')
    baseline = _HEIGHT - _BOTTOM
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{baseline}" y2="{baseline}"/>')
    for number in _slice_ticks(num_slices):
        parts.append(f'<text x="{x(number - 0.5):.1f}" y="{baseline + 14}" text-anchor="middle">{number}</text>')
    ends = (TEXTS["feet"], TEXTS["head"]) if scan.orientation_known else ("", "")
    for place_x, anchor, words in (
        (_LEFT, "start", ends[0]),
        ((_LEFT + _WIDTH - _RIGHT) / 2, "middle", TEXTS["slice_axis"]),
        (_WIDTH - _RIGHT, "end", ends[1]),
    ):
        parts.append(
            f'<text class="name" x="{place_x}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{escape(words)}</text>'
        )
    head = (
        f'<svg class="profile" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(TEXTS["profile_alt"])}">'
    )
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704 -- numbers and escaped texts only


def _steps(lower: np.ndarray[Any, Any], upper: np.ndarray[Any, Any], x: Any, y: Any) -> str:
    """A closed outline: along the upper edge of every step and back along the lower one."""
    there = [f"{x(i + side):.1f},{y(area):.1f}" for i, area in enumerate(upper) for side in (0, 1)]
    back = [f"{x(i + side):.1f},{y(area):.1f}" for i, area in enumerate(lower) for side in (0, 1)]
    return "M" + "L".join(there + back[::-1]) + "Z"


def _nice_scale(largest: float) -> tuple[float, float]:
    """The axis' end and its step, a round number, so that the largest value fits in two to five steps."""
    if largest <= 0:
        return 1.0, 1.0
    magnitude = 10.0 ** np.floor(np.log10(largest))
    for factor in (0.2, 0.5, 1.0, 2.0, 5.0):
        step = float(factor * magnitude)
        if np.ceil(largest / step) <= 4:
            break
    return float(np.ceil(largest / step) * step), step


def _slice_ticks(num_slices: int) -> list[int]:
    """The first, the last, and round numbers between them that keep their distance."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if num_slices / s <= 12)
    between = [n for n in range(step, num_slices, step) if 1 + step / 2 < n < num_slices - step / 2]
    return [1, *between, num_slices]
