"""A network for other programs: one ONNX file with its card inside, and the licence texts that it names."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from msdnet import __version__
from msdnet.files import whole_file
from msdnet.networks.folding import fold
from msdnet.prediction.engines.choice import check_engine
from msdnet.prediction.engines.onnx_form import to_onnx
from msdnet.prediction.engines.packages import import_onnx
from msdnet.weights import Card, load_weights
from msdnet.weights.licences import licences_of

CARD_KEY = "msdnet_card"
_CONTRACT = (
    "images: float32 (batch, 1, height, width) of 32 x 32 pixels or more, grey 0..1 less `mean` over `std` of the "
    "card's preprocessing, where a CT in HU becomes grey by its window_hu. logits: float32 (batch, classes, height, "
    "width), classes as in the card's schema, background first. Research use. Not a medical device."
)


def export_onnx(path: Path, weights: str | Path | None = None, *, precision: str = "f32") -> Card:
    """Writes the folded network with batch, height and width left free; the card of what was written.

    Args:
        path: Where to write.
        weights: Embedded weights by name, those in a folder, or the default ones.
        precision: "f32" or "int8".

    Raises:
        WeightsError: if there are no such weights or they are damaged.
        OptionError: if the network has no ONNX form.
        MissingExtraError: if a package is not installed.
    """
    check_engine("onnxruntime", precision)
    onnx = import_onnx()
    network, card = load_weights(weights)
    form = to_onnx(fold(network), card.preprocessing.size)
    if precision == "int8":
        from msdnet.prediction.engines.int8 import quantise

        form = quantise(form, card.preprocessing)
    model = onnx.load_model_from_string(form)
    model.producer_name, model.producer_version, model.doc_string = "msdnet", __version__, _CONTRACT
    properties = {CARD_KEY: json.dumps(dataclasses.asdict(card)), "precision": precision, **licences_of(card.terms)}
    onnx.helper.set_model_props(model, properties)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(model.SerializeToString())
    return card
