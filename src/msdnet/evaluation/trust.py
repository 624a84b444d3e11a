"""Per-case trust, fitted and judged: does a result's steadiness tell its DSC on slices that the network had not seen?

One row for each slice and class, from out-of-fold predictions of single networks. The fit is ridge regression with few
features; the intervals are quantiles of what the fit misses on groups left out (Barber et al., "Predictive inference
with the jackknife+", Annals of Statistics 2021, doi:10.1214/20-AOS1965, without its correction). Judged by nested
cross-validation: what is told of a fold's slices was fitted on the other folds alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from msdnet.evaluation.bootstrap import LEVEL as BOOTSTRAP_LEVEL
from msdnet.evaluation.bootstrap import RESAMPLES, SEED
from msdnet.evaluation.figures import Estimate, mean_of
from msdnet.evaluation.rendering import Column, Table
from msdnet.evaluation.tables import titles
from msdnet.evaluation.trust_rows import TrustRow
from msdnet.labels import LabelSchema
from msdnet.prediction.trust import (
    AREA_ALONE,
    FEATURES,
    LEVEL,
    Line,
    Trust,
    TrustModel,
    estimate_trust,
    features_of,
)

Array = np.ndarray[Any, Any]

RIDGE = 1.0
REVIEW_SHARE = 0.2
_ROUNDING = 1e-9
MIN_SLICES, MIN_GROUPS = 19, 5  # of fewer residuals none is the 95 % quantile

_FOOT = f"""\
Slices on which the class is marked, each by the network that had not seen it; what is told of a fold's slices was
fitted on the other folds. Spearman: rank correlation of predicted and true DSC [95 % percentile interval from 2,000
bootstrap samples of whole groups]. Inside: share of the slices whose true DSC, or true area, lies in its
{100 * LEVEL:.0f} % interval. Flagged: share of the slices whose predicted DSC is below the lowest fifth of those that
it was fitted on. Caught: of the fifth with the lowest true DSC, the share that is flagged. Missed: slices with the
class on which nothing is marked, of which nothing is told."""


@dataclass(frozen=True)
class Judgement:
    """How well one predictor tells DSC and area of one class; see the table's foot.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        told: Each slice's row and what was told of it.
        num_missed: Slices with the class on which nothing is marked.
    """

    class_name: str
    told: tuple[tuple[TrustRow, Trust], ...]
    num_missed: int

    @property
    def spearman(self) -> Estimate:
        """Rank correlation of predicted and true DSC."""
        pairs = [(row.group, trust.predicted_dsc, row.dsc) for row, trust in self.told]
        return _spearman([g for g, _, _ in pairs], [p for _, p, _ in pairs], [t for _, _, t in pairs])

    @property
    def dsc_inside(self) -> Estimate:
        """Share of the slices whose DSC lies in its interval."""
        return _share(self.told, [t.dsc_interval[0] <= r.dsc <= t.dsc_interval[1] for r, t in self.told])

    @property
    def area_inside(self) -> Estimate:
        """Share of the slices whose true area lies in its interval."""
        ratios = [r.true_area / r.steadiness.area for r, _ in self.told]
        bounds = [t.ratio_interval for _, t in self.told]
        inside = [low - _ROUNDING <= x <= high + _ROUNDING for x, (low, high) in zip(ratios, bounds, strict=True)]
        return _share(self.told, inside)

    @property
    def flagged(self) -> Estimate:
        """Share of the slices that ask for a review."""
        return _share(self.told, [t.review for _, t in self.told])

    @property
    def caught(self) -> Estimate:
        """Share of the worst fifth of the slices that ask for a review."""
        order = sorted(self.told, key=lambda pair: (pair[0].dsc, pair[0].name))
        worst = order[: math.ceil(len(order) / 5)]
        return _share(worst, [t.review for _, t in worst])


def fit_trust(rows: Sequence[TrustRow], features: Sequence[str] = FEATURES) -> list[TrustModel]:
    """A model for each class that is marked on enough slices and groups, in the order of the rows.

    Args:
        rows: Out of fold.
        features: What is fitted on.
    """
    fitted = []
    for name in dict.fromkeys(r.steadiness.class_name for r in rows):
        of_class = _marked(rows, name)
        if len(of_class) >= MIN_SLICES and len({r.group for r in of_class}) >= MIN_GROUPS:
            fitted.append(_fit(name, of_class, features))
    return fitted


def judge_trust(rows: Sequence[TrustRow], features: Sequence[str] = FEATURES) -> list[Judgement]:
    """How well each class's DSC and area are told, every fold by a fit on the others."""
    told: dict[str, list[tuple[TrustRow, Trust]]] = {}
    for fold in sorted({r.fold for r in rows}):
        models = fit_trust([r for r in rows if r.fold != fold], features)
        for row in rows:
            if row.fold == fold:
                for trust in estimate_trust(models, [row.steadiness]):
                    told.setdefault(trust.class_name, []).append((row, trust))
    return [
        Judgement(name, tuple(told[name]), _num_missed(rows, name))
        for name in dict.fromkeys(r.steadiness.class_name for r in rows)
        if name in told
    ]


