from __future__ import annotations

import numpy as np
import pytest

from msdnet.config import Preprocessing
from msdnet.prediction.field_of_view import FieldOfView, discard_outside, find_field_of_view, find_lungs, whole_field

SPACING = (5.0, 2.0, 2.0)
SETTINGS = Preprocessing(margin_mm=10, cavity_margin_mm=6)


def _disk(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    rows, columns = np.indices(shape)
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 1


def _chest(num_slices: int = 12, lungs: range = range(3, 9)) -> np.ndarray:
    """A body with two lungs in some slices, stomach gas in the lowest, and a couch that touches its back."""
    hu = np.full((num_slices, 120, 160), -1000, dtype=np.int16)
    hu[:, _disk((120, 160), (60, 80), (45, 70))] = 40
    hu[:, 104:107, 10:150] = 100  # couch
    hu[:, 107:112, 10:150] = -900  # its foam
    for z in lungs:
        for column in (50, 110):
            hu[z, _disk((120, 160), (60, column), (30, 20))] = -860
    hu[0, _disk((120, 160), (50, 100), (10, 12))] = -1000  # gas
    return hu


def _cavity(view: FieldOfView, height: int = 120, width: int = 160) -> np.ndarray:
    """The cavity of every slice, whole."""
    planes = [view.cavity(index, (slice(0, height), slice(0, width))) for index in range(len(view.extents))]
    return np.stack([plane for plane in planes if plane is not None])


def _kept(labels: np.ndarray, cavity: np.ndarray) -> np.ndarray:
    """What of labels is not discarded; every pixel of the cavity is one of theirs."""
    kept = labels.copy()
    discard_outside(kept, FieldOfView((), np.zeros((len(labels), 4)), cavity))
    return kept


def test_lungs_are_found_without_couch_gas_or_room_air() -> None:
    lungs, middle = find_lungs(_chest(), SPACING, SETTINGS)
    assert middle == pytest.approx(80, abs=1)
    assert np.array_equal(np.flatnonzero(lungs.any(axis=(1, 2))), np.arange(3, 9))
    truth = np.zeros((120, 160), bool)
    for column in (50, 110):
        truth |= _disk((120, 160), (60, column), (30, 20))
    assert np.array_equal(lungs[5], truth)


def test_room_air_as_bright_as_lung_is_none() -> None:
    """A body that reaches both sides of the picture parts the room air in two; the couch is a thin line in it."""
    hu = np.full((12, 120, 140), -925, dtype=np.int16)
    hu[:, 104:105, 10:130] = -500
    hu[:, _disk((120, 140), (60, 70), (45, 75))] = 40
    for column in (40, 100):
        hu[3:9, _disk((120, 140), (60, column), (30, 20))] = -900
    lungs, _ = find_lungs(hu, SPACING, SETTINGS)
    assert np.array_equal(lungs, hu == -900)


@pytest.mark.parametrize(
    "crop",
    [
        (slice(None), slice(45, 115)),
        (slice(45, None), slice(45, 115)),
        (slice(45, None), slice(45, None)),
        (slice(35, 85), slice(35, 125)),
    ],
    ids=["sides", "sides and front", "one side and front", "tight"],
)
def test_lungs_that_the_picture_cuts_on_several_sides_are_found(crop: tuple[slice, slice]) -> None:
    hu = _chest()[:, *crop]
    lungs, _ = find_lungs(hu, SPACING, SETTINGS)
    assert np.array_equal(lungs, hu == -860)


def test_the_box_holds_the_lungs_and_a_margin_and_slices_without_lung_are_skipped() -> None:
    view = find_field_of_view(_chest(), SPACING, SETTINGS)
    assert view.slices == tuple(range(2, 10))  # lungs in 3..8, one neighbour at each end
    # lungs in rows 30..90 and columns 30..130, 5 pixels of margin
    assert all(view.box(z) == (slice(25, 96), slice(25, 136)) for z in view.slices)
    assert view.notes == ()


def test_the_view_follows_lungs_that_taper_but_not_below_half_of_the_whole() -> None:
    hu = _chest()
    hu[6:9][hu[6:9] == -860] = 40
    for column in (60, 100):
        hu[6:9, _disk((120, 160), (60, column), (5, 4))] = -860
    view = find_field_of_view(hu, SPACING, SETTINGS)
    assert view.box(3) == (slice(25, 96), slice(25, 136))
    rows, columns = view.box(8)
    assert (rows.start, rows.stop) == (40, 81)  # half of 60 rows about the middle, and the margin
    assert columns.stop - columns.start == 61


def test_all_slices_can_be_asked_for_and_then_lesions_may_lie_in_them() -> None:
    view = find_field_of_view(_chest(), SPACING, SETTINGS, all_slices=True)
    assert view.slices == tuple(range(12))
    assert _cavity(view)[[0, 1, 10, 11]].all()
    assert not _cavity(view)[5].all()


def test_a_lesion_that_reaches_beyond_the_cavity_keeps_the_rest() -> None:
    cavity, labels = np.zeros((3, 10, 20), bool), np.zeros((3, 10, 20), np.uint8)
    cavity[:, :, :10] = True
    labels[:, 4:6, 5:13] = 2
    kept = _kept(labels, cavity)
    assert np.array_equal(np.flatnonzero(kept[1].any(axis=0)), np.arange(5, 10))
    assert np.array_equal(_kept(kept, cavity), kept)


def test_an_organ_that_the_cavity_cuts_is_discarded_with_what_lies_inside() -> None:
    cavity, labels = np.zeros((4, 10, 30), bool), np.zeros((4, 10, 30), np.uint8)
    cavity[:, :, :10] = True
    labels[:3, 4:6, 6:30] = 2  # the organ, and in the fourth slice a lesion above it, next to a smaller one
    labels[3, 4:6, 6:8] = 1
    labels[1, 8, 1:3] = 1
    kept = _kept(labels, cavity)
    assert np.count_nonzero(kept) == 2 * 2 + 2
    assert kept[3, 4:6, 6:8].all()
    assert kept[1, 8, 1:3].all()


def test_marks_are_kept_where_no_cavity_is_known_and_none_are_made_where_there_are_none() -> None:
    labels = np.zeros((3, 10, 20), np.uint8)
    cavity = np.zeros(labels.shape, bool)
    assert not _kept(labels, cavity).any()
    labels[1, 4:6, 5:13] = 2
    view = whole_field(labels.shape)
    assert view.cavity(1, view.box(1)) is None
    found = labels.copy()
    discard_outside(found, view)
    assert np.array_equal(found, labels)
    assert not _kept(labels, cavity).any()


def test_a_coarse_cavity_is_that_of_each_block_of_pixels() -> None:
    fine = _chest().repeat(3, axis=1).repeat(3, axis=2)[:, :-1, :-1]
    view = find_field_of_view(fine, (SPACING[0], SPACING[1] / 3, SPACING[2] / 3), SETTINGS)
    assert view.step == 2
    assert view.coarse_cavity is not None
    blocks = view.coarse_cavity[5].repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(_cavity(view, 359, 479)[5], blocks[:-1, :-1])
    box = slice(51, 150), slice(33, 240)
    assert np.array_equal(view.cavity(5, box), blocks[box])


def test_a_slice_next_to_the_lungs_has_the_cavity_of_its_neighbour() -> None:
    view = find_field_of_view(_chest(), SPACING, SETTINGS)
    assert np.array_equal(_cavity(view)[2], _cavity(view)[3])
    assert not _cavity(view)[1].any()


def test_a_lung_that_the_edge_of_the_picture_cuts_is_found_and_flagged() -> None:
    cut = _chest()[:, :, 50:]  # through the middle of the right lung
    lungs, _ = find_lungs(cut, SPACING, SETTINGS)
    assert lungs[5, 60, 0]
    assert lungs[5, 60, 60]
    assert not lungs[:, 107:].any()
    view = find_field_of_view(cut, SPACING, SETTINGS)
    assert view.box(5)[1].start == 0
    assert any("edge of the picture" in note for note in view.notes)


def test_a_wholly_consolidated_lung_is_looked_at_like_the_other_and_flagged() -> None:
    hu = _chest()
    hu[:, :, 85:][hu[:, :, 85:] == -860] = 30
    view = find_field_of_view(hu, SPACING, SETTINGS)
    assert _cavity(view)[5, 60, 110]
    assert any("Only one" in note for note in view.notes)


def test_consolidation_at_the_back_of_one_lung_stays_in_the_cavity() -> None:
    hu = _chest()
    back = np.zeros_like(hu, dtype=bool)
    back[:, 75:, 85:] = True
    hu[back & (hu == -860)] = 30
    view = find_field_of_view(hu, SPACING, SETTINGS)
    assert _cavity(view)[5, 80, 110]
    assert not _cavity(view)[5, 104, 110]  # the couch is outside
    assert not _cavity(view)[5, 60, 12]  # so is the chest wall


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda hu: hu[4:], "lower"),
        (lambda hu: hu[:7], "upper"),
        (lambda hu: np.where(hu < -500, np.int16(40), hu), "No lung"),
    ],
)
def test_a_partial_scan_is_flagged(change: object, named: str) -> None:
    view = find_field_of_view(change(_chest()), SPACING, SETTINGS)  # type: ignore[operator]
    assert any(named in note for note in view.notes)
