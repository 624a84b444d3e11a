from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import torch

from msdnet.config import Preprocessing
from msdnet.errors import WeightsError
from msdnet.networks import build_network
from msdnet.weights import DEFAULT, Card, list_weights, load_weights, read_card, save_weights

ARGUMENTS = {"encoder": "resnet18"}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = build_network("msdnet", num_classes=3, **ARGUMENTS)
    save_weights(tmp_path, network, Card("test", "msdnet", ARGUMENTS, "ggo-consolidation", Preprocessing(size=96)))
    return tmp_path


def test_weights_come_back_as_the_same_network_in_half_precision(stored: Path) -> None:
    torch.manual_seed(0)
    original = build_network("msdnet", num_classes=3, **ARGUMENTS).state_dict()
    network, card = load_weights(stored)
    assert card.preprocessing == Preprocessing(size=96)
    for name, value in network.state_dict().items():
        assert torch.equal(value, original[name].half().float() if value.is_floating_point() else original[name])
    assert not network.training


def test_loading_never_opens_a_connection(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refuse(*where: object, **_: object) -> None:
        tried.append(where)
        raise OSError("no connection here")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_weights(stored)
    load_weights()
    assert not tried


def test_a_changed_byte_is_noticed(stored: Path) -> None:
    path = stored / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(stored)


def test_weights_of_another_network_are_refused(stored: Path) -> None:
    card = json.loads((stored / "card.json").read_text())
    card["network_arguments"]["pointwise"] = "shared"
    (stored / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="don't fit"):
        load_weights(stored)


def test_loading_builds_without_pretrained_weights(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise AssertionError("connections are forbidden here")  # which no client tries again

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    card = json.loads((stored / "card.json").read_text())
    card["network_arguments"]["pretrained"] = True
    (stored / "card.json").write_text(json.dumps(card))
    load_weights(stored)
    assert tried == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "x"}'])
def test_a_broken_card_is_refused(stored: Path, text: str) -> None:
    (stored / "card.json").write_text(text)
    with pytest.raises(WeightsError, match="card"):
        read_card(stored)


def test_every_fault_of_a_card_is_told(stored: Path) -> None:
    card = json.loads((stored / "card.json").read_text())
    card["preprocessing"] |= {"size": -1, "std": 0}
    (stored / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError) as told:
        read_card(stored)
    assert "size" in told.value.got
    assert "std" in told.value.got


def test_unknown_weights_name_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=DEFAULT):
        load_weights("no-such-weights")


def test_the_embedded_weights_are_light_and_say_what_they_are() -> None:
    cards = {card.name: card for card in list_weights()}
    card = cards[DEFAULT]
    folder = Path(__file__).parents[2] / "src" / "msdnet" / "weights" / DEFAULT
    assert (folder / "model.safetensors").stat().st_size <= 32 * 2**20
    for text in (card.trained_on, card.terms, card.limits, card.intended_use, card.input, card.conventions):
        assert text
    assert {f["class_name"] for f in card.figures} == {"ggo", "consolidation", "any_lesion"}
    assert all(f["num_slices"] == 50 for f in card.figures)
    assert card.recipe["network_arguments"] == card.network_arguments
    network, _ = load_weights()
    assert sum(p.numel() for p in network.parameters()) == 16_104_195
