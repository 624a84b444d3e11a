"""Trained weights: a folder with card.json and model.safetensors. The embedded ones lie beside this file."""

from __future__ import annotations

from msdnet.weights.store import DEFAULT, Card, list_weights, load_weights, read_card, save_weights

__all__ = ["DEFAULT", "Card", "list_weights", "load_weights", "read_card", "save_weights"]
