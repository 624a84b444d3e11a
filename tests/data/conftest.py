from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from msdnet.data.covid_semiseg import TrainingSlice


@pytest.fixture
def drawn_slices() -> list[TrainingSlice]:
    """Twelve slices of random blobs in six groups, labelled; the first two show no lesion."""
    rng = np.random.default_rng(0)
    slices = []
    for i in range(12):
        image = rng.integers(0, 256, (40 + i, 50), dtype=np.uint8)
        labels = np.zeros(image.shape, dtype=np.uint8)
        if i >= 2:
            labels[5:15, 5:20] = 1
            labels[20:30, 30:40] = 2
        slices.append(TrainingSlice(f"s{i}", f"g{i // 2}", image, labels=labels))
    return slices


@pytest.fixture
def draw_picture() -> Callable[..., np.ndarray]:
    """A function from a seed to a smooth grey picture, unlike that of any other seed."""

    def draw(seed: int, shape: tuple[int, int] = (40, 50)) -> np.ndarray:
        smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
        return np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)).astype(np.uint8)

    return draw


@pytest.fixture
def write_pictures(tmp_path: Path, draw_picture: Callable[..., np.ndarray]) -> Callable[..., Path]:
    """A function that writes a folder of the layout "pictures": p0, p1, ...; the first shows no lesion."""

    def write(count: int = 6) -> Path:
        folder = tmp_path / "pictures"
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True)
        for i in range(count):
            image = draw_picture(i)
            labels = np.zeros(image.shape, dtype=np.uint8)
            if i:
                labels[5:15, 5:20], labels[20:30, 30:40] = 1, 2
            Image.fromarray(image).save(folder / f"images/p{i}.png")
            Image.fromarray(labels).save(folder / f"labels/p{i}.png")
        return folder

    return write


@pytest.fixture
def write_volume() -> Callable[..., None]:
    """A function that writes voxels as NIfTI with voxels of 1 x 1 x 5 mm, first axis to the right, unless told else."""

    def write(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        affine = np.diag([1.0, 1.0, 5.0, 1.0]) if affine is None else affine
        image = nib.Nifti1Image(voxels, affine)
        image.header.set_xyzt_units("mm")
        image.set_sform(affine, code=1)
        nib.save(image, path)

    return write


@pytest.fixture
def draw_volume() -> Callable[..., np.ndarray]:
    """A function from a seed to voxels (30, 24, 5) in HU: smooth lung and tissue."""

    def draw(seed: int, shape: tuple[int, int, int] = (30, 24, 5)) -> np.ndarray:
        smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (3, 3, 1))
        return np.interp(smooth, (smooth.min(), smooth.max()), (-1000, 200)).astype(np.int16)

    return draw
