"""The rows of the paper's ablation table, each an experiment that differs in the network's arguments alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from msdnet.config import Experiment
from msdnet.errors import OptionError

ROWS: dict[str, dict[str, Any]] = {
    "RB": {"refinement": "rb", "channel_attention": False, "pyramid": False},
    "RRB": {"refinement": "rrb", "channel_attention": False, "pyramid": False},
    "RRB + CAB": {"refinement": "rrb", "channel_attention": True, "pyramid": False},
    "RRB + CAB + PCB": {"refinement": "rrb", "channel_attention": True, "pyramid": True},
}
"""Source: the paper's ablation study. Reading: the rows are cumulative; without CAB features are added, without PCB the
encoder's are taken as they are; RB is a plain residual block."""


def ablation_rows(experiment: Experiment) -> list[Experiment]:
    """The experiment once for each row, named after it.

    Raises:
        OptionError: if its network is not MSD-Net.
    """
    if experiment.network != "msdnet":
        raise OptionError(
            "only MSD-Net can be ablated",
            got=f"network {experiment.network!r} in experiment {experiment.name!r}",
            expected="network: msdnet",
            do="choose an experiment with MSD-Net",
        )
    return [
        dataclasses.replace(experiment, name=name, network_arguments={**experiment.network_arguments, **arguments})
        for name, arguments in ROWS.items()
    ]
