"""How far labels of int8, with weights of 8 and of 7 bits, are from those of float32: a Markdown table.

    python scripts/measure_int8.py MANIFEST

The embedded weights on every labelled slice of the data set that they were trained on: how the arithmetic differs, not
how good the labels are. Agreement: of the pixels where either is lesion, those with the same class. Two minutes on two
cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from msdnet.data.manifest import read_manifest
from msdnet.data.slice_reader import load_covid_semiseg
from msdnet.networks.folding import fold
from msdnet.prediction.engines import Engine
from msdnet.prediction.engines.int8 import quantise
from msdnet.prediction.engines.on_onnxruntime import onnxruntime_engine
from msdnet.prediction.engines.on_openvino import openvino_engine
from msdnet.prediction.engines.onnx_form import to_onnx
from msdnet.prediction.engines.processor import read_processor
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.weights import load_weights


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the labels of int8 with those of float32.")
    parser.add_argument("manifest", type=Path)
    words = parser.parse_args()
    network, card = load_weights()
    settings = card.preprocessing
    rows = [row for row in read_manifest(words.manifest).rows if row.labels is not None]
    greys = [to_grey(one.image, "grey", settings) for one in load_covid_semiseg(rows)]

    def labels_of(engine: Engine) -> list[np.ndarray]:
        return [predict_probabilities(engine, [grey], settings)[0].argmax(0).numpy() for grey in greys]

    form = to_onnx(fold(network), settings.size)
    reference = labels_of(onnxruntime_engine(form))
    flags = torch.cpu.get_capabilities()
    print(f"{card.name}, {len(greys)} slices, {'with' if flags.get('avx512_vnni') else 'without'} VNNI\n")
    print("| engine | weights | agreement |\n|---|--:|--:|")
    for seven_bits in (False, True):
        quantised = quantise(form, settings, seven_bits=seven_bits)
        engines = {
            "ONNX Runtime": onnxruntime_engine(quantised),
            "OpenVINO": openvino_engine(quantised, "int8", has_bf16=read_processor(torch.device("cpu")).has_bf16),
        }
        for name, engine in engines.items():
            found = labels_of(engine)
            either = [(a > 0) | (b > 0) for a, b in zip(found, reference, strict=True)]
            same = sum(((a == b) & e).sum() for a, b, e in zip(found, reference, either, strict=True))
            agreement = same / sum(e.sum() for e in either)
            print(f"| {name} | {7 if seven_bits else 8} bits | {agreement:.1%} |", flush=True)


if __name__ == "__main__":
    main()
