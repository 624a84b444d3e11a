"""One network trained several times: what its figures are on average, and how far they move from seed to seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msdnet.errors import DatasetError
from msdnet.evaluation.figures import Estimate, estimate, false_area
from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.rendering import Cell, Column, Table
from msdnet.evaluation.tables import rows_of, titles
from msdnet.labels import LabelSchema

FIGURES: dict[str, Callable[[Sequence[SliceOverlap]], Estimate]] = {
    "DSC": lambda rows: estimate(rows, "dsc"),
    "sensitivity": lambda rows: estimate(rows, "sensitivity"),
    "specificity": lambda rows: estimate(rows, "specificity"),
    "DSC, pooled": lambda rows: estimate(rows, "dsc", "pooled"),
    "false area": false_area,
}

_FOOT = """\
Each seed: mean over the slices whose truth has the class (specificity: over all slices; pooled: one DSC from the pixels
of all slices; false area: mean share marked on slices without the class). SD: over the seeds, n - 1; it says how much a
network changes when it is trained anew on the same folds, not how much slices or patients differ."""


@dataclass(frozen=True)
class AveragedOverlap(SliceOverlap):
    """One slice and class, measured with every seed: measures are means over the seeds, pixel counts sums.

    Attributes:
        by_seed: The rows it is made from, at least one.
    """

    by_seed: tuple[SliceOverlap, ...] = ()

    def measure(self, name: str) -> float:
        """Mean over the seeds where the measure is defined; not a number where it is for none."""
        values = [v for row in self.by_seed if not math.isnan(v := row.measure(name))]
        return sum(values) / len(values) if values else float("nan")


def average_seeds(by_seed: Sequence[Sequence[SliceOverlap]]) -> list[SliceOverlap]:
    """The rows averaged over seeds, in the order of the first seed's.

    Raises:
        DatasetError: if the seeds were not measured on the same slices.
    """
    tables = [{(r.name, r.class_name): r for r in rows} for rows in by_seed]
    if any(t.keys() != tables[0].keys() for t in tables):
        raise DatasetError(
            "the seeds were not measured on the same slices",
            got=", ".join(f"{len(t)} rows" for t in tables),
            expected="one row per slice and class for each seed",
            do="finish every seed with the same data set",
        )
    averaged: list[SliceOverlap] = []
    for key, first in tables[0].items():
        rows = tuple(table[key] for table in tables)
        counts = {name: sum(getattr(r, name) for r in rows) for name in ("tp", "fp", "fn", "tn")}
        where = first.name, first.group, first.fold, first.class_name
        distances = [r.hd95_mm for r in rows if r.hd95_mm is not None]
        hd95_mm = statistics.fmean(distances) if distances else None
        averaged.append(AveragedOverlap(*where, **counts, hd95_mm=hd95_mm, by_seed=rows))
    return averaged


def seeds_table(
    networks: Mapping[str, Mapping[int, Sequence[SliceOverlap]]], schema: LabelSchema, *, notes: Sequence[str] = ()
) -> Table:
    """Rows: network x class x measure. Columns: the figure with each seed, their mean and their standard deviation.

    Args:
        networks: Name of each network, then seed, then rows.
        schema: Whose classes are shown.
        notes: For the table's head.
    """
    seeds = sorted({seed for by_seed in networks.values() for seed in by_seed})
    rows: list[tuple[Cell, ...]] = []
    for network, by_seed in networks.items():
        for name, title in titles(schema).items():
            for heading, figure in FIGURES.items():
                values = [figure(rows_of(by_seed[seed], name)).value for seed in seeds]
                known = [v for v in values if v is not None]
                spread = statistics.stdev(known) if len(known) > 1 else None
                mean = statistics.fmean(known) if known else None
                rows.append((network, title, heading, mean, spread, *values))
    columns = (
        Column("network", "network"),
        Column("class", "class"),
        Column("measure", "measure"),
        Column("mean", "mean", "number", 4),
        Column("sd_seeds", "SD over seeds", "number", 4),
        *(Column(f"seed_{seed}", f"seed {seed}", "number", 4) for seed in seeds),
    )
    return Table(columns, tuple(rows), tuple(notes), _FOOT)
