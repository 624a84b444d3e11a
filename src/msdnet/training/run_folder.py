"""The folder of a run: what it is a run of, so that it goes on only with the same experiment and data."""

from __future__ import annotations

import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

import torch

import msdnet
from msdnet.config import Experiment, experiment_from
from msdnet.errors import OptionError
from msdnet.files import RUN_RECORD, alone_in, whole_file
from msdnet.training.start import start_of


def claim(folder: Path, experiment: Experiment, data_sha256: str) -> None:
    """Writes what the folder is a run of, or refuses it where it is a run of something else.

    Raises:
        OptionError: if it holds a run of another experiment, other data, or from another start.
        WeightsError: if there are no such weights to start from.
    """
    path = folder / RUN_RECORD
    with alone_in(folder):  # several processes may begin a run together
        if not path.is_file():
            record = {"experiment": as_plain(experiment), "data_sha256": data_sha256, "start": _start(experiment)}
            record["versions"] = versions()
            with whole_file(path) as unfinished:
                unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
            return
    check_claim(folder, experiment, data_sha256)


def check_claim(folder: Path, experiment: Experiment, data_sha256: str) -> None:
    """Refuses a folder that is a run of something else; writes nothing.

    Raises:
        OptionError: as `claim`.
    """
    path = folder / RUN_RECORD
    if not path.is_file():
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    then = as_plain(experiment_from(before["experiment"]))  # with the defaults of keys that were not known yet
    changed = [k for k, v in as_plain(experiment).items() if then[k] != v]
    changed += ["the data"] if before["data_sha256"] != data_sha256 else []
    changed += ["the weights it starts from"] if before.get("start", _start(experiment)) != _start(experiment) else []
    if changed:
        raise OptionError(
            "the output folder holds a run of something else",
            got=f"changed since: {', '.join(changed)}",
            expected="the same experiment and data, to go on with",
            do="choose another folder with -o",
        )


def _start(experiment: Experiment) -> dict[str, str] | None:
    """Which weights it starts from: a folder's path alone would not tell that others lie there now."""
    card = start_of(experiment)
    return {"name": card.name, "sha256": card.sha256} if card else None


def versions() -> dict[str, str]:
    """What a run was made with."""
    return {"msdnet": msdnet.__version__, "torch": torch.__version__, "python": platform.python_version()}


def as_plain(experiment: Experiment) -> dict[str, Any]:
    """The experiment as JSON has it: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(experiment)))
    return plain
