from __future__ import annotations

import numpy as np
from scipy import ndimage

from msdnet.data.similarity import group_near_duplicates, similarity


def _picture(seed: int, size: int = 120) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), 6)
    return np.interp(smooth, (smooth.min(), smooth.max()), (0, 255)).astype(np.uint8)


def test_a_picture_is_like_itself_turned_flipped_and_cropped() -> None:
    picture = _picture(0)
    assert similarity(picture, np.rot90(picture)) > 0.99
    assert similarity(picture, picture[::-1].T) > 0.99
    assert similarity(picture, picture[3:-2, 4:]) > 0.8


def test_unrelated_pictures_are_not_alike() -> None:
    assert similarity(_picture(0), _picture(1)) < 0.6


def test_groups_follow_chains_and_are_numbered_by_their_first_member() -> None:
    a, b = _picture(0), _picture(1)
    assert group_near_duplicates([a, b, np.rot90(a), b[:, ::-1], _picture(2)]) == [0, 1, 0, 1, 4]
