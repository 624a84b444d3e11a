"""The model card: what a set of weights is, how good, and what it cannot do; from its card and its per-slice rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from msdnet.evaluation.overlap import SliceOverlap
from msdnet.evaluation.rendering import Table
from msdnet.evaluation.tables import overlap_table, titles
from msdnet.evaluation.worst_slices import worst_slices
from msdnet.labels import ANY_LESION
from msdnet.weights import Card

NUM_WORST = 10


def model_card(
    card: Card,
    rows: Sequence[SliceOverlap],
    *,
    notes: Sequence[str] = (),
    trust: Table | None = None,
    with_names: bool = False,
) -> str:
    """The model card in Markdown.

    Args:
        card: Of the weights.
        rows: Out-of-fold rows of the recipe that made them.
        notes: What a reader of the figures must know first.
        trust: How well per-case trust holds; left out where it was not calibrated.
        with_names: Write the worst slices' names, which may come from file names; numbers stand for them otherwise.
    """
    schema = card.label_schema
    classes = ", ".join(f"{c.index} {c.title.lower()}" for c in schema.classes)
    arguments = ", ".join(f"{key}: {value}" for key, value in card.network_arguments.items())
    parts = [
        f"# {card.name}",
        f"Network: {card.network}{f' ({arguments})' if arguments else ''}. Label schema `{schema.name}`: 0 background, "
        f"{classes}. SHA-256 of the weights: `{card.sha256}`.",
        f"## Intended use\n\n{card.intended_use}",
        f"## Limits\n\n{card.limits or 'Not stated.'}",
        f"## Data\n\n{card.trained_on}\n\nTerms: {card.terms}",
        f"## Input and preprocessing\n\n{card.input}\n\n{_settings(asdict(card.preprocessing))}",
        f"## Figures, out of fold\n\n{overlap_table(rows, schema, notes=notes).rstrip()}",
        "These are figures of networks trained on the folds; the weights were trained on all slices with the same "
        "recipe, and have no figure of their own.",
        f"## The worst slices\n\n{_worst(rows, titles(schema), with_names)}",
    ]
    if trust is not None and trust.rows:
        parts.append(f"## Trust\n\n{trust.markdown().rstrip()}")
    parts.append(f"## Recipe\n\n{_settings(_flat(card.recipe))}")
    parts.append("Made with " + ", ".join(f"{key} {value}" for key, value in card.made_with.items()) + ".")
    return "\n\n".join(parts) + "\n"


def _worst(rows: Sequence[SliceOverlap], words: dict[str, str], with_names: bool) -> str:
    """A table of the slices with the lowest DSC of any lesion, and the marks on slices without any."""
    lines = [
        "| slice | " + " | ".join(f"DSC, {title.lower()}" for title in words.values())
        + " | lesion in truth | marked | what goes wrong |",
        "|---|" + "---|" * (len(words) + 3),
    ]  # fmt: skip
    for number, bad in enumerate(worst_slices(rows, NUM_WORST), start=1):
        figures = [f"{bad.dsc[name]:.2f}" if name in bad.dsc else "-" for name in words]
        shares = [f"{100 * share:.1f} %" for share in (bad.true_share, bad.marked_share)]
        cells = [bad.name if with_names else str(number), *figures, *shares, "; ".join(bad.faults) or "-"]
        lines.append(f"| {' | '.join(cells)} |")
    without = [row for row in rows if row.class_name == ANY_LESION and not row.present]
    marked = sum(row.predicted for row in without)
    told = f"{marked} of {len(without)} slices without any lesion are marked." if without else ""
    text = "By DSC of any lesion. `msdnet figure RUN --worst` draws them.\n\n" + "\n".join(lines)
    return f"{text}\n\n{told}" if told else text


def _settings(values: dict[str, object]) -> str:
    lines = ["| setting | value |", "|---|---|"]
    for key, value in values.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        lines.append(f"| `{key}` | {shown} |")
    return "\n".join(lines)


def _flat(recipe: dict[str, object], before: str = "") -> dict[str, object]:
    """Nested settings under names with points, without the card's own words, which stand above."""
    flat: dict[str, object] = {}
    for key, value in recipe.items():
        if isinstance(value, dict) and key not in ("card", "preprocessing"):
            flat |= _flat(value, f"{before}{key}.")
        elif not isinstance(value, dict):
            flat[f"{before}{key}"] = value
    return flat
