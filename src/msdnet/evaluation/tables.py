"""Tables from per-slice rows, each with the convention that its figures follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from msdnet.evaluation.overlap import ANY_LESION, SliceOverlap, bootstrap_interval
from msdnet.labels import LabelSchema

CONVENTIONS = """\
Conventions: argmax of the network's output at the picture's own size, no flips. DSC and sensitivity: mean over the
slices whose true labels contain the class; SD over those slices; 95 % percentile interval from 2,000 bootstrap samples
of whole groups. "empty = 1": mean over all slices, a slice counting 1 where class and prediction are both absent.
Pooled: one DSC from the pixels of all slices. Specificity: mean over all slices. False area: mean share of a slice's
pixels marked on slices without the class."""


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
    return [_figures([o for o in overlaps if o.class_name == n], n) for n in (*schema.names, ANY_LESION)]


def figures_as_json(overlaps: Sequence[SliceOverlap], schema: LabelSchema) -> list[dict[str, Any]]:
    """The same as plain values, rounded to four digits, for a weights' card."""
    return [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(figures).items() if k != "dsc_interval"}
        | {"dsc_interval": [round(v, 4) for v in figures.dsc_interval] if figures.dsc_interval else None}
        for figures in summarise(overlaps, schema)
    ]


def overlap_table(overlaps: Sequence[SliceOverlap], schema: LabelSchema) -> str:
    """The figures as a Markdown table with the conventions under it."""
    titles = {c.name: c.title for c in schema.classes} | {ANY_LESION: "Any lesion"}
    lines = [
        "| class | slices with it | DSC (SD) | 95 % interval | DSC, empty = 1 | DSC, pooled "
        "| sensitivity | specificity | false area |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for f in summarise(overlaps, schema):
        interval = f"{f.dsc_interval[0]:.3f} to {f.dsc_interval[1]:.3f}" if f.dsc_interval else "-"
        lines.append(
            f"| {titles[f.class_name]} | {f.num_slices_with_class} of {f.num_slices} "
            f"| {_text(f.dsc)} ({_text(f.dsc_sd)}) | {interval} | {_text(f.dsc_empty_is_one)} | {f.dsc_pooled:.3f} "
            f"| {_text(f.sensitivity)} | {_text(f.specificity)} | {_text(f.false_area, 4)} |"
        )
    return "\n".join(lines) + "\n\n" + CONVENTIONS + "\n"


def _figures(rows: Sequence[SliceOverlap], class_name: str) -> ClassFigures:
    present = [r for r in rows if r.present]
    absent = [r for r in rows if not r.present]
    dsc = [r.dsc for r in present]
    specificities = [r.specificity for r in rows if r.fp + r.tn]
    tp, fp, fn = (sum(getattr(r, k) for r in rows) for k in ("tp", "fp", "fn"))
    return ClassFigures(
        class_name=class_name,
        num_slices=len(rows),
        num_slices_with_class=len(present),
        dsc=float(np.mean(dsc)) if dsc else None,
        dsc_sd=float(np.std(dsc, ddof=1)) if len(dsc) > 1 else None,
        dsc_interval=bootstrap_interval(present, dsc) if dsc else None,
        dsc_empty_is_one=float(np.mean([r.dsc for r in rows])) if rows else None,
        dsc_pooled=2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0,
        sensitivity=float(np.mean([r.sensitivity for r in present])) if present else None,
        specificity=float(np.mean(specificities)) if specificities else None,
        false_area=float(np.mean([r.fp / (r.fp + r.tn) for r in absent])) if absent else None,
    )


def _text(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
