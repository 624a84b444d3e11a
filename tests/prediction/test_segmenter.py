from __future__ import annotations

import contextlib
import dataclasses

import highdicom as hd
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from msdnet.config import Preprocessing
from msdnet.data.phantom import make_phantom, to_scan
from msdnet.errors import OptionError
from msdnet.prediction import Segmenter, device
from msdnet.prediction import segmenter as segmenter_module
from msdnet.prediction.slicewise import most_probable, predict_probabilities
from msdnet.prediction.steadiness import LOOKS
from msdnet.prediction.trust import AREA_FLOOR, FEATURES
from msdnet.scans.scan import Scan, Source
from msdnet.weights import Card, load_weights

CARD = Card("test", "msdnet", {}, "ggo-consolidation", Preprocessing(size=96))


class Brightness(nn.Module):
    """Marks grey above 0.6 as class 1: a network whose answer is known."""

    def forward(self, images: Tensor) -> Tensor:
        grey = images * CARD.preprocessing.std + CARD.preprocessing.mean
        return torch.cat([torch.zeros_like(grey), 40 * (grey - 0.6), torch.full_like(grey, -9.0)], dim=1)


def _picture(size: tuple[int, int] = (70, 90)) -> tuple[Scan, np.ndarray]:
    grey = np.full(size, 60, np.uint8)
    grey[10:30, 50:80] = 220
    volume = hd.Volume(grey[None], np.eye(4), "PATIENT")
    return Scan(volume, "grey", False, False, Source("picture", "x", "0")), grey > 150


def test_a_picture_gets_labels_of_its_own_size_at_the_right_place() -> None:
    scan, truth = _picture()
    segmentation = Segmenter(Brightness(), CARD, device="cpu").segment(scan)
    assert segmentation.labels.shape == scan.voxels.shape
    assert segmentation.labels.dtype == np.uint8
    difference = (segmentation.labels[0] == 1) != truth
    assert difference.mean() < 0.01
    assert segmentation.skipped_slices == ()


@pytest.mark.parametrize("orientation", ["HPL", "LAF", "RPH"])
def test_labels_follow_the_scans_own_axes(orientation: str) -> None:
    phantom = to_scan(make_phantom(seed=1, shape=(12, 96, 96)))
    reference = Segmenter(Brightness(), CARD, device="cpu").segment(phantom).labels
    turned = dataclasses.replace(phantom, volume=phantom.volume.to_patient_orientation(orientation))
    labels = Segmenter(Brightness(), CARD, device="cpu").segment(turned).labels
    assert labels.shape == turned.voxels.shape
    expected = phantom.volume.with_array(reference).to_patient_orientation(orientation).array
    assert np.array_equal(labels, expected)
    assert labels.any()


