"""Tables that set networks side by side, from the rows that each was measured with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msdnet.evaluation.figures import detect_patients, detect_slices, estimate, false_area
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.rendering import Cell, Column, Table
from msdnet.evaluation.significance import DEFAULT_MEASURES, PairedTest, compare_networks
from msdnet.evaluation.tables import rows_of, titles
from msdnet.labels import LabelSchema

_COLUMNS = {
    "dsc": Column("dsc", "DSC", "estimate"),
    "iou": Column("iou", "IoU", "estimate"),
    "sensitivity": Column("sensitivity", "sensitivity", "estimate"),
    "specificity": Column("specificity", "specificity", "estimate"),
    "precision": Column("precision", "precision", "estimate"),
    "hd95_mm": Column("hd95_mm", "HD95 in mm", "estimate", 1),
}

_TESTS = """\
p: two-sided paired Wilcoxon signed-rank test against {reference}; the unit is the {unit}, with the mean of the
differences of its slices; Holm's correction over the {num} tests shown (networks x classes x measures). "too few
pairs": fewer than 6 that differ. p-values do not cover how much a network changes when it is trained anew."""

_FIGURES = """\
Mean over slices (SD) [95 % percentile interval from 2,000 bootstrap samples of whole groups]; DSC, IoU, sensitivity and
precision over slices whose truth has the class, specificity over all. Pooled: one DSC from the pixels of all slices.
False area: mean share of a slice's pixels marked on slices without the class.
"""

_DETECTION = """\
Share of the slices, or patients, with (sensitivity) and without (specificity) the class that are told rightly; a slice
is predicted positive from {pixels} on [95 % percentile interval from 2,000 bootstrap samples of whole groups]. "-":
there is none.
"""

_DIFFERENCES = """\
Difference: mean over patients or groups of the mean over their slices (SD) [95 % percentile interval from 2,000
bootstrap samples of groups]. Every group counts the same here, every slice in the comparison: figures there may differ
by another amount.
"""


def comparison_table(
    networks: Mapping[str, Sequence[SliceOverlap]],
    schema: LabelSchema,
    *,
    reference: str,
    measures: Sequence[str] = DEFAULT_MEASURES,
    notes: Sequence[str] = (),
) -> Table:
    """Rows: network x class. Columns: the measures with SD and interval, then their p-values against the reference.

    Pooled DSC and false area stand beside them, untested: a mean over slices with a class says nothing of the others.

    Args:
        networks: Name and per-slice rows of each network, in the order of the table.
        schema: Whose classes are shown.
        reference: The network that the others are tested against.
        measures: Names in `overlap.MEASURES`.
        notes: For the head: "one seed", "not converged", "synthetic" and the like.

    Raises:
        OptionError: if the reference is not among the networks.
        DatasetError: if the networks were not measured on the same slices.
    """
    names = titles(schema)
    tests = compare_networks(networks, list(names), reference=reference, measures=measures)
    found = {(t.network, t.class_name, t.measure): t for t in tests}
    rows: list[tuple[Cell, ...]] = []
    for network, overlaps in networks.items():
        for name, title in names.items():
            of_class = rows_of(overlaps, name)
            p = ["reference" if network == reference else _p(found[network, name, m]) for m in measures]
            beside = estimate(of_class, "dsc", "pooled"), false_area(of_class)
            rows.append((network, title, *(estimate(of_class, m) for m in measures), *beside, *p))
    columns = (
        Column("network", "network"),
        Column("class", "class"),
        *(_COLUMNS[m] for m in measures),
        Column("dsc_pooled", "DSC, pooled", "estimate"),
        Column("false_area", "false area", "estimate", 4),
        *(Column(f"p_{m}", f"p, {_COLUMNS[m].title}", "p") for m in measures),
    )
    return Table(columns, tuple(rows), tuple(notes), _FIGURES + _foot(networks, reference, tests))


