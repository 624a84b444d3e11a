"""Weights that an experiment starts from: fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from msdnet.config import Experiment
from msdnet.errors import OptionError
from msdnet.weights import Card, load_weights, read_card


def load_start(experiment: Experiment) -> tuple[nn.Module, Card]:
    """The network that the experiment's `start` names, and its card.

    Raises:
        OptionError: if the experiment's network, schema or grey is not that of the card; all differences at once.
        WeightsError: if there are no such weights or they are damaged.
    """
    network, card = load_weights(experiment.start)
    pairs = {
        "network": (experiment.network, card.network),
        "network_arguments": (experiment.network_arguments, card.network_arguments),
        "schema": (experiment.schema, card.schema),
    } | {
        f"preprocessing.{key}": (getattr(experiment.preprocessing, key), getattr(card.preprocessing, key))
        for key in ("window_hu", "mean", "std")
    }
    different = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    if different:
        raise OptionError(
            f"the experiment does not fit the weights {card.name!r} that it starts from",
            got="; ".join(f"{key}: {own}" for key, (own, _) in different.items()),
            expected="; ".join(f"{key}: {cards}" for key, (_, cards) in different.items()),
            do="take these from the weights' card, or start from others",
        )
    return network, card


def start_of(experiment: Experiment) -> Card | None:
    """The card of the weights that the experiment starts from, if it does.

    Raises:
        WeightsError: if there are no such weights.
    """
    return None if experiment.start is None else read_card(experiment.start)


def data_seen(start: Card | None) -> set[str]:
    """SHA-256 of each data set that weights were trained on, those that they started from included."""
    recipe = start.recipe if start else {}
    return {*recipe.get("data_seen_sha256", ()), *([recipe["data_sha256"]] if "data_sha256" in recipe else ())}


def start_notes(experiments: Sequence[Experiment], data_sha256: str) -> list[str]:
    """What the head of a table must say of those that did not start from random weights.

    Args:
        experiments: Those in the table.
        data_sha256: Of the data set, which the start may have been trained on.
    """
    notes = []
    for experiment in experiments:
        start = start_of(experiment)
        if start is not None:
            seen = data_sha256 in data_seen(start)
            words = "had seen these slices: not out of fold" if seen else "must not have seen these slices"
            notes.append(f"{experiment.name} started from the weights {start.name}, which {words}")
    return notes
