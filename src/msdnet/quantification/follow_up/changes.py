"""What has changed from one result to another, and whether it is more than the technique alone moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from msdnet.quantification.follow_up.timepoint import LUNGS, MASS, PERCENT, SCAN, VOLUME, Key, Timepoint

SMALLEST_SD = 0.028
"""No two scans are taken to be more alike than this, as the SD of log(after / before): looks can agree by chance."""

SPREAD_OF_NEW = 0.2
"""Of what has come or gone between two scans, so much is marked too much or too little; on synthetic people."""

LEVEL = 0.95
LARGEST_BREATH = 0.10
"""With more than this relative change of the lungs' volume, percent of the lungs tell of the breath as well."""


@dataclass(frozen=True)
class Change:
    """One figure at two times.

    Attributes:
        region: "scan" for all that is marked, else a region of the lungs.
        class_name: A class of the schema, or "any_lesion".
        measure: "volume_ml", "mass_g" or "percent" (of the region).
        before: At the earlier time.
        after: At the later one.
        half_width: Of the band of repeatability, at 95 %, as a log(after / before); None where it is not known.
        band_absent: Why it is not known: "percent" (of a percentage) or "part" (parts of the lungs), which have none;
            "cut" (a scan cuts the lungs off), "nothing" (is marked at one time), "weights" (or options that differ),
            "precision" (one result is of int8), "looks" (no repeatability in a result), "unsteady" (a class that no
            further look shows) or "lungs" (found in another way). Empty where it is known.
        breath: Whether the lungs' volume changed so much that a percentage says little.
        cut: Whether one of the scans cuts the lungs off.
    """

    region: str
    class_name: str
    measure: str
    before: float
    after: float
    half_width: float | None = None
    band_absent: str = ""
    breath: bool = False
    cut: bool = False

    @property
    def change(self) -> float:
        """After less before, in the measure's unit."""
        return self.after - self.before

    @property
    def change_percent(self) -> float | None:
        """The change in per cent of what was before; None where nothing was."""
        return 100.0 * self.change / self.before if self.before > 0 else None

    @property
    def band_percent(self) -> tuple[float, float] | None:
        """Changes within these bounds, in per cent of what was before, are no more than the technique alone moves."""
        return None if self.half_width is None else _percent(0.0, self.half_width)

    @property
    def interval_percent(self) -> tuple[float, float] | None:
        """95 % interval of the change, in per cent of what was before.

        Its error is the band's, which is of what was there both times, and that of what has come or gone.
        """
        if self.half_width is None:
            return None
        change = math.log(self.after / self.before)
        of_new = float(stats.norm.ppf((1 + LEVEL) / 2)) * SPREAD_OF_NEW * change
        return _percent(change, math.hypot(self.half_width, of_new))

    @property
    def is_beyond_band(self) -> bool | None:
        """Whether it is more than the technique alone moves; None where that cannot be told."""
        if self.half_width is None:
            return None
        return abs(math.log(self.after / self.before)) > self.half_width


def find_changes(before: Timepoint, after: Timepoint) -> list[Change]:
    """The changes of every figure that both results have, in the order of the earlier one's."""
    breath, cut = lungs_changed(before, after), bool(before.cut or after.cut)
    changes = []
    for key, value in before.figures.items():
        if key not in after.figures:
            continue
        region, class_name, measure = key
        absent = _band_obstacle(before, after, key)
        half_width = None if absent else _half_width(before, after, class_name)
        flagged = measure == PERCENT and breath
        changes.append(Change(region, class_name, measure, value, after.figures[key], half_width, absent, flagged, cut))
    return changes


def find_band_obstacle(before: Timepoint, after: Timepoint) -> str:
    """Why no change between two results has a band, in the words of `Change.band_absent`; empty where some have one.

    That nothing is marked at one time is no such reason, and no reason to know no repeatability.
    """
    if before.cut or after.cut:
        return "cut"
    if not made_alike(before, after):
        return "weights"
    if not equally_precise(before, after):
        return "precision"
    if not all(point.num_looks for point in (before, after) if point.any_marked):
        return "looks"
    return ""


def _band_obstacle(before: Timepoint, after: Timepoint, key: Key) -> str:
    region, class_name, measure = key
    if measure == PERCENT:
        return "percent"
    if (region, measure) not in ((SCAN, VOLUME), (LUNGS, VOLUME), (LUNGS, MASS)):
        return "part"
    of_pair = find_band_obstacle(before, after)
    if of_pair == "cut":
        return of_pair
    if before.figures[key] <= 0 or after.figures[key] <= 0:
        return "nothing"
    if of_pair:
        return of_pair
    if region == LUNGS and not lungs_found_alike(before, after):
        return "lungs"
    if class_name not in before.sd or class_name not in after.sd:
        return "unsteady"
    return ""


def made_alike(before: Timepoint, after: Timepoint) -> bool:
    """Whether both were made by the same weights, under the same options as far as these move labels."""
    if before.record["weights"]["sha256"] != after.record["weights"]["sha256"]:
        return False
    return _alike(before, after, ("flips", "all_slices", "window", "grey"))


def equally_precise(before: Timepoint, after: Timepoint) -> bool:
    """Whether both or none are of int8, whose labels are others in about 2 % of the pixels; in bf16 in 0.3 %."""
    coarse = {point.record.get("engine", {}).get("precision") == "int8" for point in (before, after)}
    return len(coarse) == 1


def lungs_found_alike(before: Timepoint, after: Timepoint) -> bool:
    """Whether the lungs of both were found by msdnet, or given by the same other program."""
    given = [point.record["options"].get("lung_mask_sha256") is not None for point in (before, after)]
    return given[0] == given[1] and _alike(before, after, ("lung_scheme", "lungmask_sha256"))


def _alike(before: Timepoint, after: Timepoint, names: Sequence[str]) -> bool:
    one, other = before.record["options"], after.record["options"]
    return all(one.get(name) == other.get(name) for name in names)


def lungs_changed(before: Timepoint, after: Timepoint) -> bool:
    """Whether the lungs' volume differs by more than 10 %: another depth of breath, or lung that is gone.

    Not told where a scan cuts the lungs off: what was not scanned says nothing of breath.
    """
    if not before.lungs_ml or not after.lungs_ml or before.cut or after.cut:
        return False
    return abs(after.lungs_ml / before.lungs_ml - 1) > LARGEST_BREATH


def _half_width(before: Timepoint, after: Timepoint, class_name: str) -> float:
    """The quantile of Student's t times the standard deviation of log(after / before) when nothing has changed.

    A further look and the plain one are two looks at one person, as two scans are. So each result's spread is that of
    a pair already, and the two are two measurements of the same: averaged, not added.
    """
    looks = [point.num_looks for point in (before, after)]
    squares = [point.num_looks * point.sd[class_name] ** 2 for point in (before, after)]
    return _quantile(sum(looks)) * max(math.sqrt(sum(squares) / sum(looks)), SMALLEST_SD)


def reach_of(point: Timepoint, class_name: str) -> float | None:
    """How far the technique alone moves one volume, at 95 %, as the logarithm of a ratio; None where not known."""
    if class_name not in point.sd:
        return None
    return _quantile(point.num_looks) * max(point.sd[class_name], SMALLEST_SD) / math.sqrt(2)


def _quantile(num_looks: int) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, num_looks))


def _percent(centre: float, half_width: float) -> tuple[float, float]:
    return 100.0 * math.expm1(centre - half_width), 100.0 * math.expm1(centre + half_width)
