"""What every entry of NETWORKS must hold to, so that networks can be compared and exchanged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from msdnet.errors import MissingExtraError, OptionError
from msdnet.networks import NETWORKS, build_network
from msdnet.networks.folding import fold

WITH_WIDTH = ("unet", "unetplusplus", "unet_cbam", "attention_unet", "segnet")
WITH_ENCODER = tuple(name for name in NETWORKS if name not in WITH_WIDTH)
ONE_IMAGE_IS_TOO_FEW = ("deeplabv3", "deeplabv3plus", "upernet")  # batch norm over one value per image

# With 4 classes and 1 channel: as published (width 64, or ResNet-101), and small (width 32, or ResNet-18).
PARAMETERS = {
    "msdnet": (106_391_300, 16_104_260),
    "unet": (31_106_372, 7_780_004),
    "unetplusplus": (36_443_076, 9_115_108),
    "unet_cbam": (31_325_384, 7_835_432),
    "attention_unet": (34_877_616, 8_725_600),
    "segnet": (29_436_228, 7_363_748),
    "fcn": (42_508_748, 11_174_348),
    "pspnet": (48_808_388, 11_977_028),
    "deeplabv3": (58_620_356, 15_893_444),
    "deeplabv3plus": (45_664_212, 12_323_796),
    "linknet": (50_163_732, 11_657_604),
    "manet": (166_426_284, 21_669_636),
    "fpn": (45_102_276, 13_041_348),
    "upernet": (56_271_300, 19_486_020),
    "segformer_head": (43_823_812, 11_762_884),
    "encoder_unet": (51_507_396, 14_322_372),
    "encoder_unetplusplus": (67_972_036, 15_964_612),
}


def _small(name: str, **arguments: object) -> nn.Module:
    torch.manual_seed(0)
    size: dict[str, object] = {"width": 16} if name in WITH_WIDTH else {"encoder": "resnet18"}
    return build_network(name, **{**size, **arguments})


@pytest.fixture(scope="module", params=NETWORKS)
def named(request: pytest.FixtureRequest) -> tuple[str, nn.Module]:
    """A small network with three classes and two channels, in evaluation mode; tests leave it as it is."""
    return request.param, _small(request.param, num_classes=3, in_channels=2).eval()


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (100, 65)])
def test_any_size_from_32_gives_finite_logits_of_that_size(named: tuple[str, nn.Module], size: tuple[int, int]) -> None:
    images = torch.randn(2, 2, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits = named[1](images)
    assert logits.shape == (2, 3, *size)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    assert logits.std() > 0


def test_evaluation_is_deterministic_and_takes_each_image_for_itself(named: tuple[str, nn.Module]) -> None:
    images = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = named[1](images)
        assert torch.equal(named[1](images), together)
        assert torch.allclose(named[1](images[1:]), together[1:], atol=1e-4)


def test_a_smaller_image_is_refused(named: tuple[str, nn.Module]) -> None:
    with pytest.raises(OptionError, match="31 x 64"):
        named[1](torch.zeros(1, 2, 31, 64))


def test_the_output_is_the_same_after_save_and_load(named: tuple[str, nn.Module], tmp_path: Path) -> None:
    name, network = named
    torch.manual_seed(1)
    other = _small(name, num_classes=3, in_channels=2).eval()
    for parameter in other.parameters():
        nn.init.normal_(parameter, std=0.01)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    images = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert not torch.equal(network(images), other(images))
        other.load_state_dict(load_file(tmp_path / "model.safetensors"))
        assert torch.equal(network(images), other(images))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = _small(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm starts the last one of each residual block at zero
        if type(module).__name__ == "ChannelAttn":
            nn.init.constant_(module.fc1.weight, 0.1)  # type: ignore[union-attr]  # of so few units all may start dead
    images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    network.train()(images).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []
    before_norm = {  # a bias before a norm has no effect, so its gradient is rounding only
        f"{path}.bias"
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None
    }
    still = [n for n, p in network.named_parameters() if n not in before_norm and not p.grad.abs().sum() > 0]  # type: ignore[union-attr]
    assert still == []


@pytest.mark.parametrize("name", ONE_IMAGE_IS_TOO_FEW)
def test_networks_that_cannot_train_on_one_image_are_those_that_say_so(name: str) -> None:
    assert "at least two images" in " ".join((NETWORKS[name].__doc__ or "").split())
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        _small(name).train()(torch.zeros(1, 1, 64, 64))


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in ONE_IMAGE_IS_TOO_FEW])
def test_the_others_train_on_one_image_of_64(name: str) -> None:
    logits = _small(name).train()(torch.zeros(1, 1, 64, 64))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_of_parameters_is_pinned(name: str) -> None:
    key, published, small = ("width", 64, 32) if name in WITH_WIDTH else ("encoder", "resnet101", "resnet18")
    counts = []
    with torch.device("meta"):
        for arguments in ({}, {key: published}, {key: small}):
            counts.append(sum(p.numel() for p in build_network(name, **arguments).parameters()))
    assert counts[0] == counts[1]  # the default is the published one
    assert tuple(counts[1:]) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_argument_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="colour"):
        build_network(name, colour="blue")


@pytest.mark.parametrize("name", NETWORKS)
def test_documentation_opens_with_a_line_and_names_its_source(name: str) -> None:
    text = NETWORKS[name].__doc__ or ""
    assert text.partition("\n")[0].endswith(".")
    assert "Source:" in text or name.startswith("encoder_")
    assert "Deviation:" in text


@pytest.mark.parametrize("name", WITH_ENCODER)
def test_an_unknown_encoder_or_file_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="resnet999"):
        build_network(name, encoder="resnet999")
    with pytest.raises(OptionError, match=r"nowhere\.safetensors"):
        build_network(name, encoder="resnet18", pretrained="nowhere.safetensors")


@pytest.mark.parametrize("name", WITH_WIDTH)
def test_a_width_below_two_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="width 1"):
        build_network(name, width=1)


def test_msdnet_is_built_without_the_libraries_of_its_rivals() -> None:
    code = (
        "import sys; from msdnet.networks import build_network; build_network('msdnet', encoder='resnet18');"
        "print(sorted({'monai', 'segmentation_models_pytorch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("unet", "monai.networks.nets.basic_unet"),
        ("unetplusplus", "monai.networks.nets.basic_unetplusplus"),
        ("unet_cbam", "monai.networks.nets.basic_unet"),
        ("attention_unet", "monai.networks.nets.attentionunet"),
        ("pspnet", "segmentation_models_pytorch"),
    ],
)
def test_a_missing_library_names_the_extra_that_brings_it(
    name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "msdnet\[train\]"'):
        build_network(name)


def test_folded_for_prediction_it_gives_the_same_logits(named: tuple[str, nn.Module]) -> None:
    folded = fold(named[1], in_channels=2)
    images = torch.randn(2, 2, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        before, after = named[1](images), folded(images)
    assert torch.allclose(before, after, atol=1e-4 * max(1.0, float(before.abs().max())))
