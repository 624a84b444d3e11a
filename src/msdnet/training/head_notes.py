"""What the heads of tables say of the experiments in them: seeds, and what makes figures unequal or too good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msdnet.config import Experiment
from msdnet.training.run_folder import as_plain
from msdnet.training.start import start_notes

_MAY_DIFFER = {"name", "network", "network_arguments", "seed", "start", "card"}


def experiment_notes(experiments: Sequence[Experiment], data_sha256: str) -> list[str]:
    """All that there is to say but the seeds.

    Args:
        experiments: Those in the table.
        data_sha256: Of the data set.
    """
    return [*start_notes(experiments, data_sha256), *_early_stops(experiments), *_differences(experiments)]


def seed_note(experiments: Sequence[Experiment]) -> str:
    """That each network was trained once, and with which seed."""
    if len({e.seed for e in experiments}) == 1:
        return f"one seed ({experiments[0].seed})"
    return f"one seed each ({', '.join(f'{e.name}: {e.seed}' for e in experiments)})"


def _early_stops(experiments: Sequence[Experiment]) -> list[str]:
    """The slices held back choose the weights where a stage has patience, and are measured afterwards."""
    names = [e.name for e in experiments if any(s and s.patience for s in (e.pretraining, e.training, e.self_training))]
    if not names:
        return []
    return [f"optimistic, the slices held back chose when the training stopped: {', '.join(names)}"]


def _differences(experiments: Sequence[Experiment]) -> list[str]:
    unequal = _unequal([{k: v for k, v in as_plain(e).items() if k not in _MAY_DIFFER} for e in experiments])
    return [f"not the same for all: {', '.join(unequal)}"] if unequal else []


def _unequal(settings: Sequence[dict[str, Any]], before: str = "") -> list[str]:
    """The keys whose values differ, "section.key" within sections that all have."""
    found = []
    for key in settings[0]:
        values = [one[key] for one in settings]
        if all(isinstance(value, dict) for value in values):
            found += _unequal(values, f"{before}{key}.")
        elif any(value != values[0] for value in values):
            found.append(before + key)
    return found
