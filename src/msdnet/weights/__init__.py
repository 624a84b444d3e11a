"""Trained weights: a folder with card.json and model.safetensors. The embedded ones lie beside this file.

Each name is imported when it is first used, so that the light modules here stay quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msdnet.deferred import deferred

if TYPE_CHECKING:
    from msdnet.weights.folders import DEFAULT
    from msdnet.weights.store import Card, list_weights, load_weights, read_card, save_weights

__all__ = ["DEFAULT", "Card", "list_weights", "load_weights", "read_card", "save_weights"]

__getattr__ = deferred(
    __name__,
    {
        "Card": "store",
        "DEFAULT": "folders",
        "list_weights": "store",
        "load_weights": "store",
        "read_card": "store",
        "save_weights": "store",
    },
)
