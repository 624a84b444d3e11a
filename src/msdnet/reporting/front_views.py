"""front.png: the scan from the front, as the coronal plane with the most lesion and as a projection of all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from msdnet.reporting.overview import BACKGROUND, BRIGHT, DIM, HALO, WINDOW_HU, overlay_labels
from msdnet.reporting.texts import TEXTS
from msdnet.slices import to_canonical

if TYPE_CHECKING:
    from msdnet.labels import LabelSchema
    from msdnet.prediction import Segmentation

Array = np.ndarray[Any, Any]

_WIDTH_PX, _DPI, _GAP_PX = 760, 100, 6
LOWEST, HIGHEST = 0.1, 3.0
_OPAQUE_MM = 60.0
"""Lesion this thick along the view has the colour's full strength in the projection."""


def can_be_drawn(segmentation: Segmentation) -> bool:
    """Whether the scan has a front: slices with a known orientation and spacing, as high as a chest to its width."""
    scan = segmentation.scan
    if not (scan.orientation_known and scan.spacing_known):
        return False
    volume = to_canonical(scan)
    slices, _, columns = (n * float(mm) for n, mm in zip(volume.shape, volume.spacing, strict=True))
    return LOWEST <= slices / columns <= HIGHEST


def draw_front_views(segmentation: Segmentation, path: Path) -> None:
    """Writes a PNG 760 pixels wide: coronal plane above, projection below, head up, the patient's right at the left.

    Args:
        segmentation: Of a scan that `can_be_drawn`.
        path: Where to write.
    """
    scan = segmentation.scan
    volume = to_canonical(scan)
    labels = to_canonical(scan, segmentation.labels).array
    slice_mm, row_mm, column_mm = (float(mm) for mm in volume.spacing)
    columns = _columns_of_body(volume.array, scan.intensity == "HU")
    voxels, labels = volume.array[:, :, columns], labels[:, :, columns]
    areas = np.sum([(plane > 0).sum(axis=1) for plane in labels], axis=0)
    plane = int(np.argmax(areas)) if areas.any() else labels.shape[1] // 2

    height_px = _WIDTH_PX * (labels.shape[0] * slice_mm) / (labels.shape[2] * column_mm)
    total_px = 2 * height_px + _GAP_PX
    figure = Figure(figsize=(_WIDTH_PX / _DPI, total_px / _DPI), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    share = height_px / total_px
    upper, lower = (figure.add_axes((0, bottom, 1, share)) for bottom in (1 - share, 0))
    low, high = WINDOW_HU if scan.intensity == "HU" else (0.0, 255.0)
    _show(upper, voxels[:, plane], low, high)
    overlay_labels(upper, labels[:, plane], segmentation.schema)
    _annotate(upper, TEXTS["coronal"])
    projection = np.stack([np.maximum(plane, low).mean(axis=0, dtype=np.float32) for plane in voxels])
    _show(lower, projection, *(float(v) for v in np.percentile(projection, (2, 99.5))))
    _show_thickness(lower, labels, row_mm, segmentation.schema)
    _annotate(lower, TEXTS["projection"])
    figure.savefig(path, format="png", dpi=_DPI, facecolor=BACKGROUND, metadata={"Software": "msdnet"})


def _columns_of_body(voxels: Array, in_hu: bool) -> slice:
    if not in_hu:
        return slice(0, voxels.shape[2])
    counts = sum((plane > -500).sum(axis=0) for plane in voxels)
    shown = np.flatnonzero(counts > 0.15 * voxels.shape[0] * voxels.shape[1])
    return slice(int(shown[0]), int(shown[-1]) + 1) if len(shown) > 1 else slice(0, voxels.shape[2])


def _show(axes: Axes, picture: Array, low: float, high: float) -> None:
    axes.set_axis_off()
    axes.imshow(
        picture.astype(np.float32), cmap="gray", vmin=low, vmax=high, origin="lower", aspect="auto",
        interpolation="hanning",
    )  # fmt: skip


def _show_thickness(axes: Axes, labels: Array, row_mm: float, schema: LabelSchema) -> None:
    """Each class's thickness along the view as the strength of its colour."""
    for lesion in schema.classes:
        thickness_mm = np.stack([(plane == lesion.index).sum(axis=0) for plane in labels]) * row_mm
        fill = np.zeros((*thickness_mm.shape, 4), np.float32)
        fill[..., :3] = np.array(lesion.colour) / 255
        fill[..., 3] = np.sqrt(np.clip(thickness_mm / _OPAQUE_MM, 0, 1)) * 0.85
        axes.imshow(fill, origin="lower", aspect="auto", interpolation="bilinear")


def _annotate(axes: Axes, words: str) -> None:
    style: dict[str, Any] = {"transform": axes.transAxes, "path_effects": HALO}
    axes.text(0.02, 0.97, words, va="top", size=15, color=BRIGHT, **style)
    axes.text(0.02, 0.5, TEXTS["right"], va="center", size=15, color=DIM, **style)
    axes.text(0.98, 0.5, TEXTS["left"], va="center", ha="right", size=15, color=DIM, **style)
