"""`msdnet info`: networks, weights, label schemas and licences, for people or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from msdnet import __version__


def info(arguments: argparse.Namespace) -> int:
    """`msdnet info`: networks, weights, label schemas and licences, for people or as JSON."""
    from msdnet.labels import SCHEMAS
    from msdnet.networks import NETWORKS
    from msdnet.weights import list_weights
    from msdnet.weights.licences import LICENCES, read_licence

    facts: dict[str, Any] = {
        "version": __version__,
        "networks": {name: _first_line(network) for name, network in NETWORKS.items()},
        "weights": [asdict(card) for card in list_weights()],
        "schemas": {name: [asdict(lesion) for lesion in schema.classes] for name, schema in SCHEMAS.items()},
        "licences": {name: read_licence(name) for name in LICENCES},
    }
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"msdnet {facts['version']}. Research use, not a medical device. No telemetry, no downloads.")
    _print_section("Networks", [f"{name:14} {text}" for name, text in facts["networks"].items()])
    lines = []
    for card in facts["weights"]:
        lines.append(f"{card['name']:14} {card['network']}, schema {card['schema']}, sha256 {card['sha256'][:12]}")
        lines += [
            f"{'':14} {key.replace('_', ' ')}: {card[key]}" for key in ("trained_on", "limits", "terms") if card[key]
        ]
    _print_section("Weights", lines or ["none in this installation"])
    lines = []
    for name, classes in facts["schemas"].items():
        lines.append(name)
        for lesion in classes:
            code = lesion["code"]
            lines.append(
                f"  {lesion['index']} {lesion['name']:14} {lesion['title']} ({code['scheme']} {code['value']})"
            )
    _print_section("Label schemas", lines)
    for name, text in facts["licences"].items():
        _print_section(name, text.rstrip().splitlines())
    return 0


def _print_section(title: str, lines: Sequence[str]) -> None:
    print(f"\n{title}\n{'-' * len(title)}")
    for line in lines:
        print(line)


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]
