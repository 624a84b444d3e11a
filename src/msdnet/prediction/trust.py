"""Per-case trust: what the DSC of a result is likely to be, and within what bounds the true volume lies.

Told by the shipped weights alone, from how steady the result is (`steadiness`). `evaluation.trust` fits what stands
here, on slices that the networks had not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msdnet.errors import WeightsError
from msdnet.prediction.steadiness import LOOKS, Steadiness

FEATURES = ("agreement", "confidence")
AREA_ALONE = ("log_area",)
"""The trivial predictor's only feature: large lesions are segmented better."""

_OF_NAME: dict[str, Callable[[Steadiness], float]] = {
    "agreement": lambda s: s.agreement,
    "confidence": lambda s: s.confidence,
    "log_area": lambda s: math.log(s.area_share + 1e-4),
}
LEVEL = 0.9
AREA_FLOOR = 0.02
"""Share of the picture that is added to both areas before the logarithm: a few pixels are no great ratio."""

REASONS = {
    "agreement": "mirrored or zoomed, the slices give other marks (mean DSC with these {agreement:.2f})",
    "confidence": "the network is not sure of its marks (mean probability {confidence:.2f})",
}
"""Words for the feature that lowers the predicted DSC most."""


@dataclass(frozen=True)
class Line:
    """A value linear in the features, and how far the truth lay from it: the 5 % and 95 % quantiles of truth - value.

    Attributes:
        intercept: The value where all features have their mean.
        slopes: One for each of the model's features, in units of its standard deviation.
        low: Where the interval begins, from the value on; mostly below 0.
        high: Where it ends.
    """

    intercept: float
    slopes: tuple[float, ...]
    low: float
    high: float


@dataclass(frozen=True)
class TrustModel:
    """How one class's steadiness becomes a predicted DSC and an interval; part of the weights' card.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        means: Of the features, on the slices it was fitted on.
        scales: Their standard deviations.
        dsc: The line for DSC.
        log_ratio: The line for `log_ratio` of true and marked area.
        review_below: A predicted DSC below this asks for a review.
        num_slices: So many it was fitted on.
        features: What the numbers belong to; read with another version's, they would mean something else.
        looks: What the features come from.
        area_floor: The share in `log_ratio`.
    """

    class_name: str
    means: tuple[float, ...]
    scales: tuple[float, ...]
    dsc: Line
    log_ratio: Line
    review_below: float
    num_slices: int
    features: tuple[str, ...] = FEATURES
    looks: tuple[str, ...] = LOOKS
    area_floor: float = AREA_FLOOR


@dataclass(frozen=True)
class Trust:
    """How far the result for one class can be trusted.

    Attributes:
        class_name: A class of the schema, or "any_lesion".
        predicted_dsc: Its likely DSC, 0 to 1.
        dsc_interval: 90 % interval of it.
        ratio_interval: 90 % interval of true area / marked area, so of true volume / reported volume.
        review: Whether somebody should look: the predicted DSC is among the lowest fifth of those seen in fitting.
        reason: Why, in words; empty without review.
    """

    class_name: str
    predicted_dsc: float
    dsc_interval: tuple[float, float]
    ratio_interval: tuple[float, float]
    review: bool
    reason: str = ""


def log_ratio(true_share: float, marked_share: float) -> float:
    """log((true + floor) / (marked + floor)), areas as shares of the picture."""
    return math.log((true_share + AREA_FLOOR) / (marked_share + AREA_FLOOR))


def features_of(steadiness: Steadiness, names: Sequence[str] = FEATURES) -> tuple[float, ...]:
    """The values of the features of these names, of `FEATURES` or `AREA_ALONE`."""
    return tuple(_OF_NAME[name](steadiness) for name in names)


def estimate_trust(models: Sequence[TrustModel], steadiness: Sequence[Steadiness]) -> list[Trust]:
    """The trust in each class that is marked and for which there is a model."""
    known = {m.class_name: m for m in models}
    return [_estimate(known[s.class_name], s) for s in steadiness if s.area and s.class_name in known]


