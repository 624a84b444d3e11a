"""side-by-side.png: the same levels at each time, and where lesions changed; course.png: volumes over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from msdnet.labels import CHANGES, LabelSchema
from msdnet.quantification.follow_up import Aligned, Timepoint
from msdnet.quantification.follow_up.changes import reach_of
from msdnet.quantification.follow_up.timepoint import SCAN, VOLUME
from msdnet.reporting.follow_up.words import titles_of
from msdnet.reporting.numbers import format_signed
from msdnet.reporting.overview import (
    BACKGROUND,
    BRIGHT,
    DIM,
    HALO,
    WINDOW_HU,
    choose_slices,
    find_body_field,
    overlay_labels,
)
from msdnet.reporting.texts import TEXTS

Array = np.ndarray[Any, Any]

_LEVELS, _MOST_TIMES = 3, 4
_TICK_SHARE = 0.016
"""Of the axis' length: a digit below it, with the room between two numbers."""

_WIDTH_PX, _DPI, _GAP_PX, _HEAD_PX, _FOOT_PX = 1800, 100, 6, 54, 58


def choose_times(num_points: int) -> list[int]:
    """Places of the results that are shown side by side: all, or of more than four the first and the last three."""
    places = list(range(num_points))
    return places if num_points <= _MOST_TIMES else [0, *places[-(_MOST_TIMES - 1) :]]


