"""The folder of a run, or of what was measured of one: what it is of, so that it goes on only with the same."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
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
    if "experiment" not in before:
        raise OptionError(
            "the output folder holds a run of something else",
            got=f"a {RUN_RECORD} of another command",
            expected="the same experiment and data, to go on with",
            do="choose another folder with -o",
        )
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


def claim_measures(path: Path, weights: Mapping[str, Sequence[str]], data_sha256: str) -> None:
    """Writes beside a file of measures which networks and data they are of, or refuses it where it is of others.

    Networks may join those that are there.

    Args:
        path: The file. Where it was removed, others may take its place.
        weights: Network -> SHA-256 of each fold's weights.
        data_sha256: The data set's.

    Raises:
        OptionError: if the measures are of other networks or data, or not known of which, or the folder holds a run or
            a result of another kind.
    """
    record, measured = path.with_name(RUN_RECORD), {name: list(of_folds) for name, of_folds in weights.items()}
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    before = known.get("weights_sha256", {})
    faults = []
    if known and not before:
        faults = [f"a {RUN_RECORD} of another kind"]
    elif path.is_file():
        faults = [f"other weights of {name}" for name in before if measured.get(name) != before[name]]
        faults += ["other data"] if known.get("data_sha256", data_sha256) != data_sha256 else []
        faults += [] if before else [f"no {RUN_RECORD} that names the networks"]
    if faults:
        raise OptionError(
            "the output folder holds measures of something else",
            got="; ".join(faults),
            expected="measures of the same networks on the same data, to go on with",
            do=f"choose another folder with -o; to measure anew, remove {path.name} from a folder of measures",
        )
    new = {"data_sha256": data_sha256, "weights_sha256": measured, "versions": versions()}
    with whole_file(record) as unfinished:
        unfinished.write_text(json.dumps(new, indent=2) + "\n", encoding="utf-8")


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