def read_trust_models(entries: Sequence[Mapping[str, Any]]) -> list[TrustModel]:
    """The models of a weights' card, as `dataclasses.asdict` wrote them.

    Raises:
        WeightsError: if an entry is not one, or was fitted on other features.
    """
    try:
        found = [
            TrustModel(
                **{
                    **entry,
                    "means": tuple(entry["means"]),
                    "scales": tuple(entry["scales"]),
                    "dsc": _read_line(entry["dsc"]),
                    "log_ratio": _read_line(entry["log_ratio"]),
                    "features": tuple(entry["features"]),
                    "looks": tuple(entry["looks"]),
                    "area_floor": entry["area_floor"],
                }
            )
            for entry in entries
        ]
        if not all(math.isfinite(number) for c in found for number in _numbers(c)) or not all(
            scale > 0 for c in found for scale in c.scales
        ):
            raise ValueError("a number that is none, or a scale of 0")
        lengths = {len(v) for c in found for v in (c.means, c.scales, c.dsc.slopes, c.log_ratio.slopes)}
        if lengths - {len(FEATURES)}:
            raise ValueError(f"{lengths} features, not {len(FEATURES)}")
        others = [m for m in found if (m.features, m.looks, m.area_floor) != (FEATURES, LOOKS, AREA_FLOOR)]
        if others:
            fitted = (*others[0].features, *others[0].looks, f"a floor of {others[0].area_floor}")
            raise ValueError(f"fitted on {', '.join(fitted)}")
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            "the card's trust cannot be used",
            got=f"{type(error).__name__}: {error}",
            expected=f"what `msdnet train` writes, for {', '.join((*FEATURES, *LOOKS))} and a floor of {AREA_FLOOR}",
            do="take the weights anew, or set the card's trust to []",
        ) from error
    return found


def _numbers(model: TrustModel) -> list[float]:
    lines = (model.dsc, model.log_ratio)
    of_lines = [n for line in lines for n in (line.intercept, line.low, line.high, *line.slopes)]
    return [*model.means, *model.scales, model.review_below, *of_lines]


def _read_line(entry: Mapping[str, Any]) -> Line:
    return Line(**{**entry, "slopes": tuple(entry["slopes"])})


def _estimate(model: TrustModel, steadiness: Steadiness) -> Trust:
    scaled = [
        (value - mean) / scale
        for value, mean, scale in zip(features_of(steadiness, model.features), model.means, model.scales, strict=True)
    ]
    dsc, ratio = value_of(model.dsc, scaled), value_of(model.log_ratio, scaled)
    share = steadiness.area_share
    low, high = (
        _share(math.exp(ratio + side) * (share + AREA_FLOOR) - AREA_FLOOR) / share
        for side in (model.log_ratio.low, model.log_ratio.high)
    )
    return Trust(
        class_name=steadiness.class_name,
        predicted_dsc=_share(dsc),
        dsc_interval=(_share(dsc + model.dsc.low), _share(dsc + model.dsc.high)),
        ratio_interval=(low, high),
        review=dsc < model.review_below,
        reason=_reason(model, steadiness, scaled, dsc) if dsc < model.review_below else "",
    )


def _reason(model: TrustModel, steadiness: Steadiness, scaled: Sequence[float], dsc: float) -> str:
    found = dict(zip(model.features, zip(scaled, model.dsc.slopes, strict=True), strict=True))
    low = [name for name in REASONS if name in found and found[name][0] < 0]  # words must say what is so
    lowest = min(low, key=lambda name: found[name][0] * found[name][1], default="agreement")
    words = REASONS[lowest].format(agreement=steadiness.agreement, confidence=steadiness.confidence)
    return f"{words}; predicted DSC {_share(dsc):.2f}, below {model.review_below:.2f}"


def value_of(line: Line, scaled: Sequence[float]) -> float:
    """The line's value at standardised features."""
    return line.intercept + sum(slope * value for slope, value in zip(line.slopes, scaled, strict=True))


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
