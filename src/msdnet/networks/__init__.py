"""Tensor -> logits: every network, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from msdnet.errors import OptionError
from msdnet.networks.msdnet import MSDNet

NETWORKS: dict[str, type[nn.Module]] = {
    "msdnet": MSDNet,
}

__all__ = ["NETWORKS", "MSDNet", "build_network"]


def build_network(name: str, **arguments: Any) -> nn.Module:
    """The network of that name, built with these arguments.

    Raises:
        OptionError: if there is no such network, or an argument is not one of its own.
    """
    if name not in NETWORKS:
        raise OptionError(
            f"unknown network {name!r}",
            got=name,
            expected="one of " + ", ".join(NETWORKS),
            do="choose one of these names",
        )
    try:
        return NETWORKS[name](**arguments)
    except TypeError as error:
        raise OptionError(
            f"network {name!r} does not take these arguments",
            got=str(error),
            expected=f"the arguments of {NETWORKS[name].__name__}",
            do=f"see help(msdnet.networks.{NETWORKS[name].__name__})",
        ) from error
