"""From labelled slices to weights; needs the extra "train"."""

from __future__ import annotations

from msdnet.errors import MissingExtraError

try:
    from msdnet.training.cross_validation import cross_validate
    from msdnet.training.experiment import run_experiment
    from msdnet.training.illustrations import draw_features, draw_networks, run_robustness
    from msdnet.training.reproduction import reproduce
    from msdnet.training.seeds import cross_validate_seeds
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "training needs packages that are not installed",
        got=f"no module {error.name!r}",
        expected='the extra "train"',
        do='install it: pip install "msdnet[train]"',
    ) from error

__all__ = [
    "cross_validate",
    "cross_validate_seeds",
    "draw_features",
    "draw_networks",
    "reproduce",
    "run_experiment",
    "run_robustness",
]
