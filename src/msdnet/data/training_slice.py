"""TrainingSlice: one slice in memory as training sees it, whichever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TrainingSlice:
    """One slice in memory.

    Attributes:
        name: Unique within the data set.
        group: Slices that may show one patient share it; a group never spans two folds.
        image: (H, W) uint8 grey.
        labels: (H, W) uint8 in the data set's label schema, or None.
        weak: uint8, 255 times the guessed probability of any lesion (H, W), or of each class (K, H, W); or None.
        spacing_mm: Distance of rows and of columns, or None where it is not known.
    """

    name: str
    group: str
    image: Array
    labels: Array | None = None
    weak: Array | None = None
    spacing_mm: tuple[float, float] | None = None
