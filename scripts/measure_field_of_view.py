"""How much of what `--all-slices` marks lies on the slices that are looked at without it: a Markdown table.

    python scripts/measure_field_of_view.py DATA

DATA holds the public scans of `measure_scans.py`; those that are absent are left out. Boxes and cavity are the same in
both runs on the slices that both look at; beyond, with `--all-slices`, there is no cavity.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measure_scans import CASES

from msdnet.prediction import Segmenter
from msdnet.scans import read_scan
from msdnet.slices import to_canonical


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", metavar="DATA", type=Path)
    arguments = parser.parse_args()
    usual, all_slices = (Segmenter.from_pretrained(all_slices=on) for on in (False, True))
    lines = [
        "| scan | slices | looked at | marked by `--all-slices`, voxels | of which on the slices looked at |",
        "|---|--:|--:|--:|--:|",
    ]
    for case in CASES:
        if not (arguments.data / case.scan).exists():
            continue
        scan = read_scan(arguments.data / case.scan)
        skipped = list(usual.segment(scan).skipped_slices)
        marked = to_canonical(scan, all_slices.segment(scan).labels).array > 0
        within = np.delete(marked, skipped, axis=0).sum()
        share = f"{100 * within / marked.sum():.2f} %" if marked.any() else "-"
        lines.append(f"| {case.name} | {len(marked)} | {len(marked) - len(skipped)} | {marked.sum():,} | {share} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
