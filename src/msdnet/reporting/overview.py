"""overview.png: the most affected slices side by side, lesions outlined in the schema's colours."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from scipy.ndimage import binary_opening, label

from msdnet.quantification import count_lesion_voxels
from msdnet.reporting.numbers import format_signed
from msdnet.reporting.texts import TEXTS
from msdnet.slices import to_canonical

if TYPE_CHECKING:
    from msdnet.labels import LabelSchema
    from msdnet.prediction import Segmentation

Array = np.ndarray[Any, Any]

_MAX_SLICES = 12
WINDOW_HU = (-1350.0, 150.0)  # the usual lung window: centre -600, width 1,500
_WIDTH_PX, _DPI = 1800, 100
_HEAD_PX, _FOOT_PX, _GAP_PX = 58, 62, 6
BACKGROUND, BRIGHT, DIM = "#0c0d0f", "#f2f2f2", "#a3a8ae"
HALO = [withStroke(linewidth=2.5, foreground="black")]


def draw_overview(segmentation: Segmentation, path: Path) -> None:
    """Writes a PNG 1,800 pixels wide: up to 12 slices with their lesions, slice numbers, positions, sides and legend.

    The slices are those with the most lesion, spread along the scan; without any lesion they are evenly spread and
    the head line says so. A single slice is shown twice, without and with overlay. Pixels keep their true aspect.

    Args:
        segmentation: The scan and its labels.
        path: Where to write.
    """
    scan = segmentation.scan
    voxels, labels = to_canonical(scan, scan.voxels), to_canonical(scan, segmentation.labels)
    areas = count_lesion_voxels(scan, segmentation.labels, segmentation.schema).sum(axis=1)
    chosen = choose_slices(areas, _MAX_SLICES, skipped=segmentation.skipped_slices)
    rows, columns = find_body_field(voxels.array[chosen], scan.intensity == "HU", labels.array[chosen])
    aspect = voxels.spacing[1] / voxels.spacing[2] if scan.pixel_spacing_known else 1.0

    # (index, with overlay) per tile; a lone slice is shown bare first.
    tiles = [(chosen[0], False), (chosen[0], True)] if len(chosen) == 1 else [(index, True) for index in chosen]
    canvas = _Canvas(len(tiles), aspect * (rows.stop - rows.start) / (columns.stop - columns.start))
    for place, (index, overlaid) in enumerate(tiles):
        axes = canvas.tile(place)
        picture, marked = shrunk(
            voxels.array[index, rows, columns], labels.array[index, rows, columns], canvas.tile_width
        )
        low, high = WINDOW_HU if scan.intensity == "HU" else (0.0, 255.0)
        axes.imshow(picture, cmap="gray", vmin=low, vmax=high, aspect="auto", interpolation="hanning")
        if overlaid:
            overlay_labels(axes, marked, segmentation.schema)
        words = [TEXTS["slice"].format(number=index + 1)] if len(areas) > 1 else []
        if len(chosen) == 1:
            words.append(TEXTS["overlay" if overlaid else "original"])
        if scan.orientation_known and scan.spacing_known:
            centre = np.array([[index, voxels.shape[1] // 2, voxels.shape[2] // 2]])
            height = float(voxels.map_indices_to_reference(centre)[0, 2])
            words.append(TEXTS["position"].format(position=format_signed(height, 1)))
        _annotate(axes, words, sides=scan.orientation_known)
    canvas.head(_headline(areas, len(chosen)), _window_text(scan.intensity == "HU"))
    canvas.legend(segmentation.schema)
    canvas.save(path)


def choose_slices(areas: Array, num_wanted: int, *, skipped: Collection[int] = ()) -> list[int]:
    """The indices of up to that many slices, ascending: large in lesion area and spread along the lesions.

    The scan is cut into that many parts of equal lesion area, and the middle slice of each part is taken; the slice
    with the most lesion is always among them. Where one slice fills several parts, the next largest take the free
    places. Without any area the slices are evenly spread over those that were not skipped.

    Args:
        areas: Lesion area per slice, in any unit.
        num_wanted: The most to choose.
        skipped: Indices that the network did not see.
    """
    affected = np.flatnonzero(areas)
    if not affected.size:
        seen = [index for index in range(len(areas)) if index not in skipped] or list(range(len(areas)))
        edges = np.linspace(0, len(seen), min(num_wanted, len(seen)) + 1)
        return [seen[int(middle)] for middle in (edges[:-1] + edges[1:]) // 2]
    middles = (np.arange(num_wanted) + 0.5) / num_wanted * areas.sum()
    chosen = {int(index) for index in np.searchsorted(np.cumsum(areas), middles)}
    largest = int(np.argmax(areas))
    nearest = min(chosen, key=lambda index: abs(index - largest))
    if areas[nearest] < areas[largest]:
        chosen = chosen - {nearest} | {largest}
    by_area = affected[np.argsort(-areas[affected], kind="stable")]
    others = [int(index) for index in by_area if index not in chosen]
    return sorted([*chosen, *others[: num_wanted - len(chosen)]])


def shrunk(picture: Array, labels: Array, width: float) -> tuple[Array, Array]:
    """Both by a whole factor, to less than twice the width of their tile: drawing takes 130 bytes a pixel.

    A block of the picture becomes its mean, one of the labels the highest class in it, so that none is lost.

    Shapes: (H, W) -> (H, W) float32, and (H, W).
    """
    step = max(1, int(picture.shape[1] // width))
    rows, columns = (max(1, size // step) for size in picture.shape)

    def blocks(plane: Array) -> Array:
        return plane[: rows * step, : columns * step].reshape(rows, min(step, plane.shape[0]), columns, step)

    return blocks(picture).mean(axis=(1, 3), dtype=np.float32), blocks(labels).max(axis=(1, 3))


class _Canvas:
    """A dark sheet with room for a head line, equal tiles and a legend."""

    def __init__(self, num_tiles: int, tile_aspect: float) -> None:
        self.num_columns = {5: 3, 6: 3, 9: 5, 10: 5}.get(num_tiles, min(num_tiles, 4))
        num_rows = -(-num_tiles // self.num_columns)
        self.tile_width = (_WIDTH_PX - (self.num_columns + 1) * _GAP_PX) / self.num_columns
        self.tile_height = max(120.0, self.tile_width * tile_aspect)
        self.height = _HEAD_PX + num_rows * (self.tile_height + _GAP_PX) + _FOOT_PX
        self.figure = Figure(figsize=(_WIDTH_PX / _DPI, self.height / _DPI), dpi=_DPI, facecolor=BACKGROUND)
        FigureCanvasAgg(self.figure)

    def tile(self, place: int) -> Axes:
        row, column = divmod(place, self.num_columns)
        left = _GAP_PX + column * (self.tile_width + _GAP_PX)
        bottom = self.height - _HEAD_PX - (row + 1) * self.tile_height - row * _GAP_PX
        size = (self.tile_width / _WIDTH_PX, self.tile_height / self.height)
        axes = self.figure.add_axes((left / _WIDTH_PX, bottom / self.height, *size))
        axes.set_axis_off()
        return axes

    def head(self, left: str, right: str) -> None:
        y = 1 - _HEAD_PX / 2 / self.height
        self._text(18, y, left, color=BRIGHT, size=17)
        self._text(_WIDTH_PX - 18, y, right, color=DIM, size=13, ha="right")

    def legend(self, schema: LabelSchema) -> None:
        y, x = _FOOT_PX / 2 / self.height, 18.0
        for lesion in schema.classes:
            colour = tuple(value / 255 for value in lesion.colour)
            box = (x / _WIDTH_PX, y - 9 / self.height)
            size = (24 / _WIDTH_PX, 18 / self.height)
            self.figure.add_artist(Rectangle(box, *size, facecolor=(*colour, 0.4), edgecolor=colour, linewidth=1.5))
            written = self._text(x + 34, y, lesion.title, color=BRIGHT, size=14)
            x += 34 + written.get_window_extent(self.figure.canvas.get_renderer()).width + 34  # type: ignore[attr-defined]
        self._text(_WIDTH_PX - 18, y, TEXTS["research_use"], color=DIM, size=13, ha="right")

    def save(self, path: Path) -> None:
        self.figure.savefig(path, format="png", dpi=_DPI, facecolor=BACKGROUND, metadata={"Software": "msdnet"})

    def _text(self, x_px: float, y: float, words: str, **style: Any) -> Any:
        return self.figure.text(x_px / _WIDTH_PX, y, words, va="center_baseline", **style)


def overlay_labels(axes: Axes, labels: Array, schema: LabelSchema) -> None:
    """Outlines of each class and a faint fill over a picture that the axes show; (H, W)."""
    fill = np.zeros((*labels.shape, 4), np.float32)
    for lesion in schema.classes:
        mask = labels == lesion.index
        if not mask.any():
            continue
        colour = tuple(value / 255 for value in lesion.colour)
        fill[mask] = (*colour, 0.22)
        padded = np.pad(mask, 1).astype(np.float32)  # so that outlines close at the picture's edge
        y, x = np.arange(-1, mask.shape[0] + 1), np.arange(-1, mask.shape[1] + 1)
        axes.contour(x, y, padded, levels=[0.5], colors=[colour], linewidths=1.2)
    axes.imshow(fill, aspect="auto", interpolation="nearest")


def _annotate(axes: Axes, words: list[str], *, sides: bool) -> None:
    style: dict[str, Any] = {"transform": axes.transAxes, "path_effects": HALO}
    axes.annotate(
        "\n".join(words[:1]), (0, 1), (9, -8), "axes fraction", "offset points",
        va="top", size=15, color=BRIGHT, path_effects=HALO,
    )  # fmt: skip
    axes.annotate(
        "\n".join(words[1:]), (1, 1), (-9, -8), "axes fraction", "offset points",
        va="top", ha="right", size=13.5, color=BRIGHT, path_effects=HALO,
    )  # fmt: skip
    if sides:
        axes.text(0.018, 0.5, TEXTS["right"], va="center", size=15, color=BRIGHT, **style)
        axes.text(0.982, 0.5, TEXTS["left"], va="center", ha="right", size=15, color=BRIGHT, **style)


def _headline(areas: Array, num_shown: int) -> str:
    num_affected = int(np.count_nonzero(areas))
    if len(areas) == 1:
        key = "overview_picture" if num_affected else "overview_picture_none"
    elif num_affected == 0:
        key = "overview_none"
    elif num_affected == 1:
        key = "overview_one_affected"
    else:
        key = "overview_all_affected" if num_shown == num_affected else "overview_most_affected"
    return TEXTS[key].format(shown=num_shown, total=len(areas))


def _window_text(in_hu: bool) -> str:
    if not in_hu:
        return TEXTS["overview_grey"]
    low, high = WINDOW_HU
    return TEXTS["overview_window"].format(low=format_signed(low), high=format_signed(high))


def find_body_field(voxels: Array, in_hu: bool, labels: Array) -> tuple[slice, slice]:
    """The rows and columns worth showing: the body and every lesion, with a margin; everything for grey pictures."""
    shape = voxels.shape[1:]
    if not in_hu:
        return slice(0, shape[0]), slice(0, shape[1])
    thickness = max(3, min(shape) // 70)  # thicker than a couch's shell, thinner than a chest wall
    body = binary_opening((voxels > -500).mean(axis=0) > 0.1, np.ones((thickness, thickness)))
    parts, num_parts = label(body)
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]) if num_parts else np.ones(shape, bool)
    shown = largest | (labels != 0).any(axis=0)
    found = []
    for axis, size in enumerate(shape):
        lines = np.flatnonzero(shown.any(axis=1 - axis))
        margin = max(2, size // 40)
        found.append(slice(max(0, int(lines[0]) - margin), min(size, int(lines[-1]) + 1 + margin)))
    return found[0], found[1]
