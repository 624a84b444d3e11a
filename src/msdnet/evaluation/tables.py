"""Tables from per-slice rows, each with the convention that its figures follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from msdnet.evaluation.figures import Convention, Estimate, detect_patients, detect_slices, estimate, false_area
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.rendering import Cell, Column, Table
from msdnet.labels import ANY_LESION, LabelSchema

CONVENTIONS = """\
Conventions: argmax of the network's output at the picture's own size, no flips. DSC and sensitivity: mean over the
slices whose true labels contain the class; SD over those slices; 95 % percentile interval from 2,000 bootstrap samples
of whole groups. "empty = 1": mean over all slices, a slice counting 1 where class and prediction are both absent.
Pooled: one DSC from the pixels of all slices. Specificity: mean over all slices. False area: mean share of a slice's
pixels marked on slices without the class."""

FIGURE_CONVENTIONS = """\
Mean (SD) [95 % percentile interval from 2,000 bootstrap samples of whole patients or groups; none for a single one].
"slices with it": mean over the slices whose truth has the class; specificity over all slices; precision over those of
them where the class is predicted. "all slices, empty = 1": a slice counts 1 where truth and prediction are both empty.
"patients or groups": pixels pooled within each patient or group, then the mean over those whose truth has the class;
specificity over all. "pooled": one ratio from the pixels of all slices. False area: mean share of a slice's pixels
marked on slices without the class. "detection": share of the slices, or patients, with (sensitivity) and without
(specificity) the class that are told rightly; a slice counts as predicted from {min_pixels} pixel{s} on, a patient from
one such slice on. n: slices or patients that DSC comes from; for detection, all."""

DISTANCE_CONVENTION = """\
HD95: 95 % Hausdorff distance of the outlines on the slice, mean over the slices where truth and prediction have the
class; where one of them is empty it is undefined, and the slice (for patients: the patient) is counted instead."""

_TITLES: dict[Convention, str] = {
    "slices_with_class": "slices with it",
    "all_slices": "all slices, empty = 1",
    "patients": "patients or groups",
    "pooled": "pooled",
}


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class over a set of slices; see `CONVENTIONS`. None where no slice can give the figure."""

    class_name: str
    num_slices: int
    num_slices_with_class: int
    dsc: float | None
    dsc_sd: float | None
    dsc_interval: tuple[float, float] | None
    dsc_empty_is_one: float | None
    dsc_pooled: float
    sensitivity: float | None
    specificity: float | None
    false_area: float | None


def summarise(overlaps: Sequence[SliceOverlap], schema: LabelSchema) -> list[ClassFigures]:
    """The figures of every class of the schema, then of any lesion."""
    return [_figures(rows_of(overlaps, name), name) for name in titles(schema)]


