from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage

from msdnet.evaluation.surface_distance import hausdorff95_mm


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI, in its own call
@pytest.mark.parametrize("shape", [(24, 20), (9, 14, 12)])
def test_distance_agrees_with_monai_under_anisotropic_spacing(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        noise = ndimage.gaussian_filter(rng.normal(size=(2, *shape)), (0, *[1.5] * len(shape)))
        predicted, true = noise[0] > 0.1, noise[1] > rng.uniform(0, 0.15)  # blobs, which touch the border
        assert predicted.any()
        assert true.any()
        spacing_mm = tuple(float(s) for s in rng.uniform(0.4, 5, len(shape)))
        theirs = compute_hausdorff_distance(
            torch.from_numpy(predicted)[None, None],
            torch.from_numpy(true)[None, None],
            include_background=True,
            percentile=95,
            spacing=spacing_mm,
        ).item()
        assert hausdorff95_mm(predicted, true, spacing_mm) == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_distance_of_two_points_is_their_distance_in_mm() -> None:
    a, b = np.zeros((2, 8, 8), dtype=bool)
    a[1, 1] = b[4, 5] = True
    assert hausdorff95_mm(a, b, (2.0, 0.5)) == pytest.approx(np.hypot(6, 2))


def test_distance_is_symmetrical_and_zero_for_one_mask() -> None:
    a, b = np.random.default_rng(0).uniform(size=(2, 12, 12)) > 0.7
    assert hausdorff95_mm(a, b, (1, 3)) == hausdorff95_mm(b, a, (1, 3)) > 0
    assert hausdorff95_mm(a, a, (1, 3)) == 0


def test_distance_to_nothing_is_undefined() -> None:
    full, empty = np.ones((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    assert hausdorff95_mm(full, empty, (1, 1)) is None
    assert hausdorff95_mm(empty, full, (1, 1)) is None
    assert hausdorff95_mm(empty, empty, (1, 1)) is None
