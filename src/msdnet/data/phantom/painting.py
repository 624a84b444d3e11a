"""make_phantom: paints a chest, its vessels and its lesions slice by slice, then adds what a scanner adds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from scipy.ndimage import gaussian_filter

from msdnet.data.phantom.anatomy import Chest, ChestPainter
from msdnet.data.phantom.fields import CENTRE_Y_MM, Array, Grid, paint
from msdnet.data.phantom.lesions import PATTERNS, Lesions
from msdnet.data.phantom.vessels import Coverage, grow_trees
from msdnet.errors import OptionError
from msdnet.labels import get_schema
from msdnet.scans.scan import Scan, Source

FIELD_MM = (240.0, 352.0, 352.0)
MAX_SLAB_MM = 2.0
BLUR_MM = 0.7
SCHEMA = "msdnet-paper"
_TO_SCHEMA = {
    SCHEMA: {"ggo": "ggo", "interstitial": "interstitial", "consolidation": "consolidation"},
    "ggo-consolidation": {"ggo": "ggo", "interstitial": "ggo", "consolidation": "consolidation"},
    "infection": {"ggo": "infection", "interstitial": "infection", "consolidation": "infection"},
}


@dataclass(frozen=True)
class Phantom:
    """A synthetic chest CT and its truth.

    Arrays are (S, H, W): slices ascend towards the head, rows towards the back, columns towards the patient's left.

    Attributes:
        voxels_hu: int16, -1,024 to 3,071 HU.
        spacing_mm: Distance of voxel centres along slices, rows and columns.
        slab_mm: Thickness of a slice; less than the slice spacing where that is wide.
        labels: uint8 in the schema "msdnet-paper": 1 GGO, 2 interstitial infiltrates, 3 consolidation.
        lungs: uint8: 1 right, 2 left lung; from the shapes' formulas, not from the voxels.
        seed: The seed it was made from.
    """

    voxels_hu: Array
    spacing_mm: tuple[float, float, float]
    slab_mm: float
    labels: Array
    lungs: Array
    seed: int

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """The first voxel's centre in DICOM's patient coordinates (x left, y back, z head)."""
        slices, rows, columns = (-(n - 1) / 2 * mm for n, mm in zip(self.voxels_hu.shape, self.spacing_mm, strict=True))
        return columns, rows + CENTRE_Y_MM, slices

    def labels_in(self, schema: str) -> Array:
        """The truth (S, H, W) uint8 in another schema; where that has no interstitial class, infiltrates count as GGO.

        Raises:
            OptionError: if there is no schema of that name.
        """
        target = {c.name: c.index for c in get_schema(schema).classes}
        lookup = np.zeros(get_schema(SCHEMA).num_classes, dtype=np.uint8)
        for label in get_schema(SCHEMA).classes:
            lookup[label.index] = target[_TO_SCHEMA[schema][label.name]]
        return np.asarray(lookup[self.labels])


def make_phantom(
    seed: int = 0,
    *,
    shape: tuple[int, int, int] = (40, 320, 320),
    spacing_mm: tuple[float, float, float] | None = None,
    lesions: Sequence[str] = ("ggo", "interstitial", "consolidation"),
    lesion_scale: float = 1.0,
    noise_hu: float = 22.0,
) -> Phantom:
    """A chest CT with its truth, the same for the same arguments.

    The seed alone decides the person; lesions, grid and noise are laid over it.

    Args:
        seed: 0 or more; every seed is another person.
        shape: Slices, rows, columns.
        spacing_mm: Distance of voxel centres along the same axes. None spreads the shape over a whole chest,
            240 x 352 x 352 mm: 6.0 x 1.1 x 1.1 mm at the default shape.
        lesions: The classes to place; empty for a healthy chest.
        lesion_scale: The same lesions this many times as wide, as at another time of the disease.
        noise_hu: Standard deviation of the noise in HU.

    Raises:
        OptionError: if an argument cannot be used.
    """
    _check(seed, shape, spacing_mm, lesions, lesion_scale, noise_hu)
    dz, dy, dx = spacing_mm or [field / n for field, n in zip(FIELD_MM, shape, strict=True)]
    grid = Grid(shape, (dz, dy, dx), min(dz, MAX_SLAB_MM))
    shape_rng, painter_rng, tree_rng, lesion_rng, noise_rng = (np.random.default_rng([seed, k]) for k in range(5))
    chest = Chest(shape_rng)
    painter = ChestPainter(chest, grid, painter_rng)
    arteries, veins = grow_trees(chest, tree_rng)
    bronchi = arteries.select(arteries.num_tips >= 4)
    wide = bronchi.select(bronchi.num_tips >= 40)
    vessels = [Coverage(tree, grid) for tree in (arteries, veins)]
    walls, lumens = Coverage(wide.beside(0.75, 0.8, 0.8), grid), Coverage(wide.beside(0.75, 0.0, 0.8), grid)
    bronchograms = Coverage(bronchi.beside(0.75, 0.2, 0.8), grid)
    disease = Lesions(chest, grid, lesions, lesion_rng, lesion_scale) if lesions else None

    voxels = np.empty(shape, dtype=np.int16)
    labels, lungs = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    for index in range(shape[0]):
        x, y, z = painter.coordinates(index)
        image = painter.tissue(index, x, y, z)
        depth = chest.lung(x, y, z)
        if depth.max() > -grid.pixel_mm:
            lungs[index] = np.where(depth > 0, np.where(x < 2, 1, 2), 0)
            inner = painter.parenchyma(index, x, y, z)
            strength: dict[str, Array] = {}
            if disease is not None:
                labels[index], strength = disease.labels(index, x, y, z, depth)
                inner = disease.opacify(inner, index, x, y, z, depth, strength)
            _mix(inner, walls.slice(index), -150.0)
            _mix(inner, np.maximum(*(tree.slice(index) for tree in vessels)), 38.0)
            _mix(inner, lumens.slice(index), -975.0)
            if "consolidation" in strength:
                _mix(inner, bronchograms.slice(index) * strength["consolidation"], -900.0)
            paint(image, depth, inner, grid.pixel_mm)
        voxels[index] = _scan_slice(image, grid, noise_hu, noise_rng)
    return Phantom(voxels, grid.spacing_mm, grid.slab_mm, labels, lungs, seed)


def to_scan(phantom: Phantom) -> Scan:
    """The phantom as a scan in memory, its axes and place those of the DICOM series `write_phantom_dicom` writes."""
    dz, dy, dx = phantom.spacing_mm
    affine = np.array([[0, 0, dx, 0], [0, dy, 0, 0], [dz, 0, 0, 0], [0, 0, 0, 1]], dtype=float)
    affine[:3, 3] = phantom.origin_mm
    return Scan(
        volume=hd.Volume(phantom.voxels_hu, affine, "PATIENT"),
        intensity="HU",
        spacing_known=True,
        orientation_known=True,
        source=Source("volume", f"phantom-{phantom.seed:04d}", hashlib.sha256(phantom.voxels_hu.tobytes()).hexdigest()),
        seg_obstacle="the scan was made in memory and has no DICOM files",
    )


def _mix(image: Array, share: Array, hu: float) -> None:
    image += share * (hu - image)


def _scan_slice(image: Array, grid: Grid, noise_hu: float, rng: np.random.Generator) -> Array:
    """A slice as a scanner gives it: a little blurred, with noise of a grain about as wide as the blur."""
    rows_mm, columns_mm = grid.spacing_mm[1:]
    sharp = gaussian_filter(image, (BLUR_MM / rows_mm, BLUR_MM / columns_mm))
    grain = (0.55 / rows_mm, 0.55 / columns_mm)
    noise = gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), grain)
    noise *= noise_hu / noise.std()
    return np.asarray(np.clip(np.rint(sharp + noise), -1024, 3071), dtype=np.int16)


def _check(
    seed: int,
    shape: Sequence[int],
    spacing_mm: Sequence[float] | None,
    lesions: Sequence[str],
    lesion_scale: float,
    noise_hu: float,
) -> None:
    """Refuses arguments that would give no phantom or another one than meant."""
    if seed < 0:
        raise OptionError("no phantom for this seed", got=str(seed), expected="0 or more", do="choose another seed")
    if len(shape) != 3 or min(shape) < 1:
        raise OptionError(
            "no phantom of this shape",
            got=str(shape),
            expected="three numbers of 1 or more: slices, rows, columns",
            do="for instance shape=(24, 64, 64)",
        )
    if spacing_mm is not None and not (len(spacing_mm) == 3 and all(math.isfinite(mm) and mm > 0 for mm in spacing_mm)):
        raise OptionError(
            "no phantom with this spacing",
            got=str(spacing_mm),
            expected="three lengths above 0 mm: slices, rows, columns",
            do="for instance spacing_mm=(6.0, 1.1, 1.1), or leave it out",
        )
    unknown = [name for name in lesions if name not in PATTERNS] if not isinstance(lesions, str) else [lesions]
    if unknown:
        raise OptionError(
            "unknown lesions for the phantom",
            got=repr(lesions),
            expected="a sequence of names out of " + ", ".join(PATTERNS),
            do='for instance lesions=("ggo",), or lesions=() for a healthy chest',
        )
    if not (math.isfinite(lesion_scale) and lesion_scale > 0):
        raise OptionError(
            "no phantom with lesions of this width", got=str(lesion_scale), expected="above 0", do="for instance 1.1"
        )
    if not (math.isfinite(noise_hu) and noise_hu >= 0):
        raise OptionError(
            "no phantom with this noise", got=str(noise_hu), expected="0 HU or more", do="for instance 22"
        )
