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

from msdnet.data.faults import Fault, raise_faults
from msdnet.data.similarity import group_near_duplicates
from msdnet.data.training_slice import TrainingSlice

__all__ = [
    "TrainingSlice",
    "clean_weak",
    "find_labelled",
    "find_unlabelled",
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
        DatasetError: for everything that `find_labelled` finds wrong, at once.
    """
    return _without_faults(folder, *find_labelled(folder))


def read_unlabelled(folder: Path) -> list[TrainingSlice]:
    """The unlabelled slices with their weak targets, grey matched to the labelled slices, grouped by case number.

    Raises:
        DatasetError: for everything that `find_unlabelled` finds wrong, at once.
    """
    return _without_faults(folder, *find_unlabelled(folder))


def find_labelled(folder: Path) -> tuple[list[TrainingSlice], list[Fault]]:
    """As `read_labelled`; and what is wrong: no slices, files that are missing or damaged, strange names or labels."""
    paths, faults = _images(folder / "multiclass/images", r"\d+", "NUMBER.jpg")
    usable: list[tuple[Path, Array, Array]] = []
    for path in sorted(paths, key=lambda p: int(p.stem)):
        pair, wrong = _pair(path, "labels")
        faults += wrong
        if pair is None:
            continue
        if strange := sorted(set(np.unique(pair[1]).tolist()) - {0, 1, 2}):
            faults.append(Fault("values other than 0, 1, 2 in labels", f"{path.stem} ({str(strange)[1:-1]})"))
        else:
            usable.append((path, pair[0], pair[1].astype(np.uint8)))
    groups = group_near_duplicates([image for _, image, _ in usable])
    slices = [
        TrainingSlice(path.stem, f"group-{g}", image, labels=labels)
        for g, (path, image, labels) in zip(groups, usable, strict=True)
    ]
    return slices, faults


def find_unlabelled(folder: Path) -> tuple[list[TrainingSlice], list[Fault]]:
    """As `read_unlabelled`; and what is wrong: no slices, files that are missing or damaged, strange names."""
    paths, faults = _images(folder / "unlabelled/images", r".+_\d+", "SERIES_NUMBER.jpg")
    by_series: dict[str, list[tuple[Path, Array, Array]]] = {}
    for path in sorted(paths, key=_series_and_number):
        pair, wrong = _pair(path, "pseudo-labels")
        faults += wrong
        if pair is not None:
            by_series.setdefault(_series_and_number(path)[0], []).append((path, *pair))
    slices = []
    for series, members in by_series.items():
        lung, tissue = grey_levels([image for _, image, _ in members])
        for path, image, weak in members:
            matched = match_grey(image, lung, tissue)
            slices.append(TrainingSlice(path.stem, _case(series), matched, weak=clean_weak(matched, weak)))
    return slices, faults


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


def _images(folder: Path, pattern: str, shape: str) -> tuple[list[Path], list[Fault]]:
    """The folder's JPGs whose names have the pattern, and what is wrong with the others."""
    paths = sorted(folder.glob("*.jpg"))
    usable = [p for p in paths if re.fullmatch(pattern, p.stem, re.ASCII)]
    where = "/".join(folder.parts[-2:])
    faults = [Fault(f"an image in {where} that is not called {shape}", p.name) for p in sorted({*paths} - {*usable})]
    return usable, faults if paths else [Fault(f"no slices: nothing that matches {where}/*.jpg")]


def _pair(image_path: Path, kind: str) -> tuple[tuple[Array, Array] | None, list[Fault]]:
    """An image and its target, in the folder beside its own that is called as its kind; or what is wrong with them."""
    targets = [image_path.parent.parent / kind / (image_path.stem + suffix) for suffix in (".png", ".jpg")]
    target_path = next((path for path in targets if path.is_file()), None)
    image, faults = _read(image_path, "L")
    if target_path is None:
        return None, [*faults, Fault(f"a slice without file in {kind}", image_path.stem)]
    target, wrong = _read(target_path, None if kind == "labels" else "L")
    if image is None or target is None:
        return None, [*faults, *wrong]
    if target.shape != image.shape:
        return None, [Fault(f"{kind} of another size than the image", image_path.stem)]
    return (image, target), []


def _read(path: Path, mode: str | None) -> tuple[Array | None, list[Fault]]:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert(mode) if mode else picture), []
    except (OSError, ValueError, EOFError, SyntaxError, Image.DecompressionBombError) as error:  # what Pillow raises
        return None, [Fault(f"the file cannot be read ({type(error).__name__})", f"{path.parent.name}/{path.name}")]


def _without_faults(folder: Path, slices: list[TrainingSlice], faults: list[Fault]) -> list[TrainingSlice]:
    raise_faults(
        f"the data set {folder.name} cannot be used",
        faults,
        expected="the COVID-SemiSeg layout described in docs/data.md",
        do="check the path, or take the data set anew from its source",
    )
    return slices


def _series_and_number(path: Path) -> tuple[str, int]:
    series, number = path.stem.rsplit("_", 1)
    return series, int(number)


def _case(series: str) -> str:
    """The case a series belongs to: two series of one Radiopaedia case are one patient."""
    match = re.search(r"coronacases_org_(\d+)|pneumonia-(\d+)_", series)
    if match is None:
        return series
    return f"coronacases-{match[1]}" if match[1] else f"radiopaedia-{match[2]}"
