"""Results of one person, written by a segmenter that knows the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from msdnet.data.phantom import Phantom, make_phantom
from msdnet.labels import get_schema
from msdnet.prediction import Segmentation
from msdnet.prediction.repeatability import Repeatability
from msdnet.quantification.follow_up import Timepoint
from msdnet.scans import find_scans
from msdnet.study import segment_study

SHAPE = (24, 80, 80)


class KnowingSegmenter:
    """Marks what it was told, whatever it sees."""

    flips = all_slices = False

    def __init__(self, labels: np.ndarray, sds: Sequence[float] = (0.03, 0.03, 0.03)) -> None:
        self.labels, self.sds, self.weights = labels, sds, "0f" * 32

    def segment(self, scan, progress=None):
        schema = get_schema("ggo-consolidation")
        names = [*schema.names, "any_lesion"]
        plain, again = (9999,) * 4, [(round(10_000 * np.exp(sd)) - 1,) * 4 for sd in self.sds]
        looks = tuple(Repeatability(name, plain, a) for name, a in zip(names, again, strict=True))
        looks = looks if self.labels.any() else ()  # as the segmenter has it
        return Segmentation(scan, self.labels, schema, "fake", self.weights, "cpu", repeatability=looks)


def write_result(phantom: Phantom, folder: Path, *, segmenter=None, shift: int = 0) -> Path:
    """The result of a phantom's scan, whose picture lies some voxels further to the left."""
    place = folder.with_name(f"{folder.name}.nii.gz")
    affine = np.diag([-phantom.spacing_mm[2], -phantom.spacing_mm[1], phantom.spacing_mm[0], 1.0])
    nib.save(nib.Nifti1Image(np.roll(phantom.voxels_hu, shift, axis=2).transpose(2, 1, 0), affine), place)
    labels = np.ascontiguousarray(np.roll(phantom.labels_in("ggo-consolidation"), shift, axis=2).transpose(2, 1, 0))
    segment_study(find_scans([place])[0], folder, segmenter or KnowingSegmenter(labels))
    return folder


@pytest.fixture(scope="session")
def phantoms() -> tuple[Phantom, Phantom]:
    """A person, and the same with larger lesions."""
    before, after = (make_phantom(5, shape=SHAPE, lesion_scale=scale) for scale in (1.0, 1.2))
    return before, after


@pytest.fixture(scope="session")
def results(phantoms, tmp_path_factory) -> tuple[Path, Path]:
    """Two results of that person, the second 2 voxels further to the left."""
    folder = tmp_path_factory.mktemp("results")
    first = write_result(phantoms[0], folder / "first")
    return first, write_result(phantoms[1], folder / "second", shift=2)


@pytest.fixture
def copy_of(results, tmp_path) -> Callable[[int], Path]:
    """A function that gives a result as a copy which a test may spoil."""

    def copy(place: int) -> Path:
        return Path(shutil.copytree(results[place], tmp_path / f"copy-{place}"))

    return copy


@pytest.fixture
def write() -> Callable[..., Path]:
    """`write_result`."""
    return write_result


@pytest.fixture
def make_point() -> Callable[..., Timepoint]:
    """A function that makes a result without files: of a day, with what differs in its run.json."""

    def make(
        day: int, *, ggo_ml: float = 100.0, consolidation_ml: float = 50.0, lungs_ml: float = 4000.0, **entries: object
    ) -> Timepoint:
        record = {
            "weights": {"name": "w", "sha256": "0f"},
            "input": {"sha256": f"scan of day {day}", "spacing_mm": {"slice": 2.0, "row": 0.7, "column": 0.7}},
            "version": "0.1",
            "engine": {"engine": "torch", "precision": "f32"},
            "options": {},
            "files": {},
            **entries,
        }
        volumes = {"ggo": ggo_ml, "consolidation": consolidation_ml, "any_lesion": ggo_ml + consolidation_ml}
        figures = {("scan", name, "volume_ml"): ml for name, ml in volumes.items()}
        figures |= {("lungs", name, "mass_g"): 0.5 * ml for name, ml in volumes.items()}
        figures |= {("lungs", name, "percent"): 100 * ml / lungs_ml for name, ml in volumes.items()}
        told = {"lungs_ml": lungs_ml, "sd": dict.fromkeys(volumes, 0.03), "num_looks": 4}
        return Timepoint(Path(), day, get_schema("ggo-consolidation"), record, figures, **told)

    return make