def trust_table(rows: Sequence[TrustRow], schema: LabelSchema, *, notes: Sequence[str] = ()) -> Table:
    """The judgement of each class, beside that of the trivial predictor.

    Args:
        rows: Out of fold.
        schema: Whose classes are shown.
        notes: For the table's head.
    """
    lines = []
    for predictor, features in (("steadiness", FEATURES), ("marked area alone", AREA_ALONE)):
        for j in judge_trust(rows, features):
            cells = j.spearman, j.dsc_inside, j.area_inside, j.flagged, j.caught, j.num_missed
            lines.append((titles(schema)[j.class_name], predictor, len(j.told), *cells))
    lines.sort(key=lambda line: list(titles(schema).values()).index(line[0]))
    columns = (
        Column("class", "class"),
        Column("predictor", "told from"),
        Column("num", "n", "number"),
        Column("spearman", "Spearman", "estimate", 2),
        Column("dsc_inside", "DSC inside", "estimate", 2),
        Column("area_inside", "area inside", "estimate", 2),
        Column("flagged", "flagged", "estimate", 2),
        Column("caught", "worst fifth caught", "estimate", 2),
        Column("missed", "missed", "number"),
    )
    return Table(columns, tuple(lines), tuple(notes), _FOOT)


def _share(told: Sequence[tuple[TrustRow, Trust]], holds: Sequence[bool]) -> Estimate:
    mean = mean_of([row.group for row, _ in told], [float(h) for h in holds])
    return Estimate(mean.value, None, mean.interval, mean.num_units)


def _marked(rows: Sequence[TrustRow], class_name: str) -> list[TrustRow]:
    return [r for r in rows if r.steadiness.class_name == class_name and r.steadiness.area]


def _num_missed(rows: Sequence[TrustRow], class_name: str) -> int:
    return sum(r.steadiness.class_name == class_name and r.true_area > 0 and not r.steadiness.area for r in rows)


def _fit(class_name: str, rows: Sequence[TrustRow], features: Sequence[str]) -> TrustModel:
    values = np.array([features_of(r.steadiness, features) for r in rows])
    means, scales = values.mean(axis=0), values.std(axis=0)
    scales[scales < 1e-9] = 1.0
    scaled = (values - means) / scales
    groups = [r.group for r in rows]
    dsc, predicted = _fit_line(scaled, np.array([r.dsc for r in rows]), groups)
    log_ratio, _ = _fit_line(scaled, np.array([r.log_ratio for r in rows]), groups)
    return TrustModel(
        class_name=class_name,
        means=_plain(means),
        scales=_plain(scales),
        dsc=dsc,
        log_ratio=log_ratio,
        review_below=float(np.quantile(predicted, REVIEW_SHARE)),
        num_slices=len(rows),
        features=tuple(features),
    )


def _fit_line(scaled: Array, truth: Array, groups: Sequence[str]) -> tuple[Line, Array]:
    """The line, and what is predicted for each group by a fit on the other groups."""
    left_out = np.empty(len(truth))
    _, members = np.unique(groups, return_inverse=True)
    for group in range(int(members.max()) + 1):
        others = members != group
        intercept, slopes = _ridge(scaled[others], truth[others])
        left_out[~others] = intercept + scaled[~others] @ slopes
    low, high = _quantiles(truth - left_out)
    intercept, slopes = _ridge(scaled, truth)
    return Line(intercept, _plain(slopes), low, high), left_out


def _ridge(scaled: Array, truth: Array) -> tuple[float, Array]:
    centre, mean = scaled.mean(axis=0), truth.mean()
    x = scaled - centre
    slopes = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (truth - mean))
    return float(mean - centre @ slopes), slopes


def _quantiles(residuals: Array) -> tuple[float, float]:
    """Bounds with the finite-sample rank of a conformal interval: ceil((n + 1) x share)."""
    ordered, n = np.sort(residuals), len(residuals)
    rank = min(n, math.ceil((n + 1) * (1 + LEVEL) / 2))
    return float(ordered[n - rank]), float(ordered[rank - 1])


def _spearman(groups: Sequence[str], predicted: Sequence[float], true: Sequence[float]) -> Estimate:
    names = sorted(set(groups))
    members = [np.array([i for i, g in enumerate(groups) if g == name]) for name in names]
    x, y = np.array(predicted), np.array(true)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate(num_units=len(x))
    generator = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([members[i] for i in generator.integers(0, len(names), size=len(names))])
        if np.ptp(x[chosen]) > 0 and np.ptp(y[chosen]) > 0:
            drawn.append(float(stats.spearmanr(x[chosen], y[chosen]).statistic))
    low, high = np.quantile(drawn, [(1 - BOOTSTRAP_LEVEL) / 2, (1 + BOOTSTRAP_LEVEL) / 2])
    return Estimate(float(stats.spearmanr(x, y).statistic), None, (float(low), float(high)), len(x))


def _plain(values: Array) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
