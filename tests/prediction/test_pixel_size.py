from __future__ import annotations

from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from torch import nn

from msdnet.config import Preprocessing
from msdnet.prediction import Segmenter
from msdnet.prediction.pixel_size import notes_on_pixels
from msdnet.scans import read_scan
from msdnet.scans.scan import Scan, Source
from msdnet.weights import Card

COARSE, NOT_SQUARE = "pixels are coarse", "not square"


def _scan(spacing_mm: tuple[float, float, float], *, orientation: str = "HPL", known: bool = True) -> Scan:
    """A scan with these distances of slices, rows and columns, stored with its axes as `orientation` says."""
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2] = spacing_mm
    affine[3, 3] = 1
    volume = hd.Volume(np.zeros((4, 20, 24), np.int16), affine, "PATIENT").to_patient_orientation(orientation)
    return Scan(volume, "HU", known, True, Source("volume", "x", "0"))


@pytest.mark.parametrize("orientation", ["HPL", "LPH", "AFR"])
@pytest.mark.parametrize(
    ("spacing_mm", "expected"),
    [
        ((5.0, 0.7, 0.7), []),
        ((5.0, 2.0, 2.0), []),
        ((0.8, 1.2, 0.8), []),
        ((1.0, 2.1, 2.1), [COARSE]),
        ((0.8, 1.3, 0.8), [NOT_SQUARE]),
        ((0.8, 0.8, 1.3), [NOT_SQUARE]),
        ((0.7, 5.0, 0.7), [COARSE, NOT_SQUARE]),
    ],
)
def test_coarse_and_oblong_pixels_are_said(
    spacing_mm: tuple[float, float, float], expected: list[str], orientation: str
) -> None:
    notes = notes_on_pixels(_scan(spacing_mm, orientation=orientation))
    assert len(notes) == len(expected)
    assert all(words in note for words, note in zip(expected, notes, strict=True))


def test_nothing_is_said_of_pixels_whose_size_is_unknown() -> None:
    assert notes_on_pixels(_scan((1.0, 5.0, 1.0), known=False)) == ()


def test_the_notes_are_part_of_a_segmentation() -> None:
    card = Card("test", "msdnet", {}, "ggo-consolidation", Preprocessing(size=96))
    network = nn.Conv2d(1, 3, kernel_size=1)
    segmentation = Segmenter(network, card, device="cpu").segment(_scan((5.0, 4.2, 4.2)))
    assert any(COARSE in note for note in segmentation.notes)


@pytest.mark.parametrize("name", ["ct-64.nrrd", "id002-128x128x64.nii.gz"])
def test_small_copies_of_real_scans_are_told_to_be_coarse(name: str, data_folder: Path) -> None:
    (note,) = notes_on_pixels(read_scan(data_folder / "ct-small" / name))
    assert COARSE in note
