from __future__ import annotations

import dataclasses

import pytest
import torch

from msdnet.config import Augmentation, Preprocessing, Stage
from msdnet.data.augmentation import apply_transform, cut_and_mix, draw_cut, draw_transform
from msdnet.data.batches import FittedSlices, StepBatches
from msdnet.data.covid_semiseg import TrainingSlice

STILL = Augmentation(
    rotation_deg=0,
    flip=False,
    scale=(1, 1),
    stretch=0,
    shift=0,
    contrast=0,
    brightness=0,
    gamma=0,
    noise=0,
    blur=0,
    elastic=0,
)
SETTINGS = Preprocessing(size=64)


def _batches(slices: list[TrainingSlice], augmentation: Augmentation, first: int = 0, last: int = 10) -> StepBatches:
    weak = [dataclasses.replace(s, labels=None, weak=s.image) for s in slices]
    stage = Stage(steps=10, num_labelled=4, num_weak=2)
    fitted = FittedSlices(slices, 64, 2), FittedSlices(weak, 64, 2)
    return StepBatches(*fitted, stage, augmentation, SETTINGS, 0, first, last)


def test_a_batch_has_the_stated_shapes_and_ranges(drawn_slices: list[TrainingSlice]) -> None:
    batch = _batches(drawn_slices, Augmentation())[0]
    assert batch["images"].shape == (6, 1, 64, 64)
    assert batch["targets"].shape == (4, 2, 64, 64)
    assert batch["weak"].shape == (2, 1, 64, 64)
    grey = batch["images"] * SETTINGS.std + SETTINGS.mean
    assert grey.min() >= -1e-5
    assert grey.max() <= 1 + 1e-5
    assert 0 <= batch["targets"].min() <= batch["targets"].sum(1).max() <= 1 + 1e-5


def test_weak_targets_can_say_the_class(drawn_slices: list[TrainingSlice]) -> None:
    weak = [dataclasses.replace(s, labels=None, weak=s.image) for s in drawn_slices]
    fitted, split = (FittedSlices(weak, 64, 2, split_weak=each) for each in (False, True))
    assert split.targets.shape == (len(weak), 2, 64, 64)
    together = split.targets.int().sum(1, keepdim=True)
    assert torch.allclose(together.float(), fitted.targets.float(), atol=2)  # rounded twice


def test_a_step_is_the_same_wherever_its_run_starts(drawn_slices: list[TrainingSlice]) -> None:
    whole, rest = _batches(drawn_slices, Augmentation()), _batches(drawn_slices, Augmentation(), first=7)
    for key, value in whole[8].items():
        assert torch.equal(value, rest[1][key])
        assert not torch.equal(value, whole[7][key])


def test_every_slice_comes_once_before_any_comes_again(drawn_slices: list[TrainingSlice]) -> None:
    batches = _batches(drawn_slices, STILL)
    seen = torch.cat([batches[i]["images"][:4] for i in range(3)])  # 3 steps of 4 are all 12 slices
    assert len(torch.unique(seen.flatten(1), dim=0)) == 12


def test_without_ranges_nothing_changes(drawn_slices: list[TrainingSlice]) -> None:
    fitted = FittedSlices(drawn_slices[:3], 64, 2)
    transform = draw_transform(STILL, 3, 64, torch.Generator().manual_seed(0))
    images, targets = fitted.images.float() / 255, fitted.targets.float() / 255
    grey, warped = apply_transform(images, targets, transform)
    inside = images[:, 1:] == 1
    assert torch.allclose(grey[inside], images[:, :1][inside], atol=1e-4)
    assert torch.allclose(warped, targets, atol=1e-4)


def test_image_and_labels_move_together() -> None:
    """A slice whose grey is its own label map keeps that property under every geometric transform."""
    image = torch.zeros(8, 2, 64, 64)
    image[:, 1] = 1.0
    image[:, 0, 20:40, 12:50] = 1.0
    settings = dataclasses.replace(Augmentation(), contrast=0, brightness=0, gamma=0, noise=0, blur=0)
    transform = draw_transform(settings, 8, 64, torch.Generator().manual_seed(3))
    grey, targets = apply_transform(image, image[:, :1].clone(), transform)
    inside = targets > 0.999
    assert inside.any()
    assert (grey[inside] > 0.99).all()


def test_surroundings_are_no_lesion_and_not_empty(drawn_slices: list[TrainingSlice]) -> None:
    settings = dataclasses.replace(Augmentation(), scale=(0.5, 0.5), shift=0, elastic=0)
    fitted = FittedSlices(drawn_slices[2:6], 64, 2)
    transform = draw_transform(settings, 4, 64, torch.Generator().manual_seed(0))
    grey, targets = apply_transform(fitted.images.float() / 255, fitted.targets.float() / 255, transform)
    edge = torch.ones(64, 64, dtype=torch.bool)
    edge[10:-10, 10:-10] = False
    assert targets[..., edge].max() == 0
    assert grey[..., edge].std() > 0.05