def figures_as_json(overlaps: Sequence[SliceOverlap], schema: LabelSchema) -> list[dict[str, Any]]:
    """The same as plain values, rounded to four digits, for a weights' card."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(figures).items() if k != "dsc_interval"}
        | {"dsc_interval": [round(v, 4) for v in figures.dsc_interval] if figures.dsc_interval else None}
        for figures in summarise(overlaps, schema)
    ]


def overlap_table(overlaps: Sequence[SliceOverlap], schema: LabelSchema, *, notes: Sequence[str] = ()) -> str:
    """The figures as a Markdown table with the conventions under it, and with notes in its head."""
    lines = [
        *([f"**{'; '.join(notes)}**", ""] if notes else []),
        "| class | slices with it | DSC (SD) | 95 % interval | DSC, empty = 1 | DSC, pooled "
        "| sensitivity | specificity | false area |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for f in summarise(overlaps, schema):
        interval = f"{f.dsc_interval[0]:.3f} to {f.dsc_interval[1]:.3f}" if f.dsc_interval else "-"
        lines.append(
            f"| {titles(schema)[f.class_name]} | {f.num_slices_with_class} of {f.num_slices} "
            f"| {_text(f.dsc)} ({_text(f.dsc_sd)}) | {interval} | {_text(f.dsc_empty_is_one)} | {f.dsc_pooled:.3f} "
            f"| {_text(f.sensitivity)} | {_text(f.specificity)} | {_text(f.false_area, 4)} |"
        )
    return "\n".join(lines) + "\n\n" + CONVENTIONS + "\n"


def figures_table(
    overlaps: Sequence[SliceOverlap], schema: LabelSchema, *, min_pixels: int = 1, notes: Sequence[str] = ()
) -> Table:
    """Every measure of every class under every convention, and how often the presence of a class is told rightly.

    Args:
        overlaps: Per-slice rows; HD95 has columns only where they have distances.
        schema: Whose classes are shown.
        min_pixels: From how many pixels on a slice counts as predicted positive.
        notes: For the table's head.

    Raises:
        OptionError: if min_pixels is less than 1.
    """
    with_distance = any(r.hd95_mm is not None for r in overlaps)
    measures = [
        Column("dsc", "DSC", "estimate"),
        Column("iou", "IoU", "estimate"),
        Column("sensitivity", "sensitivity", "estimate"),
        Column("specificity", "specificity", "estimate"),
        Column("precision", "precision", "estimate"),
        *([Column("hd95_mm", "HD95 in mm", "estimate", 1)] if with_distance else []),
    ]
    rows: list[tuple[Cell, ...]] = []
    for name, title in titles(schema).items():
        of_class = rows_of(overlaps, name)
        for convention in get_args(Convention):
            figures = [estimate(of_class, c.key, convention) for c in measures]
            undefined = figures[-1].num_undefined if convention in ("slices_with_class", "patients") else None
            area = false_area(of_class) if convention == "slices_with_class" else Estimate()
            extra = (undefined,) if with_distance else ()
            rows.append((title, _TITLES[convention], figures[0].num_units, *figures, *extra, area))
        for unit, detect in (("slices", detect_slices), ("patients or groups", detect_patients)):
            told = detect(of_class, min_pixels=min_pixels)
            cells = {"sensitivity": told.sensitivity, "specificity": told.specificity}
            num = told.sensitivity.num_units + told.specificity.num_units
            empty = (None, Estimate()) if with_distance else (Estimate(),)
            rows.append((title, f"detection, {unit}", num, *(cells.get(c.key, Estimate()) for c in measures), *empty))
    columns = (
        Column("class", "class"),
        Column("convention", "convention"),
        Column("num", "n", "number"),
        *measures,
        *([Column("hd95_undefined", "HD95 undefined", "number")] if with_distance else []),
        Column("false_area", "false area", "estimate", 4),
    )
    foot = FIGURE_CONVENTIONS.format(min_pixels=min_pixels, s="" if min_pixels == 1 else "s")
    return Table(columns, tuple(rows), tuple(notes), f"{foot}\n{DISTANCE_CONVENTION}" if with_distance else foot)


def rows_of(overlaps: Sequence[SliceOverlap], class_name: str) -> list[SliceOverlap]:
    """The rows of one class."""
    return [row for row in overlaps if row.class_name == class_name]


def titles(schema: LabelSchema) -> dict[str, str]:
    """Name and title of each class of the schema, then of any lesion where there are several."""
    return {c.name: c.title for c in schema.classes} | ({ANY_LESION: "Any lesion"} if len(schema.classes) > 1 else {})


def _figures(rows: Sequence[SliceOverlap], class_name: str) -> ClassFigures:
    dsc, pooled = estimate(rows, "dsc"), estimate(rows, "dsc", "pooled")
    return ClassFigures(
        class_name=class_name,
        num_slices=len(rows),
        num_slices_with_class=sum(r.present for r in rows),
        dsc=dsc.value,
        dsc_sd=dsc.sd,
        dsc_interval=dsc.interval,
        dsc_empty_is_one=estimate(rows, "dsc", "all_slices").value,
        dsc_pooled=1.0 if pooled.value is None else pooled.value,
        sensitivity=estimate(rows, "sensitivity").value,
        specificity=estimate(rows, "specificity").value,
        false_area=false_area(rows).value,
    )


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
