"""Which of several processes this is: `torchrun` starts one for each GPU, or for each share of a machine's cores."""

from __future__ import annotations

import os
from dataclasses import dataclass

from msdnet.config import Stage
from msdnet.errors import OptionError


@dataclass(frozen=True)
class Processes:
    """The group of processes that train one network together.

    Attributes:
        rank: This process among all; 0 alone writes files.
        world_size: All processes.
        num_nodes: Machines.
    """

    rank: int = 0
    world_size: int = 1
    num_nodes: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0


def find_processes() -> Processes:
    """What `torchrun` says in the environment; a process by itself where it says nothing."""
    world_size, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return Processes(int(os.environ.get("RANK", 0)), world_size, max(1, world_size // local))


def check_shares(stage: Stage, processes: Processes) -> None:
    """Refuses a batch that the processes cannot share evenly: their gradients are averaged with equal weight.

    Raises:
        OptionError: if they cannot.
    """
    for name in ("num_labelled", "num_weak"):
        number = getattr(stage, name)
        if number % processes.world_size:
            raise OptionError(
                "the processes cannot share a batch evenly",
                got=f"{name} {number} for {processes.world_size} processes",
                expected=f"a multiple of {processes.world_size}",
                do="start another number of processes, or change the experiment's batch",
            )