def draw_side_by_side(points: Sequence[Timepoint], aligned: Aligned, path: Path) -> None:
    """Writes a PNG 1,800 pixels wide: a row per level, a column per time, and the map of the last change.

    Levels, by their height in the first scan, are those with the most lesion at any time, spread along the lungs; the
    later scans are shown as they were laid over the first. `choose_times` says which of many are shown.

    Args:
        points: In the order of time.
        aligned: The same results on the first one's grid.
        path: Where to write.
    """
    shown = choose_times(len(points))
    anywhere = np.any([labels > 0 for labels in aligned.labels], axis=0)
    levels = choose_slices(anywhere.sum(axis=(1, 2)), _LEVELS)[::-1]
    rows, columns = find_body_field(aligned.pictures[0][levels], True, anywhere[levels].astype(np.uint8))
    column_mm, row_mm, _ = aligned.grid.GetSpacing()
    num_columns = len(shown) + 1
    width = (_WIDTH_PX - (num_columns + 1) * _GAP_PX) / num_columns
    height = width * (rows.stop - rows.start) * row_mm / ((columns.stop - columns.start) * column_mm)
    total = _HEAD_PX + len(levels) * (height + _GAP_PX) + _FOOT_PX
    figure = Figure(figsize=(_WIDTH_PX / _DPI, total / _DPI), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    schema = points[0].schema
    for row, level in enumerate(levels):
        bottom = total - _HEAD_PX - (row + 1) * height - row * _GAP_PX
        for column in range(num_columns):
            left = _GAP_PX + column * (width + _GAP_PX)
            axes = figure.add_axes((left / _WIDTH_PX, bottom / total, width / _WIDTH_PX, height / total))
            time = shown[min(column, len(shown) - 1)]
            low, high = WINDOW_HU
            seen = aligned.seen[time][level, rows, columns]
            picture = np.where(seen, aligned.pictures[time][level, rows, columns], low)  # else black
            axes.set_axis_off()
            axes.imshow(picture, cmap="gray", vmin=low, vmax=high, aspect="auto", interpolation="hanning")
            if column < len(shown):
                overlay_labels(axes, aligned.labels[time][level, rows, columns], schema)
            else:
                overlay_labels(axes, aligned.maps[-1].array[level, rows, columns], CHANGES)
            if column == 0:
                height_mm = aligned.grid.TransformIndexToPhysicalPoint((0, 0, int(level)))[2]
                _write_sides(axes, TEXTS["position"].format(position=format_signed(height_mm, 1)))
    for column in range(num_columns):
        words = TEXTS["day"].format(day=points[shown[column]].name) if column < len(shown) else _map_head(points)
        x = (_GAP_PX + column * (width + _GAP_PX) + 10) / _WIDTH_PX
        figure.text(x, 1 - _HEAD_PX / 2 / total, words, va="center_baseline", size=17, color=BRIGHT)
    _write_legend(figure, (schema, CHANGES), _FOOT_PX / 2 / total, total)
    figure.savefig(path, format="png", dpi=_DPI, facecolor=BACKGROUND, metadata={"Software": "msdnet"})


def _map_head(points: Sequence[Timepoint]) -> str:
    """Of which change the map is: of two scans there is but one."""
    if len(points) == 2:
        return TEXTS["map_column"]
    return TEXTS["map_column_of"].format(before=points[-2].name, after=points[-1].name)


def draw_course(points: Sequence[Timepoint], path: Path) -> None:
    """Writes a PNG: ml of each class and of any lesion over the days; bars: what the technique moves (95 %)."""
    figure = Figure(figsize=(7.2, 2.5), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.09, 0.17, 0.665, 0.78))
    days = [point.day for point in points]
    schema = points[0].schema
    colours: dict[str, Any] = {c.name: tuple(v / 255 for v in c.colour) for c in schema.classes}
    for name, title in titles_of(schema).items():
        volumes = np.array([point.figures[SCAN, name, VOLUME] for point in points])
        reach = [reach_of(point, name) or 0.0 for point in points]
        errors = np.array([[-math.expm1(-r), math.expm1(r)] for r in reach]).T * volumes
        axes.errorbar(
            days,
            volumes,
            errors,
            color=colours.get(name, "#1c2126"),
            marker="o",
            markersize=4,
            linewidth=1.3,
            capsize=3,
            label=title,
        )
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted(set(days)), minor=True)
    axes.set_xticks(choose_ticks(days))
    axes.tick_params(labelsize=8, colors="#5b646d")
    axes.set_xlabel(TEXTS["days_axis"], size=8, color="#5b646d")
    axes.set_ylabel("ml", size=8, color="#5b646d")
    axes.grid(axis="y", color="#e3e6e9", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    figure.savefig(path, format="png", dpi=200, metadata={"Software": "msdnet"})


def choose_ticks(days: Sequence[int]) -> list[int]:
    """The days that are written below the axis: the first, the last, and those between that have the room.

    Days too near to one that is written have a mark alone.
    """
    first, last = min(days), max(days)
    room = (last - first) * _TICK_SHARE * max(2, len(str(last)))
    chosen = [first]
    for day in sorted(set(days) - {first, last}):
        if day - chosen[-1] >= room and last - day >= room:
            chosen.append(day)
    return chosen if last == first else [*chosen, last]


def _write_sides(axes: Axes, position: str) -> None:
    style: dict[str, Any] = {"transform": axes.transAxes, "path_effects": HALO, "color": BRIGHT, "size": 14}
    axes.text(0.02, 0.96, position, va="top", **style)
    axes.text(0.018, 0.5, TEXTS["right"], va="center", **style)
    axes.text(0.982, 0.5, TEXTS["left"], va="center", ha="right", **style)


def _write_legend(figure: Figure, schemas: Sequence[LabelSchema], y: float, total: float) -> None:
    x = 18.0
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for schema in schemas:
        for one in schema.classes:
            colour = tuple(value / 255 for value in one.colour)
            box, size = (x / _WIDTH_PX, y - 9 / total), (24 / _WIDTH_PX, 18 / total)
            figure.add_artist(Rectangle(box, *size, facecolor=(*colour, 0.4), edgecolor=colour, linewidth=1.5))
            words = figure.text((x + 34) / _WIDTH_PX, y, one.title, va="center_baseline", color=BRIGHT, size=14)
            x += 34 + words.get_window_extent(renderer).width + 26
    figure.text(
        1 - 18 / _WIDTH_PX, y, TEXTS["research_use"], va="center_baseline", ha="right", color=DIM, size=13
    )  # fmt: skip
