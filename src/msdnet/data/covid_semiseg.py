"""The COVID-SemiSeg folder (Inf-Net's split of the MedSeg slices): 50 labelled and 1,600 unlabelled CT slices.

Source: Fan et al., "Inf-Net", IEEE TMI 2020, doi:10.1109/TMI.2020.2996645. Not shipped; expected layout:

    FOLDER/multiclass/images/*.jpg            lung crops, 8-bit
    FOLDER/multiclass/labels/*.png            0 background, 1 ground-glass opacity, 2 consolidation
    FOLDER/unlabelled/images/*.jpg            lung crops of whole scans
    FOLDER/unlabelled/pseudo-labels/*.png     a network's guess of "any lesion", 0..255, not truth
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from msdnet.data.similarity import group_near_duplicates
from msdnet.data.training_slice import TrainingSlice
from msdnet.errors import DatasetError

__all__ = [
    "TrainingSlice",
    "clean_weak",
    "grey_levels",
    "match_grey",
    "read_labelled",
    "read_unlabelled",
]

Array = np.ndarray[Any, Any]

# Grey levels (see `grey_levels`) of the labelled slices taken together.
REFERENCE_LUNG_GREY, REFERENCE_TISSUE_GREY = 27.0, 211.0
WEAK_FLOOR, RIM_PIXELS = 32, 4


def read_labelled(folder: Path) -> list[TrainingSlice]:
    """The labelled slices, grouped by similarity, in the order of their numbers.

    Raises:
        DatasetError: if the folder has no slices, a label map is missing, of another size or holds other values.
    """
    paths = sorted(folder.glob("multiclass/images/*.jpg"), key=lambda p: int(p.stem))
    _require_some(paths, folder, "multiclass/images/*.jpg")
    images = [_read_grey(p) for p in paths]
    labels = [_read_labels(p, image) for p, image in zip(paths, images, strict=True)]
    groups = group_near_duplicates(images)
    return [
        TrainingSlice(p.stem, f"group-{g}", image, labels=label)
        for p, g, image, label in zip(paths, groups, images, labels, strict=True)
    ]


def read_unlabelled(folder: Path) -> list[TrainingSlice]:
    """The unlabelled slices with their weak targets, grey matched to the labelled slices, grouped by case number.

    Raises:
        DatasetError: if the folder has no slices or a weak target is missing.
    """
    paths = sorted(folder.glob("unlabelled/images/*.jpg"), key=_series_and_number)
    _require_some(paths, folder, "unlabelled/images/*.jpg")
    by_series: dict[str, list[Path]] = {}
    for path in paths:
        by_series.setdefault(_series_and_number(path)[0], []).append(path)
    slices = []
    for series, members in by_series.items():
        images = [_read_grey(p) for p in members]
        lung, tissue = grey_levels(images)
        for path, image in zip(members, images, strict=True):
            matched = match_grey(image, lung, tissue)
            weak = clean_weak(matched, _read_grey(_target_of(path, "pseudo-labels")))
            slices.append(TrainingSlice(path.stem, _case(series), matched, weak=weak))
    return slices


def grey_levels(images: list[Array]) -> tuple[float, float]:
    """The grey of aerated lung and of soft tissue in the slices of one series.

    Lung is the 5th percentile: its peak is missing where all of the lung is diseased. Tissue is the strongest peak of
    the histogram above the middle between the 5th and the 90th percentile.
    """
    histogram = np.zeros(256)
    for image in images:
        histogram += np.bincount(image.ravel(), minlength=256)
    cumulative = np.cumsum(histogram) / histogram.sum()
    low, high = (int(np.searchsorted(cumulative, q)) for q in (0.05, 0.90))
    histogram[255] = 0.0  # clipped values
    smooth = np.convolve(histogram, np.ones(7) / 7, mode="same")
    middle = (low + high) // 2
    return float(low), float(middle + smooth[middle:].argmax())


def match_grey(image: Array, lung: float, tissue: float) -> Array:
    """The image with its lung and tissue grey moved to those of the labelled slices; (H, W) uint8."""
    slope = (REFERENCE_TISSUE_GREY - REFERENCE_LUNG_GREY) / max(1.0, tissue - lung)
    matched = REFERENCE_LUNG_GREY + slope * (image.astype(np.float32) - lung)
    result: Array = np.clip(np.rint(matched), 0, 255).astype(np.uint8)
    return result


def clean_weak(image: Array, weak: Array) -> Array:
    """The weak target without the places it guesses inside bone and soft tissue; (H, W) uint8.

    A guessed lesion is kept if at least a fifth of it and its rim is darker than the middle between lung and tissue:
    consolidation touches aerated lung, a vertebra or a rib does not.
    """
    air = image < (REFERENCE_LUNG_GREY + REFERENCE_TISSUE_GREY) / 2
    guessed, count = ndimage.label(weak > WEAK_FLOOR)
    cleaned: Array = np.where(weak > WEAK_FLOOR, weak, 0).astype(np.uint8)
    for index, window in enumerate(ndimage.find_objects(guessed, count), start=1):
        rows, columns = (slice(max(0, w.start - RIM_PIXELS), w.stop + RIM_PIXELS) for w in window)
        component = guessed[rows, columns] == index
        around = ndimage.binary_dilation(component, iterations=RIM_PIXELS)
        if air[rows, columns][around].mean() < 0.2:
            cleaned[rows, columns][component] = 0
    return cleaned


def _read_grey(path: Path) -> Array:
    return np.asarray(Image.open(path).convert("L"))


def _read_labels(image_path: Path, image: Array) -> Array:
    path = _target_of(image_path, "labels")
    labels = np.asarray(Image.open(path))
    if labels.shape != image.shape or not set(np.unique(labels)) <= {0, 1, 2}:
        raise DatasetError(
            f"the label map of slice {image_path.stem} does not fit",
            got=f"shape {labels.shape}, values {sorted(set(np.unique(labels).tolist()))}",
            expected=f"shape {image.shape}, values 0, 1, 2",
            do="take the data set anew from its source",
        )
    return labels.astype(np.uint8)


def _target_of(image_path: Path, folder: str) -> Path:
    for suffix in (".png", ".jpg"):
        path = image_path.parent.parent / folder / (image_path.stem + suffix)
        if path.is_file():
            return path
    raise DatasetError(
        f"slice {image_path.stem} has no file in {folder}",
        got="no such file",
        expected=f"{folder}/{image_path.stem}.png",
        do="take the data set anew from its source",
    )


def _series_and_number(path: Path) -> tuple[str, int]:
    series, number = path.stem.rsplit("_", 1)
    return series, int(number)


def _case(series: str) -> str:
    """The case a series belongs to: two series of one Radiopaedia case are one patient."""
    match = re.search(r"coronacases_org_(\d+)|pneumonia-(\d+)_", series)
    if match is None:
        return series
    return f"coronacases-{match[1]}" if match[1] else f"radiopaedia-{match[2]}"


def _require_some(paths: list[Path], folder: Path, pattern: str) -> None:
    if not paths:
        raise DatasetError(
            "the data set's folder holds no slices",
            got=f"nothing that matches {pattern}",
            expected="the COVID-SemiSeg layout described in docs/data.md",
            do=f"check the path: {folder.name}",
        )
