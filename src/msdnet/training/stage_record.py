"""How the weights of a stage were made: run.json beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from msdnet.files import RUN_RECORD, file_sha256, whole_file
from msdnet.labels import LabelSchema
from msdnet.prediction.device import name_device
from msdnet.training.processes import Processes
from msdnet.training.run_folder import versions


def write_stage_record(
    folder: Path,
    weights: Path,
    class_weights: torch.Tensor,
    schema: LabelSchema,
    *,
    num_labelled: int,
    num_weak: int,
    device: torch.device,
    precision: str,
    processes: Processes,
    seconds: float,
) -> None:
    """Writes run.json in the stage's folder.

    Args:
        folder: The stage's.
        weights: The file of weights, under whatever name.
        class_weights: Of the focal loss, background first; left out where no slice has labels.
        schema: Names the classes.
        num_labelled: Slices with labels that were trained on.
        num_weak: Those with a guess.
        device: The first process's.
        precision: What was computed in.
        processes: All that shared the training.
        seconds: Of the steps and their validation, over all starts; what a stop had lost is left out.
    """
    names = ("background", *(c.name for c in schema.classes))
    of_class = dict(zip(names, (round(w, 6) for w in class_weights.tolist()), strict=True))
    record: dict[str, Any] = {
        "weights_sha256": file_sha256(weights),
        "class_weights": of_class if num_labelled else None,
        "num_labelled": num_labelled,
        "num_weak": num_weak,
        "device": device.type,
        "device_name": name_device(device),
        "processes": processes.world_size,
        "threads": torch.get_num_threads(),
        "precision": precision,
        "seconds": round(seconds, 1),
        "versions": versions(),
    }
    with whole_file(folder / RUN_RECORD) as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
