"""Where weights lie: embedded ones by name, others by the path of their folder. Light: a wrong name is told at once."""

from __future__ import annotations

from pathlib import Path

from msdnet.errors import WeightsError

DEFAULT = "resnet18-v3"
EMBEDDED = Path(__file__).parent
CARD, TENSORS = "card.json", "model.safetensors"


def find_weights(weights: str | Path | None = None) -> Path:
    """The folder of embedded weights by name, of other weights by its path, or of the default ones.

    Raises:
        WeightsError: if there is no such folder, or it has no card.
    """
    if weights is None:
        weights = DEFAULT
    for folder in (EMBEDDED / weights, Path(weights)):
        if (folder / CARD).is_file():
            return folder
    raise WeightsError(
        f"there are no weights {Path(weights).name!r}",
        got=f"neither embedded weights of that name nor a folder with {CARD}",
        expected=f"an embedded name ({', '.join(embedded_names()) or 'none'}) or a folder that `msdnet train` wrote",
        do="run `msdnet info` for the names, or check the path",
    )


def embedded_names() -> list[str]:
    """The names of the weights that came with the package."""
    return sorted(card.parent.name for card in EMBEDDED.glob(f"*/{CARD}"))
