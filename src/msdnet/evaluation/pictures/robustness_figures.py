"""From the rows of `robustness`: a table, and curves of DSC over the level of each perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msdnet.evaluation.figures import Estimate, estimate, false_area, mean_of
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.perturbations import PERTURBATIONS, get_perturbation
from msdnet.evaluation.pictures.drawing import FAINT, PAGE_WIDTH, SMALL_SIZE, TEXT_SIZE, join_title, save_figure
from msdnet.evaluation.rendering import Cell, Column, Table
from msdnet.evaluation.robustness import Condition, Results
from msdnet.evaluation.tables import rows_of, titles
from msdnet.labels import LabelSchema

_FOOT = """\
Mean DSC over the slices whose truth has the class (SD) [95 % percentile interval from 2,000 bootstrap samples of whole
groups]. Drop: mean over the same slices of DSC on the undamaged slice less DSC on the spoilt one; above 0 is worse.
Pooled: one DSC from the pixels of all slices. Specificity: mean over all slices. False area: mean share of a slice's
pixels marked on slices without the class. Every network saw the same noise."""


# Colours that people with colour-blindness tell apart (Okabe and Ito); line and marker tell them apart in grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_LINES, _MARKERS = ("-", "--", ":"), "osD^vPX"
_PANEL_HEIGHT = 1.7  # inches


def robustness_table(results: Results, schema: LabelSchema, *, title: str = "") -> Table:
    """Rows: kind x level x network x class. Columns: mean DSC with SD and interval, its drop, and what it is blind to.

    Args:
        results: Drops are left empty where a network's neutral level was not measured, and at that level.
        schema: Whose classes are shown.
        title: For the head, such as "synthetic".
    """
    names = titles(schema)
    rows: list[tuple[Cell, ...]] = []
    for condition, overlaps in results.items():
        perturbation = get_perturbation(condition.kind)
        neutral = condition._replace(level=perturbation.neutral)
        clean = [] if condition == neutral else results.get(neutral, [])
        for name, words in names.items():
            of_class = rows_of(overlaps, name)
            cells = estimate(of_class, "dsc"), _drop(of_class, clean), estimate(of_class, "dsc", "pooled")
            others = estimate(of_class, "specificity"), false_area(of_class)
            rows.append((perturbation.title, f"{condition.level:g}", condition.network, words, *cells, *others))
    columns = (
        Column("kind", "perturbation"),
        Column("level", "level"),
        Column("network", "network"),
        Column("class", "class"),
        Column("dsc", "DSC", "estimate"),
        Column("drop", "drop", "estimate"),
        Column("dsc_pooled", "DSC, pooled", "estimate"),
        Column("specificity", "specificity", "estimate"),
        Column("false_area", "false area", "estimate", 4),
    )
    shown = dict.fromkeys(c.kind for c in results)
    units = "; ".join(f"{PERTURBATIONS[k].title}: {PERTURBATIONS[k].unit}" for k in shown)
    return Table(columns, tuple(rows), (title,) if title else (), f"{_FOOT}\nLevels: {units}.")


def draw_robustness(
    results: Results, schema: LabelSchema, folder: Path, name: str, *, title: str = ""
) -> tuple[str, str]:
    """Writes NAME.png and NAME.svg into the folder and gives these names. Panels: kind x class; lines: networks.

    Mean DSC over the slices whose truth has the class, its 95 % bootstrap interval over groups as a band. Levels stand
    at equal distances, not to scale; a dotted line marks the undamaged slice.

    Args:
        results: At least one condition.
        schema: Whose classes are shown.
        folder: Where to write.
        name: Of the files, without ending.
        title: For the head, such as "synthetic".
    """
    kinds, names = list(dict.fromkeys(c.kind for c in results)), titles(schema)
    networks = list(dict.fromkeys(c.network for c in results))
    size = (max(PAGE_WIDTH, 1.7 * len(names)), len(kinds) * _PANEL_HEIGHT + 1.0)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    panels = figure.subplots(len(kinds), len(names), squeeze=False, sharey=True)
    for of_kind, kind in zip(panels, kinds, strict=True):
        found = {c.level for c in results if c.kind == kind}
        levels = sorted(found, reverse=PERTURBATIONS[kind].neutral == PERTURBATIONS[kind].highest)
        for axes, (class_name, words) in zip(of_kind, names.items(), strict=True):
            _scale(axes, kind, levels)
            for place, network in enumerate(networks):
                at = [i for i, v in enumerate(levels) if Condition(kind, v, network) in results]
                rows = [rows_of(results[Condition(kind, levels[i], network)], class_name) for i in at]
                _draw_line(axes, at, [estimate(r, "dsc") for r in rows], place, network)
            if kind == kinds[0]:
                axes.set_title(words, size=TEXT_SIZE)
        of_kind[0].set_ylabel("DSC", size=TEXT_SIZE)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=TEXT_SIZE, frameon=False)
    head = "mean DSC on spoilt slices, with 95 % intervals; levels not to scale"
    figure.suptitle(join_title(title, head), size=TEXT_SIZE + 1)
    return save_figure(figure, folder, name)


def _drop(of_class: Sequence[SliceOverlap], clean: Sequence[SliceOverlap]) -> Estimate:
    before = {(r.name, r.class_name): r.dsc for r in clean}
    pairs = [(r, before[r.name, r.class_name]) for r in of_class if r.present and (r.name, r.class_name) in before]
    return mean_of([r.group for r, _ in pairs], [dsc - r.dsc for r, dsc in pairs])


def _scale(axes: Axes, kind: str, levels: Sequence[float]) -> None:
    perturbation = PERTURBATIONS[kind]
    axes.set_xticks(range(len(levels)), [f"{v:g}" for v in levels])
    axes.set_xlim(-0.3, len(levels) - 0.7)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel(f"{perturbation.title}\n{perturbation.unit}", size=SMALL_SIZE)
    axes.tick_params(labelsize=SMALL_SIZE)
    axes.grid(axis="y", color="#e3e5e8", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if perturbation.neutral in levels:
        axes.axvline(levels.index(perturbation.neutral), color=FAINT, linewidth=0.8, linestyle=":")


def _draw_line(axes: Axes, at: Sequence[int], figures: Sequence[Estimate], place: int, network: str) -> None:
    known = [
        (x, f.value, f.interval or (f.value, f.value)) for x, f in zip(at, figures, strict=True) if f.value is not None
    ]
    colour = _COLOURS[place % len(_COLOURS)]
    line, marker = _LINES[place // len(_COLOURS) % len(_LINES)], _MARKERS[place % len(_MARKERS)]
    x = [x for x, _, _ in known]
    axes.fill_between(x, [i[0] for *_, i in known], [i[1] for *_, i in known], color=colour, alpha=0.12, linewidth=0)
    axes.plot(
        x,
        [v for _, v, _ in known],
        color=colour,
        linestyle=line,
        marker=marker,
        markersize=3.5,
        linewidth=1.2,
        label=network,
    )
