"""How far each engine's labels are from those of torch in float32, out of fold: a Markdown table.

    python scripts/measure_engines.py RUN MANIFEST

RUN is what `msdnet train` wrote, MANIFEST the data set it was run on. Each slice is predicted by the network of the
fold that has not seen it. Agreement: of the voxels where either is lesion, those with the same class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from msdnet.labels import get_schema
from msdnet.networks.folding import fold
from msdnet.prediction.engines import ENGINES, build_engine
from msdnet.prediction.slicewise import predict_probabilities
from msdnet.slices import to_grey
from msdnet.training.data import load_training_data
from msdnet.training.runs import fold_networks, open_runs


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares the engines' labels with those of torch in float32.")
    parser.add_argument("run", type=Path)
    parser.add_argument("manifest", type=Path)
    words = parser.parse_args()
    [run] = open_runs(words.run).values()
    settings, schema = run.experiment.preprocessing, get_schema(run.experiment.schema)
    data = load_training_data(words.manifest, run.experiment)
    networks = fold_networks(run, data, "cpu")
    labels = {("truth", ""): [one.labels for one in data.labelled]}
    for engine, precisions in ENGINES.items():
        for precision in precisions:
            made = {}
            found = labels[engine, precision] = []
            for one in data.labelled:
                number = networks.fold_of[one.name]
                if number not in made:
                    network = fold(networks.of(one))
                    device = torch.device("cpu")
                    made[number], _ = build_engine(network, settings, device, engine=engine, precision=precision)
                [probabilities] = predict_probabilities(made[number], [to_grey(one.image, "grey", settings)], settings)
                found.append(probabilities.argmax(0).numpy())
    print(f"| engine | agreement | {' | '.join(f'DSC {c.title}' for c in schema.classes)} | DSC any lesion |")
    print("|---|--:|" + "--:|" * (schema.num_classes))
    reference = labels["torch", "f32"]
    for (engine, precision), found in labels.items():
        if engine == "truth":
            continue
        either = [(a > 0) | (b > 0) for a, b in zip(found, reference, strict=True)]
        same = sum(((a == b) & e).sum() for a, b, e in zip(found, reference, either, strict=True))
        classes = [[c.index] for c in schema.classes] + [[c.index for c in schema.classes]]
        dices = [f"{mean_dice(labels['truth', ''], found, chosen):.4f}" for chosen in classes]
        print(f"| {engine} {precision} | {same / sum(e.sum() for e in either):.2%} | {' | '.join(dices)} |")


def mean_dice(truth: list[np.ndarray], found: list[np.ndarray], chosen: list[int]) -> float:
    """Over the slices that show the class."""
    values = []
    for a, b in zip(truth, found, strict=True):
        in_a, in_b = np.isin(a, chosen), np.isin(b, chosen)
        if in_a.any():
            values.append(2 * (in_a & in_b).sum() / (in_a.sum() + in_b.sum()))
    return float(np.mean(values))


if __name__ == "__main__":
    main()
