"""Weights on disk: card.json says what they are, model.safetensors holds them. No pickle, and nothing is downloaded."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from msdnet.config import Preprocessing
from msdnet.errors import OptionError, WeightsError
from msdnet.files import file_sha256
from msdnet.labels import LabelSchema, get_schema
from msdnet.networks import build_network
from msdnet.settings import SettingsError, from_mapping
from msdnet.weights.folders import CARD, EMBEDDED, TENSORS, embedded_names, find_weights


@dataclass(frozen=True)
class Card:
    """What a set of weights is.

    Attributes:
        name: Its name.
        network: The network's name in `NETWORKS`.
        network_arguments: What rebuilds it.
        schema: The label schema's name: what the output channels mean.
        preprocessing: How slices become its input.
        input: Modality, units and value range, in words.
        trained_on: Data, number of slices, initial weights.
        recipe: The experiment, whole.
        figures: Out-of-fold figures of the same recipe; see `conventions`.
        conventions: How the figures count.
        trust: How the steadiness of a result becomes a predicted DSC, one entry a class; empty where it was not fitted.
        intended_use: What it is for.
        limits: What it cannot do.
        terms: The licence of the weights.
        made_with: Versions.
        sha256: Of model.safetensors.
    """

    name: str
    network: str
    network_arguments: dict[str, Any]
    schema: str
    preprocessing: Preprocessing
    input: str = ""
    trained_on: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    conventions: str = ""
    trust: list[dict[str, Any]] = field(default_factory=list)
    intended_use: str = ""
    limits: str = ""
    terms: str = ""
    made_with: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def label_schema(self) -> LabelSchema:
        """The label schema itself."""
        return get_schema(self.schema)


def save_weights(folder: Path, network: nn.Module, card: Card) -> Card:
    """The card as stored, with its hash: floating tensors go into model.safetensors as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    save_file(tensors, folder / TENSORS)
    (folder / TENSORS).chmod(0o644)  # safetensors leaves it to its owner alone
    card = dataclasses.replace(card, sha256=file_sha256(folder / TENSORS))
    text = json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
    return card


def read_card(weights: str | Path | None = None) -> Card:
    """The card of embedded weights by name, of a folder by its path, or of the default.

    Raises:
        WeightsError: if there is no such folder, or its card cannot be read.
    """
    folder = find_weights(weights)
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
        content["preprocessing"] = from_mapping(Preprocessing, content["preprocessing"], "the card's preprocessing")
        return from_mapping(Card, content, "the weights' card")
    except (OSError, ValueError, KeyError, TypeError, OptionError) as error:
        raise WeightsError(
            f"the card of weights {folder.name!r} cannot be read",
            got="; ".join(f"{f.name}: {f.got}" for f in error.faults)
            if isinstance(error, SettingsError)
            else f"{type(error).__name__}: {str(error).splitlines()[0]}",
            expected=f"{CARD} as `msdnet train` writes it",
            do="take the folder anew from where it was made",
        ) from error


def load_weights(weights: str | Path | None = None) -> tuple[nn.Module, Card]:
    """The network in float32 and evaluation mode, and its card. Never touches the network connection.

    Raises:
        WeightsError: if the weights are missing, don't have the card's hash, or don't fit the network.
    """
    card = read_card(weights)
    path = find_weights(weights) / TENSORS
    if not path.is_file() or file_sha256(path) != card.sha256:
        raise WeightsError(
            f"the weights {card.name!r} are missing or damaged",
            got="no file" if not path.is_file() else f"sha256 {file_sha256(path)[:12]}...",
            expected=f"{TENSORS} with sha256 {card.sha256[:12]}...",
            do="take the folder anew from where it was made",
        )
    arguments = {k: v for k, v in card.network_arguments.items() if k != "pretrained"}  # would fetch other weights
    network = build_network(card.network, num_classes=card.label_schema.num_classes, in_channels=1, **arguments)
    try:
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()})
    except (RuntimeError, SafetensorError) as error:
        raise WeightsError(
            f"the weights {card.name!r} don't fit their network",
            got=str(error).splitlines()[0],
            expected=f"tensors of {card.network} with {card.network_arguments}",
            do="use the msdnet version that made them, or train anew",
        ) from error
    return network.eval().requires_grad_(False), card


def list_weights() -> list[Card]:
    """The cards of all embedded weights."""
    return [read_card(EMBEDDED / name) for name in embedded_names()]
