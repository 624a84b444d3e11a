"""The part of benchmarks/nnunet.sh that msdnet's environment runs: synthetic volumes, msdnet's time, the table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

from msdnet.data.phantom import make_phantom

SIZE = 512
TRAINING = 3


def main() -> None:
    if sys.argv[1] == "--time":
        time_msdnet(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "--table":
        write_table(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        write_volumes(Path(sys.argv[1]), [int(n) for n in sys.argv[2:4]])


def write_volumes(out: Path, sizes: list[int]) -> None:
    """A data set as nnU-Net wants it, and the volumes to segment."""
    data = out / "raw" / "Dataset001_Phantom"
    for part in ("imagesTr", "labelsTr"):
        (data / part).mkdir(parents=True, exist_ok=True)
    for seed in range(TRAINING):
        phantom = make_phantom(seed=seed, shape=(20, SIZE, SIZE))
        _save(phantom.voxels_hu, phantom.spacing_mm, data / "imagesTr" / f"case_{seed}_0000.nii.gz")
        _save(phantom.labels, phantom.spacing_mm, data / "labelsTr" / f"case_{seed}.nii.gz")
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "ggo": 1, "interstitial": 2, "consolidation": 3},
        "numTraining": TRAINING,
        "file_ending": ".nii.gz",
    }
    (data / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    for size in sizes:
        phantom = make_phantom(seed=9, shape=(size, SIZE, SIZE))
        _save(phantom.voxels_hu, phantom.spacing_mm, out / f"ct-{size}.nii.gz")


def _save(array: np.ndarray, spacing_mm: tuple[float, float, float], path: Path) -> None:
    affine = np.diag([-spacing_mm[2], -spacing_mm[1], spacing_mm[0], 1.0])
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), path)


def time_msdnet(out: Path, slices: int) -> None:
    """The whole command from its start; the shell has run it before, so that nothing is read for the first time."""
    command = [sys.executable, "-m", "msdnet", "segment", str(out / f"ct-{slices}.nii.gz")]
    start = time.perf_counter()
    subprocess.run([*command, "-o", str(out / f"msdnet-{slices}"), "--quiet"], check=True)
    seconds = time.perf_counter() - start
    record = json.loads((out / f"msdnet-{slices}" / "run.json").read_text(encoding="utf-8"))
    versions = {"msdnet": record["version"], "torch": record["libraries"]["torch"]}
    facts = {"seconds": seconds, "peak_mb": record["peak_memory_mb"], "versions": versions}
    (out / f"msdnet-{slices}.json").write_text(json.dumps(facts), encoding="utf-8")


def write_table(out: Path, small: int, large: int) -> None:
    rows = {
        "msdnet segment": "msdnet-{}",
        "nnU-Net, no mirroring": "nnunet-{}-off",
        "nnU-Net, its defaults": "nnunet-{}-on",
    }
    lines = [
        f"| | s, {small} slices | s, {large} slices | s a slice added | times msdnet's | MB a slice added |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    ours = None
    versions = []
    for title, pattern in rows.items():
        few, many = (json.loads((out / f"{pattern.format(n)}.json").read_text()) for n in (small, large))
        versions.append(", ".join(f"{name} {number}" for name, number in many["versions"].items()))
        added = (many["seconds"] - few["seconds"]) / (large - small)
        memory = (many["peak_mb"] - few["peak_mb"]) / (large - small)
        ours = ours or added
        seconds = f"{few['seconds']:.1f} | {many['seconds']:.1f} | {added:.2f} | {added / ours:.1f}"
        lines.append(f"| {title} | {seconds} | {memory:.1f} |")
    lines += ["", f"Versions: {'; '.join(dict.fromkeys(versions))}."]
    (out / "nnunet.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
