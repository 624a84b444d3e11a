"""The bootstrap over groups: how far a mean would move, had other patients been drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES, SEED, LEVEL = 2000, 0, 0.95
_MAX_DRAWN = 1 << 22


def bootstrap_interval(
    groups: Sequence[str],
    numerators: Sequence[float],
    denominators: Sequence[float] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float] | None:
    """The percentile interval of sum(numerators) / sum(denominators) when whole groups are drawn with replacement.

    Without denominators this is the mean of the values. Resamples whose denominators sum to 0 are left out. None where
    there are fewer than two groups: one group says nothing about others.

    Args:
        groups: The group of each value; values of one group are drawn together.
        numerators: Values, or numerators of a pooled ratio.
        denominators: Denominators of a pooled ratio.
        level: The share of resamples inside.
        resamples: How many are drawn.
        seed: Of the draw; the same input gives the same interval.
    """
    names = {g: i for i, g in enumerate(sorted(set(groups)))}
    if len(names) < 2:
        return None
    places = [names[g] for g in groups]
    tops = np.bincount(places, weights=numerators, minlength=len(names))
    bottoms = np.bincount(places, weights=denominators, minlength=len(names))
    generator = np.random.default_rng(seed)
    ratios = []
    step = max(1, _MAX_DRAWN // len(names))  # the draw is cut into pieces to spare memory; the numbers are the same
    for start in range(0, resamples, step):
        drawn = generator.integers(0, len(names), size=(min(step, resamples - start), len(names)))
        top, bottom = tops[drawn].sum(axis=1), bottoms[drawn].sum(axis=1)
        ratios.append(top[bottom > 0] / bottom[bottom > 0])
    kept = np.concatenate(ratios)
    if not kept.size:
        return None
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
