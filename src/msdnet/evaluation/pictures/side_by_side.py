"""Slices beside their truth and the labels of several networks, and which slices to show.

Source: figure 4 of the paper. How its slices were chosen is not said; here a rule chooses them (`choose_slices`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from msdnet.data.training_slice import Array, TrainingSlice
from msdnet.errors import DatasetError, OptionError
from msdnet.evaluation.overlap import SliceOverlap, count_overlap
from msdnet.evaluation.pictures.drawing import Sheet, draw_grey, draw_labels, join_title
from msdnet.labels import ANY_LESION, LabelSchema

MAX_ROWS = 8
DSC_FOOT = "DSC on the slice, in the legend's order of classes; – where truth and result lack the class."


def draw_side_by_side(
    slices: Sequence[TrainingSlice],
    predictions: Mapping[str, Mapping[str, Array]],
    schema: LabelSchema,
    folder: Path,
    name: str,
    *,
    with_dsc: bool = True,
    with_names: bool = False,
    title: str = "",
) -> tuple[str, str]:
    """Writes NAME.png and NAME.svg into the folder and gives these names. Rows: slices; columns: CT, truth, networks.

    Slices may differ in size; each keeps its own shape.

    Args:
        slices: With labels; at most `MAX_ROWS`.
        predictions: Network -> slice's name -> labels (H, W), in the order of the columns.
        schema: Of the labels.
        folder: Where to write.
        name: Of the files, without ending.
        with_dsc: Print the DSC of each class under each result.
        with_names: Write the slices' names beside the rows instead of letters. Names may come from file names.
        title: For the head, such as "synthetic".

    Raises:
        OptionError: if there is no slice, or more than `MAX_ROWS`.
        DatasetError: if a slice has no labels, or a network has not predicted it.
        SchemaError: if predicted labels do not fit the slice or the schema.
    """
    check_num_slices(len(slices))
    truths = [_truth(one, predictions) for one in slices]
    sheet = Sheet(
        ("CT", "Truth", *predictions),
        [one.name if with_names else chr(ord("a") + row) for row, one in enumerate(slices)],
        [one.image.shape[0] / one.image.shape[1] for one in slices],
        title=join_title(title, "slices, their truth and the labels of each network"),
        foot=DSC_FOOT if with_dsc else "",
        captions=with_dsc,
    )
    for row, (one, truth) in enumerate(zip(slices, truths, strict=True)):
        results = [of_network[one.name] for of_network in predictions.values()]
        for column, labels in enumerate([None, truth, *results]):
            axes = sheet.tile(row, column)
            draw_grey(axes, one.image / 255)
            if labels is not None:
                overlaps = count_overlap(labels, truth, schema, name=one.name, group=one.group)
                draw_labels(axes, labels, schema)
                if with_dsc and column > 1:
                    sheet.caption(row, column, dsc_caption(overlaps, schema))
    sheet.legend(schema)
    return sheet.save(folder, name)


def check_num_slices(num_slices: int) -> None:
    """Refuses at once what `draw_side_by_side` would refuse when everything is predicted.

    Raises:
        OptionError: as there.
    """
    if not 1 <= num_slices <= MAX_ROWS:
        raise OptionError(
            "this number of slices cannot be drawn on one page",
            got=str(num_slices),
            expected=f"1 to {MAX_ROWS}",
            do=f"ask for that many, with `msdnet figure` for instance --num-slices {MAX_ROWS}",
        )


def choose_slices(rows: Sequence[SliceOverlap], n: int) -> list[str]:
    """The names of up to n typical slices, each of another group: in turn those nearest to the median of each class.

    The classes are gone through in the order of the rows, again and again, each time with the slice whose DSC is
    nearest to the median and whose group is not yet chosen, until there are n. The median is over the slices whose
    truth has the class; equals go by name. Slices without lesion are never chosen, and neither chance nor looking at
    the pictures plays a part.

    Args:
        rows: Of one network.
        n: How many; fewer are given where there are not so many groups with lesions.

    Raises:
        OptionError: if n is less than 1.
    """
    if n < 1:
        raise OptionError("no slice to choose", got=str(n), expected="1 or more", do="ask for more slices")
    queues = []
    for class_name in dict.fromkeys(r.class_name for r in rows if r.class_name != ANY_LESION):
        present = [r for r in rows if r.class_name == class_name and r.present]
        if present:
            median = float(np.median([r.dsc for r in present]))
            queues.append(sorted(present, key=lambda r: (abs(r.dsc - median), r.name)))
    chosen: dict[str, str] = {}  # group -> slice
    while queues and len(chosen) < n:
        for queue in queues:
            nearest = next((r for r in queue if r.group not in chosen), None)
            if nearest is not None and len(chosen) < n:
                chosen[nearest.group] = nearest.name
        queues = [queue for queue in queues if any(r.group not in chosen for r in queue)]
    return list(chosen.values())


def dsc_caption(overlaps: Sequence[SliceOverlap], schema: LabelSchema) -> str:
    """The DSC of each class of the schema on one slice, a dash where truth and result lack it."""
    of_class = {r.class_name: r for r in overlaps}
    found = [of_class[name] for name in schema.names]
    return " / ".join(f"{r.dsc:.2f}" if r.present or r.predicted else "–" for r in found)


def _truth(one: TrainingSlice, predictions: Mapping[str, Mapping[str, Array]]) -> Array:
    missing = [network for network, of_network in predictions.items() if one.name not in of_network]
    if one.labels is None or missing:
        raise DatasetError(
            f"slice {one.name} cannot be drawn",
            got="no labels" if one.labels is None else "no result of " + ", ".join(missing),
            expected="labels, and a result of every network",
            do="choose slices that every network has predicted",
        )
    return one.labels
