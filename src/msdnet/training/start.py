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


def start_notes(experiments: Sequence[Experiment]) -> list[str]:
    """What the head of a table must say of those that did not start from random weights."""
    return [
        f"{e.name} started from the weights {load_start(e)[1].name}: its figures hold on slices that these had not seen"
        for e in experiments
        if e.start is not None
    ]
