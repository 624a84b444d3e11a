"""Lungs or lobes by lungmask (the extra "lungmask"), with weights that the user has on disk: nothing is fetched.

Source: Hofmanninger et al., European Radiology Experimental 2020, doi:10.1186/s41747-020-00173-2. It finds diseased
lung that density alone cannot; its weights have terms of their own.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from msdnet.errors import MissingExtraError, WeightsError

Array = np.ndarray[Any, Any]

SCHEMES = {3: "left-right", 6: "lungmask-lobes"}
"""Number of the network's classes, background included -> what its numbers mean: R231 and LTRCLobes."""


def check_lungmask(weights: Path) -> str:
    """The scheme of a file of weights.

    Raises:
        MissingExtraError: if lungmask is not installed.
        WeightsError: if these are no weights of it.
    """
    return SCHEMES[_num_classes(_load(weights))]


def run_lungmask(weights: Path, hu: Array) -> tuple[Array, str]:
    """The mask and the scheme of its numbers; on the processor.

    Shapes: hu (S, H, W) on canonical axes -> (S, H, W) uint8.

    Args:
        weights: A state dict of lungmask, such as unet_r231-d5d2fc3d.pth.
        hu: In Hounsfield units.

    Raises:
        MissingExtraError, WeightsError: as `check_lungmask`.
    """
    inferer = _load(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mask: Array = inferer.apply(hu.astype(np.int16))
    return mask, SCHEMES[_num_classes(inferer)]


def _load(weights: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import changes the filters of the whole process
        try:
            from lungmask import LMInferer
        except ImportError as error:
            raise MissingExtraError(
                "lungmask is not installed",
                got=f"no module {error.name!r}",
                expected='the extra "lungmask"',
                do='install it: pip install "msdnet[lungmask]", or leave --lungmask out',
            ) from error
        try:
            inferer = LMInferer(modelpath=str(weights), force_cpu=True, tqdm_disable=True)  # loads tensors alone
        except Exception as error:
            raise _unusable(weights, f"{type(error).__name__} on loading") from error
    if _num_classes(inferer) not in SCHEMES:
        raise _unusable(weights, f"{_num_classes(inferer)} classes")
    return inferer


def _num_classes(inferer: Any) -> int:
    return int(inferer.model.last.out_channels)


def _unusable(weights: Path, got: str) -> WeightsError:
    return WeightsError(
        "these are no weights of lungmask",
        got=f"{weights.name}: {got}",
        expected="the file of R231, R231CovidWeb or LTRCLobes as lungmask publishes it",
        do="download one of them from lungmask's releases, and check that it is whole",
    )
