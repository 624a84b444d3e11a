"""Folds for cross-validation: stratified by the classes a slice shows, and never splitting a group."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from msdnet.data.covid_semiseg import TrainingSlice
from msdnet.errors import DatasetError


def assign_folds(slices: Sequence[TrainingSlice], num_folds: int, seed: int) -> list[int]:
    """The validation fold of every slice, 0 to num_folds - 1.

    Raises:
        DatasetError: if there are fewer groups than folds.
    """
    groups = [s.group for s in slices]
    if len(set(groups)) < num_folds:
        raise DatasetError(
            "there are fewer groups than folds",
            got=f"{len(set(groups))} groups",
            expected=f"at least {num_folds}",
            do="lower num_folds, or check the groups",
        )
    classes = ["" if s.labels is None else "".join(map(str, np.unique(s.labels))) for s in slices]
    splitter = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed)
    folds = [-1] * len(slices)
    with warnings.catch_warnings():  # a combination of classes rarer than num_folds cannot be in every fold
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, validation) in enumerate(splitter.split(np.zeros(len(slices)), classes, groups)):
            for i in validation:
                folds[i] = fold
    return folds
