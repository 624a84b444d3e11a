"""The MedSeg stacks: single slices of many patients, stacked into one NIfTI file.

    FOLDER/tr_im.nii.gz      512 x 512 x N, one slice of a patient after the other
    FOLDER/tr_mask.nii.gz    0 none, 1 ground-glass opacity, 2 consolidation, 3 pleural effusion

Source: MedSeg COVID-19 CT segmentation set, medicalsegmentation.com/covid19. The patients are not stated.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from msdnet.data.faults import Fault
from msdnet.data.layouts.draft import SIMILAR_CHEST, Draft, Layout, Options
from msdnet.data.layouts.pairs import draft_rows, rows_of_volume
from msdnet.labels import LabelSchema

_IMAGES, _LABELS = "tr_im.nii.gz", "tr_mask.nii.gz"
_LABEL_NAMES = {"background": 0, "ggo": 1, "consolidation": 2, "effusion": 3}


def draft_medseg(source: Path, out: Path, schema: LabelSchema, options: Options) -> Draft:
    """One row per slice of the stack; every slice is a group until near-duplicates are merged.

    Effusion is no lesion class of any schema: where it occurs, the label map must say what becomes of it.
    """
    missing = [Fault("a missing file", n) for n in (_IMAGES, _LABELS) if not (source / n).is_file()]
    if missing:
        return Draft((), tuple(missing))
    image, labels = (source / _IMAGES).resolve(), (source / _LABELS).resolve()
    rows, faults = draft_rows(rows_of_volume, "tr", image, labels, None, "tr", "MedSeg", "")
    single = tuple(dataclasses.replace(row, group=row.name) for row in rows)
    return Draft(single, tuple(faults), _LABEL_NAMES, SIMILAR_CHEST, patients_known=False)


MEDSEG = Layout(f"{_IMAGES} and {_LABELS}", lambda source: (source / _IMAGES).is_file(), draft_medseg)