def test_what_comes_in_from_outside_can_be_black() -> None:
    white, target = torch.ones(4, 2, 64, 64), torch.ones(4, 1, 64, 64)
    painted, black = (
        draw_transform(dataclasses.replace(STILL, rotation_deg=180, surroundings=wanted), 4, 64, torch.manual_seed(3))
        for wanted in (True, False)
    )
    grey, inside = apply_transform(white, target, painted)
    outside = inside == 0
    assert outside.any()
    assert grey[outside].max() > 0.5
    grey, inside_too = apply_transform(white, target, black)
    assert torch.equal(inside, inside_too)  # all else is drawn alike
    assert grey[outside].max() < 0.001
    half = black.of(slice(0, None, 2))
    assert torch.equal(apply_transform(white[::2], target[::2], half)[0], grey[::2])


def test_a_coarse_slice_is_averaged_over_blocks_and_the_others_stay() -> None:
    pixels = torch.arange(64)
    board = ((pixels[:, None] + pixels[None]) % 2).float().expand(1, 1, 64, 64)
    images = torch.cat([board, torch.ones_like(board)], dim=1).repeat(3, 1, 1, 1)
    still = draw_transform(STILL, 3, 64, torch.Generator().manual_seed(0))
    grey, _ = apply_transform(
        images, board.repeat(3, 1, 1, 1), dataclasses.replace(still, block=torch.tensor([1, 2, 4.0]))
    )
    assert torch.allclose(grey[0], board[0], atol=1e-3)
    assert torch.allclose(grey[1:], torch.full_like(grey[1:], 0.5), atol=1e-3)


def test_slices_are_coarse_as_often_as_asked() -> None:
    drawn = draw_transform(dataclasses.replace(STILL, coarse=0.3), 1000, 32, torch.Generator().manual_seed(0)).block
    assert 0.25 < float((drawn > 1).float().mean()) < 0.35
    assert 3.8 < float(drawn.max()) <= 4.0
    assert bool((draw_transform(STILL, 1000, 32, torch.Generator().manual_seed(0)).block == 1).all())


def test_a_rectangle_of_another_slice_brings_its_target_along() -> None:
    grey = torch.stack([torch.full((1, 32, 32), value) for value in (0.1, 0.4, 0.8)])
    cut = torch.tensor([[0.0, 0.5, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.25, 0.5, 0.5, 1.0]])
    mixed, targets = cut_and_mix(grey, 2 * grey, cut)
    assert torch.equal(targets, 2 * mixed)
    assert (mixed[0, 0, :16] == 0.8).all()  # of the last one
    assert (mixed[0, 0, 16:] == 0.1).all()
    assert torch.equal(mixed[1], grey[1])
    assert int((mixed[2] == 0.4).sum()) == 8 * 16
    assert (mixed[2, 0, 8:16, 16:] == 0.4).all()


def test_rectangles_are_taken_as_often_as_asked_and_of_all_sizes() -> None:
    cut = draw_cut(0.7, 2000, torch.Generator().manual_seed(0))
    area = (cut[:, 1] - cut[:, 0]) * (cut[:, 3] - cut[:, 2])
    assert 0.65 < float((area > 0).float().mean()) < 0.75
    assert float(area.min()) == 0
    assert 0.5 < float(area.max()) <= 1
    assert float(cut.min()) >= 0
    assert float(cut.max()) <= 1


def test_rectangles_change_weak_slices_alone_and_no_other_draw(drawn_slices: list[TrainingSlice]) -> None:
    plain, mixed = _batches(drawn_slices, Augmentation())[2], _batches(drawn_slices, Augmentation(cutmix=1.0))[2]
    assert torch.equal(plain["images"][:4], mixed["images"][:4])
    assert torch.equal(plain["targets"], mixed["targets"])
    both = plain["images"][4:]  # every pixel is still the slice's own or the other one's
    own, others = mixed["images"][4:] == both, mixed["images"][4:] == both.roll(1, 0)
    assert (own | others).all()
    assert own.float().mean() > 0.1
    assert (~own).float().mean() > 0.1
    assert not torch.equal(plain["weak"], mixed["weak"])


def test_processes_share_a_mixed_batch(drawn_slices: list[TrainingSlice]) -> None:
    whole = _batches(drawn_slices, Augmentation(cutmix=1.0))
    shares = [StepBatches(*_arguments(whole), rank, 2)[1] for rank in (0, 1)]
    for key in ("targets", "weak"):
        assert torch.equal(torch.stack([s[key] for s in shares], 1).flatten(0, 1), whole[1][key])


def _arguments(batches: StepBatches) -> tuple:
    settings = batches.stage, batches.augmentation, batches.preprocessing
    return batches.labelled, batches.weak, *settings, batches.seed, batches.first, batches.last


def test_heavy_noise_comes_as_often_as_asked_and_changes_no_other_draw() -> None:
    plain, heavy = (
        draw_transform(Augmentation(heavy_noise=share), 4000, 32, torch.Generator().manual_seed(3))
        for share in (0.0, 0.25)
    )
    changed = heavy.noise_sd != plain.noise_sd
    assert changed.float().mean() == pytest.approx(0.25, abs=0.03)
    assert heavy.noise_sd[changed].max() == pytest.approx(0.35, abs=0.01)
    assert heavy.noise_sd[changed].mean() == pytest.approx(0.175, abs=0.02)
    assert plain.noise_sd.max() <= 0.04
    for field in dataclasses.fields(plain):
        if field.name != "noise_sd":
            assert torch.equal(getattr(plain, field.name), getattr(heavy, field.name))
