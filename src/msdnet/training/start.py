"""Weights that an experiment starts from: fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from msdnet.config import Experiment
from msdnet.errors import OptionError
from msdnet.weights import Card, load_weights


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


def start_notes(experiments: Sequence[Experiment], data_sha256: str) -> list[str]:
    """What the head of a table must say of those that did not start from random weights.

    Args:
        experiments: Those in the table.
        data_sha256: Of the data set, which the start may have been trained on.
    """
    notes = []
    for experiment in experiments:
        if experiment.start is not None:
            _, card = load_start(experiment)
            seen = card.recipe.get("data_sha256") == data_sha256
            words = "had seen these slices: not out of fold" if seen else "must not have seen these slices"
            notes.append(f"{experiment.name} started from the weights {card.name}, which {words}")
    return notes
