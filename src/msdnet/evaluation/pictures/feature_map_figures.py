"""The heat maps of `feature_maps`, drawn over their slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from torch import Tensor

from msdnet.data.training_slice import Array
from msdnet.errors import SchemaError
from msdnet.evaluation.pictures.drawing import SMALL_SIZE, TEXT_SIZE, Sheet, draw_grey, draw_labels, join_title
from msdnet.evaluation.pictures.feature_maps import METHODS, Method
from msdnet.labels import LabelSchema

_COLOURS = "turbo"
_FOOT = "Each map is scaled to its own highest value; a class without pixels has no response."


def draw_feature_maps(
    grey: Array,
    maps: Tensor,
    schema: LabelSchema,
    folder: Path,
    name: str,
    *,
    labels: Array | None = None,
    method: Method = "grad_cam",
    title: str = "",
) -> tuple[str, str]:
    """Writes NAME.png and NAME.svg into the folder and gives these names. Rows: classes; columns: slice, then blocks.

    Args:
        grey: (H, W) in 0..1: the slice, beneath each map.
        maps: Of `compute_feature_maps`.
        schema: Whose classes the rows are.
        folder: Where to write.
        name: Of the files, without ending.
        labels: (H, W); the pixels that the maps are about are outlined in the first column.
        method: That the maps were computed with.
        title: For the head, such as "synthetic".

    Raises:
        SchemaError: if the maps fit neither the slice nor the schema.
    """
    rows = [c.title for c in schema.classes] if method != "mean_activation" else ["All classes"]
    if maps.ndim != 4 or len(maps) != len(rows) or maps.shape[2:] != grey.shape:
        raise SchemaError(
            "the maps do not fit the slice, the classes or the method",
            got=str(tuple(maps.shape)),
            expected=f"({len(rows)}, stages, {grey.shape[0]}, {grey.shape[1]})",
            do="use the slice, schema and method that the maps were made with",
        )
    stages = maps.shape[1]
    heads = [f"RRB {stage}" for stage in range(stages, 0, -1)]
    heads[0], heads[-1] = f"{heads[0]} (deepest)", f"{heads[-1]} (shallowest)" if stages > 1 else heads[-1]
    sheet = Sheet(
        ("Slice", *heads),
        rows,
        [grey.shape[0] / grey.shape[1]] * len(rows),
        title=join_title(title, f"decoder feature maps, {METHODS[method]}"),
        foot=f"{_FOOT} First column: the pixels of the class." if labels is not None else _FOOT,
        legend=labels is not None,
        right=0.55,
    )
    for row, of_row in enumerate(maps.numpy(force=True)):
        first = sheet.tile(row, 0)
        draw_grey(first, grey)
        if labels is not None:
            shown = labels if method == "mean_activation" else np.where(labels == row + 1, labels, 0)
            draw_labels(first, shown, schema)
        for stage, one in enumerate(of_row):
            axes = sheet.tile(row, stage + 1)
            draw_grey(axes, grey)
            axes.imshow(_heat(one), aspect="auto", interpolation="antialiased")
            if not one.any():
                axes.text(
                    0.5, 0.06, "no response", transform=axes.transAxes, color="white", size=SMALL_SIZE, ha="center"
                )
    bar = sheet.figure.colorbar(ScalarMappable(cmap=_COLOURS), cax=sheet.bar())
    bar.set_label("response, low to high", size=TEXT_SIZE)
    bar.ax.tick_params(labelsize=SMALL_SIZE)
    if labels is not None:
        sheet.legend(schema)
    return sheet.save(folder, name)


def _heat(one: Array) -> Array:
    """Colours (H, W, 4) of a map; what responds little lets the slice shine through."""
    colours = colormaps[_COLOURS](one)
    colours[..., 3] = 0.35 + 0.45 * one
    return np.asarray(colours)
