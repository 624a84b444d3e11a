"""Whole studies: a synthetic chest CT as DICOM files, segmented by a process of its own, as a user would."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from msdnet.data.phantom import make_phantom, write_phantom_dicom
from msdnet.errors import OutputError
from msdnet.evaluation.speed.contenders import Contender, make_network
from msdnet.weights import read_card, save_weights

EMBEDDED = "embedded weights"


@dataclass(frozen=True)
class StudyTiming:
    """One study.

    Attributes:
        network: The title of a network with random weights; `EMBEDDED` for those that come with the package.
        num_slices: Of the study.
        seconds: From the command to its end.
        stages: Seconds of reading, segmenting, writing, measuring and the report; what is left is the start.
        network_seconds: Of the engine alone, on all slices it was given.
        peak_mb: The most memory of the process, in 10^6 bytes.
        engine: What computed the network.
    """

    network: str
    num_slices: int
    seconds: float
    stages: dict[str, float]
    network_seconds: float
    peak_mb: int | None
    engine: str


def time_study(num_slices: int, size: int, *, contender: Contender | None = None, device: str = "auto") -> StudyTiming:
    """The time of `msdnet segment` on a synthetic chest CT, from DICOM files to masks, SEG, SR and report.

    Args:
        num_slices: 1 or more.
        size: Rows and columns.
        contender: A network of three classes that takes the place of the embedded weights' own, with random weights and
            all else that their card says; what it marks means nothing.
        device: As --device.

    Raises:
        OutputError: if the command fails.
    """
    with tempfile.TemporaryDirectory(prefix="msdnet-bench-") as folder:
        source, out = Path(folder) / "ct", Path(folder) / "out"
        write_phantom_dicom(make_phantom(shape=(num_slices, size, size)), source)
        command = [
            sys.executable,
            "-m",
            "msdnet",
            "segment",
            str(source),
            "-o",
            str(out),
            "--quiet",
            "--device",
            device,
        ]
        if contender is not None:
            weights = Path(folder) / "weights"
            card = dataclasses.replace(
                read_card(), name="random", network=contender.network, network_arguments=contender.arguments
            )
            save_weights(weights, make_network(contender), card)
            command += ["--weights", str(weights)]
        start = time.perf_counter()
        done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise OutputError(
                "a study of the benchmark could not be segmented",
                got=done.stderr.strip() or f"exit code {done.returncode}",
                expected="a result",
                do="run `msdnet demo --debug`",
            )
        record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    engine = f"{record['engine']['engine']} {record['engine']['precision']}"
    stages = record["seconds"]
    title = EMBEDDED if contender is None else contender.title
    return StudyTiming(title, num_slices, seconds, stages, record["network_seconds"], record["peak_memory_mb"], engine)
