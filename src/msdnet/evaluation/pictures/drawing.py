"""What the figures of an evaluation share: a white sheet of equal tiles, grey slices, lesions on them, PNG and SVG.

Sizes are inches and points on paper: a sheet is as wide as a page's text where its columns allow, so that what is drawn
in 8 points is printed in 8 points.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from msdnet.data.training_slice import Array
from msdnet.labels import LabelClass, LabelSchema

TEXT_SIZE, SMALL_SIZE = 8.0, 7.0  # points
PAGE_WIDTH = 7.16  # inches: both columns of a journal's page
FAINT = "#8a8f96"
_SMALLEST_TILE, _GAP, _MARGIN, _LINE = 0.95, 0.05, 0.06, 0.15  # inches
_CHARACTERS = 15  # of small text that an inch holds
_DPI = 300


class Sheet:
    """Rows and columns of tiles with titles, captions, a legend and a foot.

    Args:
        columns: Titles of the columns; long ones are broken.
        rows: Titles of the rows, written upwards; long ones are written smaller, so that none runs into the next.
        aspects: Height over width of the tiles of each row.
        title: Over everything; may be empty.
        foot: Under everything: what a reader must know.
        captions: Whether there is a line under each tile.
        legend: Whether there is a line for `legend`.
        right: Inches left free at the right, for a colour bar.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[str],
        aspects: Sequence[float],
        *,
        title: str = "",
        foot: str = "",
        captions: bool = False,
        legend: bool = True,
        right: float = 0.0,
    ) -> None:
        side = _LINE + _GAP
        free = PAGE_WIDTH - 2 * _MARGIN - side - right
        self._tile = max(_SMALLEST_TILE, free / len(columns) - _GAP)
        self._width = 2 * _MARGIN + side + right + len(columns) * (self._tile + _GAP)
        heads = [textwrap.fill(words, max(8, int(self._tile * _CHARACTERS))) for words in columns]
        foot = textwrap.fill(foot, int((self._width - 2 * _MARGIN) * _CHARACTERS * 1.3))
        under = _GAP + (_LINE if captions else 0.0)
        self._heights = [self._tile * aspect for aspect in aspects]
        head = _MARGIN + (1.6 * _LINE if title else 0.0) + _LINE * max(h.count("\n") + 1 for h in heads) + 0.03
        self._foot = _LINE * (foot.count("\n") + 1) if foot else 0.0
        self._legend = 1.5 * _LINE if legend else 0.0
        self._height = head + sum(h + under for h in self._heights) + self._legend + self._foot + _MARGIN
        self._tops = [self._height - head - sum(h + under for h in self._heights[:r]) for r in range(len(rows))]
        self._left, self._num_columns = _MARGIN + side, len(columns)
        self.figure = Figure(figsize=(self._width, self._height), dpi=_DPI, facecolor="white")
        if title:
            self._text(self._width / 2, self._height - _MARGIN, title, TEXT_SIZE + 1, ha="center", va="top")
        for c, words in enumerate(heads):
            self._text(self._centre(c), self._height - head + 0.03, words, TEXT_SIZE, ha="center", va="bottom")
        for r, words in enumerate(rows):
            middle = self._tops[r] - self._heights[r] / 2
            size = min(TEXT_SIZE, SMALL_SIZE * _CHARACTERS * self._heights[r] / max(1, len(words)))
            self._text(_MARGIN + _LINE / 2, middle, words, size, ha="center", va="center", rotation=90)
        if foot:
            self._text(_MARGIN, _MARGIN + self._foot, foot, SMALL_SIZE, ha="left", va="top", linespacing=1.3)

    def tile(self, row: int, column: int) -> Axes:
        """Empty axes, to be filled to their borders."""
        left, bottom = self._centre(column) - self._tile / 2, self._tops[row] - self._heights[row]
        axes = self._axes(left, bottom, self._tile, self._heights[row])
        axes.set_axis_off()
        return axes

    def bar(self, width: float = 0.12) -> Axes:
        """Axes as high as all tiles, right of them."""
        left = self._centre(self._num_columns - 1) + self._tile / 2 + 2 * _GAP
        bottom = self._tops[-1] - self._heights[-1]
        return self._axes(left, bottom, width, self._tops[0] - bottom)

    def caption(self, row: int, column: int, words: str) -> None:
        """A line of small text under a tile."""
        below = self._tops[row] - self._heights[row] - 0.02
        self._text(self._centre(column), below, words, SMALL_SIZE, ha="center", va="top")

    def legend(self, schema: LabelSchema) -> None:
        """The schema's classes with their colours."""
        handles = [
            Patch(facecolor=(*_rgb(lesion), 0.4), edgecolor=_rgb(lesion), label=lesion.title)
            for lesion in schema.classes
        ]
        anchor = (0.5, (_MARGIN + self._foot + self._legend / 2) / self._height)
        self.figure.legend(
            handles=handles, loc="center", bbox_to_anchor=anchor, ncols=len(handles), fontsize=TEXT_SIZE, frameon=False
        )

    def save(self, folder: Path, name: str) -> tuple[str, str]:
        """Writes NAME.png and NAME.svg into the folder; gives these names."""
        return save_figure(self.figure, folder, name)

    def _centre(self, column: int) -> float:
        return self._left + column * (self._tile + _GAP) + self._tile / 2

    def _axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        box = (left / self._width, bottom / self._height, width / self._width, height / self._height)
        return self.figure.add_axes(box)

    def _text(self, x: float, y: float, words: str, size: float, **style: Any) -> None:
        self.figure.text(x / self._width, y / self._height, words, size=size, **style)


def draw_grey(axes: Axes, grey: Array) -> None:
    """The slice (H, W) in 0..1, over the whole of the axes."""
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="antialiased")


def draw_labels(axes: Axes, labels: Array, schema: LabelSchema, *, fill: float = 0.3) -> None:
    """Every class in its colour: a transparent fill and an outline."""
    colours = np.zeros((*labels.shape, 4), np.float32)
    for lesion in schema.classes:
        mask = labels == lesion.index
        if not mask.any():
            continue
        colours[mask] = (*_rgb(lesion), fill)
        padded = np.pad(mask, 1).astype(np.float32)  # so that outlines close at the picture's edge
        y, x = np.arange(-1, mask.shape[0] + 1), np.arange(-1, mask.shape[1] + 1)
        axes.contour(x, y, padded, levels=[0.5], colors=[_rgb(lesion)], linewidths=0.9)
    axes.imshow(colours, aspect="auto", interpolation="nearest")


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[str, str]:
    """Writes NAME.png (300 pixels an inch) and NAME.svg on white; gives these names. Equal figures give equal files."""
    png, svg = f"{name}.png", f"{name}.svg"
    figure.savefig(folder / png, format="png", dpi=_DPI, facecolor="white", metadata={"Software": "msdnet"})
    with mpl.rc_context({"svg.hashsalt": "msdnet", "svg.fonttype": "path"}):  # letters look the same everywhere
        figure.savefig(
            folder / svg, format="svg", dpi=_DPI, facecolor="white", metadata={"Creator": "msdnet", "Date": None}
        )
    return png, svg


def join_title(title: str, words: str) -> str:
    """A figure's own words, after the title that the caller gave, such as "synthetic"."""
    return f"{title}: {words}" if title else words


def _rgb(lesion: LabelClass) -> tuple[float, float, float]:
    red, green, blue = lesion.colour
    return red / 255, green / 255, blue / 255