def test_lesions_lie_in_the_chest_cavity_only_and_slices_without_lung_are_skipped() -> None:
    phantom = make_phantom(seed=1, shape=(24, 96, 96))
    scan = to_scan(phantom)
    segmentation = Segmenter(Brightness(), CARD, device="cpu").segment(scan)
    outside_body = scan.voxels < -950
    assert not segmentation.labels[:, :3].any()
    assert (segmentation.labels[outside_body] > 0).mean() < 0.01
    skipped = set(segmentation.skipped_slices)
    assert not segmentation.labels[sorted(skipped)].any()
    assert Segmenter(Brightness(), CARD, device="cpu", all_slices=True).segment(scan).skipped_slices == ()


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    scan = to_scan(make_phantom(seed=1, shape=(12, 64, 64)))
    Segmenter(Brightness(), CARD, device="cpu").segment(scan, lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_flips_average_the_four_mirror_images() -> None:
    class LeftRight(nn.Module):
        """Calls the left half of what it sees a lesion: the average over mirror images must be undecided."""

        def forward(self, images: Tensor) -> Tensor:
            score = torch.linspace(2, -2, images.shape[-1]).expand_as(images)
            return torch.cat([-score, score], dim=1)

    grey = [torch.rand(64, 64, generator=torch.Generator().manual_seed(0))]
    once = predict_probabilities(LeftRight(), grey, CARD.preprocessing)[0]
    four = predict_probabilities(LeftRight(), grey, CARD.preprocessing, flips=True)[0]
    assert once[1, 0, 0] > 0.9
    assert torch.allclose(four, torch.full_like(four, 0.5), atol=1e-5)


def test_lesions_come_from_the_network_alone() -> None:
    """With shuffled weights the masks change: nothing else marks a lesion."""
    scan = to_scan(make_phantom(seed=0, shape=(10, 128, 128)))
    network, card = load_weights(None)
    before = Segmenter(network, card, device="cpu").segment(scan).labels
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        flat = parameter.data.flatten()
        parameter.data = flat[torch.randperm(len(flat), generator=generator)].reshape(parameter.shape)
    after = Segmenter(network, card, device="cpu").segment(scan).labels
    assert before.any()
    union = (before > 0) | (after > 0)
    assert ((before > 0) & (after > 0)).sum() < 0.5 * union.sum()
    for parameter in network.parameters():
        parameter.data.zero_()
    network.get_parameter("head.bias").data.copy_(torch.tensor([1.0, 0.0, 0.0]))
    assert not Segmenter(network, card, device="cpu").segment(scan).labels.any()


def test_the_most_probable_class_is_the_first_of_equal_ones() -> None:
    probabilities = torch.rand(4, 50, 60, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    probabilities[2, :20] = probabilities[1, :20]
    probabilities[:, 40:] = 0.25
    kept = probabilities.clone()
    labels = most_probable(probabilities)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, probabilities.argmax(dim=0).to(torch.uint8))
    assert torch.equal(probabilities, kept)


@pytest.mark.parametrize(("build", "is_refused"), [("2.15.0", True), ("2.15.0+rocm7.1", False)])
def test_cuda_without_a_driver_is_refused_unless_torch_is_built_for_amd(
    build: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_driver(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(device.ctypes, "CDLL", no_driver)
    monkeypatch.setattr(device, "version", lambda name: build)
    for name in ("auto", "cpu"):
        device.check_device(name)
    with pytest.raises(OptionError, match="no NVIDIA driver") if is_refused else contextlib.nullcontext():
        device.check_device("cuda")


def test_cuda_with_a_driver_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: None)
    device.check_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match="is_available"):
        device.choose_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(OptionError, match="tpu"):
        Segmenter(Brightness(), CARD, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match="CUDA"):
            Segmenter(Brightness(), CARD, device="cuda")


def test_five_lines_of_python_do_it() -> None:
    from msdnet import Segmenter as Public

    segmentation = Public.from_pretrained(device="cpu").segment(_picture()[0])
    assert segmentation.weights_name == load_weights()[1].name
    assert segmentation.weights_sha256 == load_weights()[1].sha256


def _model(class_name: str) -> dict[str, object]:
    line = {"intercept": 0.0, "slopes": [1.0, 0.0], "low": -0.1, "high": 0.1}
    features = {"means": [0.0] * 2, "scales": [1.0] * 2, "features": FEATURES, "looks": LOOKS, "area_floor": AREA_FLOOR}
    # the predicted DSC is the agreement itself
    return {"class_name": class_name, **features, "dsc": line, "log_ratio": line, "review_below": 0.5, "num_slices": 40}


def test_trust_is_told_where_the_card_has_a_model_of_it() -> None:
    card = dataclasses.replace(CARD, trust=[_model("ggo"), _model("consolidation")])
    scan, _ = _picture()
    [trust] = Segmenter(Brightness(), card, device="cpu").segment(scan).trust
    assert trust.class_name == "ggo"  # nothing is marked as consolidation
    assert 0.95 < trust.predicted_dsc <= 1  # brightness is the same from every side
    assert not trust.review
    assert Segmenter(Brightness(), CARD, device="cpu").segment(scan).trust == ()


def test_trust_is_told_from_few_slices_of_a_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = segmenter_module.measure_steadiness

    def remember(network, grey, *others):
        seen.append(len(grey))
        return original(network, grey, *others)

    monkeypatch.setattr(segmenter_module, "measure_steadiness", remember)
    monkeypatch.setattr(segmenter_module, "AGAIN_SLICES", 5)
    card = dataclasses.replace(CARD, trust=[_model("ggo")])
    scan = to_scan(make_phantom(seed=1, shape=(24, 96, 96)))
    segmentation = Segmenter(Brightness(), card, device="cpu").segment(scan)
    assert np.count_nonzero(segmentation.labels.any(axis=(1, 2))) > 5
    assert sum(seen) == 5
    assert len(segmentation.trust) == 1


def test_a_class_on_few_of_many_slices_is_looked_at_again() -> None:
    labels = np.zeros((60, 8, 8), np.uint8)
    labels[:, 2:4, 2:4] = 1
    labels[3:5, 5, 5] = 2
    chosen = segmenter_module._spread_over_classes(labels, 12)
    assert len(chosen) <= 12
    assert {3, 4} & set(chosen)
    assert {0, 59} <= set(chosen)


def test_with_flips_trust_is_that_of_the_plain_look() -> None:
    card = dataclasses.replace(CARD, trust=[_model("ggo")])
    scan, _ = _picture()
    plain, averaged = (Segmenter(Brightness(), card, device="cpu", flips=f).segment(scan).trust for f in (False, True))
    assert plain == averaged
