"""What the shipped weights mark, so that a change of weights, preprocessing or network is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import convex_hull_image

from msdnet.data.phantom import make_phantom, to_scan
from msdnet.evaluation.trust import fit_trust, trust_table
from msdnet.evaluation.trust_rows import read_trust_rows
from msdnet.prediction import Segmenter
from msdnet.prediction.trust import read_trust_models
from msdnet.scans import read_scan
from msdnet.weights import read_card

# From `msdnet demo` with the shipped weights on a CPU. Another processor may round differently in the last bit.
PHANTOM_VOXELS = {"ggo": 60_357, "consolidation": 31_509}
TOLERANCE = 0.01


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained(device="cpu")


def test_the_phantoms_voxel_counts_are_as_pinned(segmenter: Segmenter) -> None:
    phantom = make_phantom()
    labels = segmenter.segment(to_scan(phantom)).labels
    counts = {c.name: int((labels == c.index).sum()) for c in segmenter.card.label_schema.classes}
    assert counts == {name: pytest.approx(count, rel=TOLERANCE) for name, count in PHANTOM_VOXELS.items()}
    truth = phantom.labels_in("ggo-consolidation") > 0
    marked = labels > 0
    assert 2 * (truth & marked).sum() / (truth.sum() + marked.sum()) > 0.6


def test_a_healthy_phantom_stays_nearly_clean(segmenter: Segmenter) -> None:
    phantom = make_phantom(lesions=())
    labels = segmenter.segment(to_scan(phantom)).labels
    assert (labels > 0).sum() < 0.02 * (phantom.lungs > 0).sum()


def test_nearly_healthy_lungs_in_a_real_scan_stay_clean(segmenter: Segmenter, data_folder: Path) -> None:
    """The series shows a lesion at the left apex and healthy lungs otherwise; shoulders, arms and couch around them."""
    scan = read_scan(data_folder / "ct-lungfcp")
    lesions = segmenter.segment(scan).labels > 0
    lungs = _lungs(scan.voxels)
    left_apex = np.zeros_like(lungs)
    left_apex[60:, :, lungs.shape[2] // 2 :] = True  # slices ascend to the head, columns to the patient's left
    assert lesions[left_apex].any()
    assert (lesions & lungs & ~left_apex).sum() < 0.02 * lungs.sum()
    cavity = np.stack([ndimage.binary_dilation(convex_hull_image(p), iterations=4) if p.any() else p for p in lungs])
    assert (lesions & cavity).sum() >= 0.97 * lesions.sum()


def _lungs(hu: np.ndarray) -> np.ndarray:
    """Air below -500 HU inside the body, holes filled: nothing of the product's own lung finding."""
    body = np.zeros(hu.shape, dtype=bool)
    for plane, out in zip(hu, body, strict=True):
        labels, count = ndimage.label(ndimage.binary_opening(plane > -300, iterations=4))
        if count:
            out[:] = ndimage.binary_fill_holes(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
    labels, _ = ndimage.label((hu < -500) & body)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.stack([ndimage.binary_fill_holes(p) for p in np.isin(labels, np.flatnonzero(sizes > 20_000))])


def test_the_cards_trust_is_fitted_on_the_kept_rows() -> None:
    card = read_card()
    rows = read_trust_rows(Path(__file__).parents[1] / "docs" / "results" / f"{card.name}-trust-per-slice.csv")
    for kept, fitted in zip(read_trust_models(card.trust), fit_trust(rows), strict=True):
        assert kept.class_name == fitted.class_name
        assert kept.dsc.slopes == pytest.approx(fitted.dsc.slopes)
        assert kept.review_below == pytest.approx(fitted.review_below)


def test_the_page_shows_how_well_the_trust_holds() -> None:
    page = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    rows = read_trust_rows(Path(__file__).parents[1] / "docs" / "results" / f"{read_card().name}-trust-per-slice.csv")
    for line in trust_table(rows, read_card().label_schema).markdown().splitlines():
        assert not line.startswith("| ") or line in page
