"""Rows that per-case trust is fitted on: what a network shows of its doubt on a slice, beside the truth."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from msdnet.files import whole_file
from msdnet.prediction.steadiness import VARIANTS, Steadiness
from msdnet.prediction.trust import log_ratio

_COLUMNS = (
    "name",
    "group",
    "fold",
    "class_name",
    "num_pixels",
    "area",
    "true_area",
    "true_shared",
    "expected",
    "expected_inside",
)


@dataclass(frozen=True)
class TrustRow:
    """One class on one slice.

    Attributes:
        name: The slice.
        group: What it is resampled with.
        fold: Its validation fold.
        steadiness: What the network shows of its doubt.
        true_area: Pixels of the class in truth.
        shared: Pixels of the class in truth that the result marks.
    """

    name: str
    group: str
    fold: int
    steadiness: Steadiness
    true_area: int
    shared: int

    @property
    def dsc(self) -> float:
        """The result's true DSC; 1 where truth and result are empty."""
        total = self.steadiness.area + self.true_area
        return 2 * self.shared / total if total else 1.0

    @property
    def log_ratio(self) -> float:
        """Of true and marked area."""
        return log_ratio(self.true_area / self.steadiness.num_pixels, self.steadiness.area_share)


def write_trust_rows(path: Path, rows: Iterable[TrustRow]) -> None:
    """The rows as CSV; area_1, shared_1 and so on are those of each further look."""
    with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        looks = range(1, len(VARIANTS) + 1)
        writer.writerow([*_COLUMNS, *(f"area_{i}" for i in looks), *(f"shared_{i}" for i in looks)])
        for r in rows:
            s = r.steadiness
            counts = [s.class_name, s.num_pixels, s.area, r.true_area, r.shared]
            sums = [f"{s.expected:.3f}", f"{s.expected_inside:.3f}"]
            writer.writerow([r.name, r.group, r.fold, *counts, *sums, *s.areas, *s.shared])


def read_trust_rows(path: Path) -> list[TrustRow]:
    """The rows of a CSV that `write_trust_rows` wrote."""
    looks = range(1, len(VARIANTS) + 1)
    with path.open(newline="", encoding="utf-8") as file:
        return [
            TrustRow(
                row["name"],
                row["group"],
                int(row["fold"]),
                Steadiness(
                    row["class_name"],
                    int(row["num_pixels"]),
                    int(row["area"]),
                    tuple(int(row[f"area_{i}"]) for i in looks),
                    tuple(int(row[f"shared_{i}"]) for i in looks),
                    float(row["expected"]),
                    float(row["expected_inside"]),
                ),
                int(row["true_area"]),
                int(row["true_shared"]),
            )
            for row in csv.DictReader(file)
        ]