def significance_table(
    networks: Mapping[str, Sequence[SliceOverlap]],
    schema: LabelSchema,
    *,
    reference: str,
    measures: Sequence[str] = DEFAULT_MEASURES,
    notes: Sequence[str] = (),
) -> Table:
    """Rows: network x class x measure. Columns: the difference to the reference, effect size and every p-value.

    Args and Raises: as `comparison_table`.
    """
    names = titles(schema)
    tests = compare_networks(networks, list(names), reference=reference, measures=measures)
    rows: list[tuple[Cell, ...]] = [
        (
            t.network,
            names[t.class_name],
            _COLUMNS[t.measure].title,
            t.test.num_pairs,
            t.test.num_zero,
            t.difference,
            t.test.rank_biserial,
            t.test.p if t.test.p is not None else t.test.reason,
            _p(t),
            t.over_slices.num_pairs,
            t.over_slices.p if t.over_slices.p is not None else t.over_slices.reason,
        )
        for t in tests
    ]
    columns = (
        Column("network", "network"),
        Column("class", "class"),
        Column("measure", "measure"),
        Column("num_groups", "groups", "number"),
        Column("num_zero", "equal", "number"),
        Column("difference", f"difference to {reference}", "estimate"),
        Column("rank_biserial", "rank-biserial", "number", 2),
        Column("p", "p", "p"),
        Column("p_holm", "p, Holm", "p"),
        Column("num_slices", "slices", "number"),
        Column("p_slices", "p over slices (anti-conservative)", "p"),
    )
    return Table(columns, tuple(rows), tuple(notes), _DIFFERENCES + _foot(networks, reference, tests))


def detection_table(
    networks: Mapping[str, Sequence[SliceOverlap]],
    schema: LabelSchema,
    *,
    min_pixels: int = 1,
    notes: Sequence[str] = (),
) -> Table:
    """Rows: network x class x slices, then patients. Columns: how often the presence of a class is told rightly.

    Args:
        networks: As `comparison_table`; not rows averaged over seeds.
        schema: As there.
        min_pixels: From how many pixels on a slice counts as predicted positive.
        notes: As there.

    Raises:
        OptionError: if min_pixels is less than 1.
    """
    rows: list[tuple[Cell, ...]] = []
    for network, overlaps in networks.items():
        for name, title in titles(schema).items():
            for unit, detect in (("slices", detect_slices), ("patients or groups", detect_patients)):
                told = detect(rows_of(overlaps, name), min_pixels=min_pixels)
                rows.append((network, title, unit, told.sensitivity, told.specificity))
    pixels = "1 pixel" if min_pixels == 1 else f"{min_pixels} pixels"
    columns = (
        Column("network", "network"),
        Column("class", "class"),
        Column("unit", "unit"),
        Column("sensitivity", "sensitivity", "estimate"),
        Column("specificity", "specificity", "estimate"),
    )
    return Table(columns, tuple(rows), tuple(notes), _DETECTION.format(pixels=pixels))


def write_comparison(
    networks: Mapping[str, Sequence[SliceOverlap]],
    schema: LabelSchema,
    folder: Path,
    *,
    reference: str,
    notes: Sequence[str] = (),
) -> None:
    """Both tables in the folder, as comparison.* and significance.*.

    Args and Raises: as `comparison_table`.
    """
    comparison_table(networks, schema, reference=reference, notes=notes).write(folder, "comparison")
    significance_table(networks, schema, reference=reference, notes=notes).write(folder, "significance")


def _p(test: PairedTest) -> Cell:
    return test.test.reason if test.p_holm is None else test.p_holm


def _foot(networks: Mapping[str, Sequence[SliceOverlap]], reference: str, tests: Sequence[PairedTest]) -> str:
    pairs = {(r.name, r.group) for r in networks[reference]}
    alone = len({group for _, group in pairs}) == len(pairs)
    unit = "slice, since no groups are known (anti-conservative)" if alone else "patient or group"
    return _TESTS.format(reference=reference, unit=unit, num=len(tests))
