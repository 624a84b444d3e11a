from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from msdnet import build_network
from msdnet.errors import OptionError
from msdnet.networks import MSDNet
from msdnet.networks.msdnet import CAB, PCB, RRB, Addition, ResidualBlock, pcb_kernel_sizes

PARAMETERS = {
    ("resnet101", "per_branch"): 106_391_300,
    ("resnet101", "shared"): 91_456_772,
    ("resnet18", "per_branch"): 16_104_260,
    ("resnet18", "shared"): 15_172_292,
}


def _light(**arguments: object) -> MSDNet:
    torch.manual_seed(0)
    return MSDNet("resnet18", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "sizes"), [(1, (3,)), (2, (7, 11)), (3, (11, 15, 19)), (4, (15, 19, 23, 27))])
@pytest.mark.parametrize("pointwise", ["per_branch", "shared"])
def test_pcb_has_the_papers_kernels_all_depth_wise(stage: int, sizes: tuple[int, ...], pointwise: str) -> None:
    assert pcb_kernel_sizes(stage) == sizes
    convolutions = [m for m in PCB(8, stage, pointwise).modules() if isinstance(m, nn.Conv2d)]  # type: ignore[arg-type]
    depth_wise = [m for m in convolutions if m.groups == 8]
    assert [m.kernel_size for m in depth_wise] == [(s, s) for s in sizes]
    point_wise = [m for m in convolutions if m.groups == 1]
    assert [m.kernel_size for m in point_wise] == [(1, 1)] * (len(sizes) if pointwise == "per_branch" else 1)


def test_pcb_and_cab_keep_channels_and_size() -> None:
    features, later = torch.randn(2, 8, 9, 7), torch.randn(2, 8, 9, 7)
    assert PCB(8, 3)(features).shape == features.shape
    assert CAB(8)(features, later).shape == features.shape


def test_cab_weighs_the_multiscale_features_and_adds_the_later_ones() -> None:
    block = CAB(2)
    nn.init.zeros_(block.attention.weight)
    with torch.no_grad():
        block.attention.bias.copy_(torch.tensor([0.0, 100.0]))  # after the sigmoid: 1/2 and 1
    features, later = torch.randn(1, 2, 3, 3), torch.randn(1, 2, 3, 3)
    expected = features * torch.tensor([0.5, 1.0])[None, :, None, None] + later
    assert torch.allclose(block(features, later), expected)


def test_rrb_sums_every_step_or_only_the_last() -> None:
    torch.manual_seed(0)
    block = RRB(6, 4).eval()
    x = torch.randn(1, 6, 5, 5)
    x0 = block.project(x)
    a = block.first(x0)
    b = block.second(torch.relu(a))
    assert torch.allclose(block(x), torch.relu(x0 + a + b))
    block.total = "last"
    assert torch.allclose(block(x), torch.relu(x0 + b))


@pytest.mark.parametrize(("encoder", "pointwise"), PARAMETERS)
def test_the_number_of_parameters_is_pinned(encoder: str, pointwise: str) -> None:
    with torch.device("meta"):
        network = MSDNet(encoder, pointwise=pointwise)  # type: ignore[arg-type]
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[encoder, pointwise]


def test_the_decoder_has_the_papers_channels() -> None:
    with torch.device("meta"):
        network = MSDNet("resnet101")
    assert [r.project.out_channels for r in network.refinements] == [64, 256, 512, 1024]
    assert [r.project.in_channels for r in network.refinements] == [256, 512, 1024, 2048]


def test_every_parameter_gets_a_gradient() -> None:
    network = _light(num_classes=3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm starts the last one of each residual block at zero
    network(torch.randn(2, 1, 64, 64)).square().mean().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (100, 64), (129, 131)])
def test_any_size_from_32_gives_logits_of_that_size(size: tuple[int, int]) -> None:
    network = _light().eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 1, *size))
    assert logits.shape == (1, 4, *size)
    assert torch.isfinite(logits).all()


def test_a_smaller_image_is_refused() -> None:
    with pytest.raises(OptionError, match="31 x 64"):
        _light()(torch.randn(1, 1, 31, 64))


def test_the_output_is_the_same_after_save_and_load(tmp_path: Path) -> None:
    network, other = _light().eval(), MSDNet("resnet18").eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    images = torch.randn(1, 1, 64, 96)
    with torch.inference_mode():
        assert not torch.equal(network(images), other(images))
        other.load_state_dict(load_file(tmp_path / "w.safetensors"))
        assert torch.equal(network(images), other(images))


def test_ablation_switches_change_what_they_name_and_nothing_else() -> None:
    whole = _kinds(_light())
    assert _kinds(_light(pyramid=False)) == whole | {"pcbs": {nn.Identity}}
    assert _kinds(_light(channel_attention=False)) == whole | {"cabs": {Addition}}
    assert _kinds(_light(refinement="rb")) == whole | {"refinements": {ResidualBlock}}
    assert whole == {"pcbs": {PCB}, "cabs": {CAB}, "refinements": {RRB}}
    last = _light(rrb_sum="last")
    assert _kinds(last) == whole
    assert {r.total for r in last.refinements} == {"last"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"encoder": "resnet999"}, "resnet999"),
        ({"encoder": "vit_tiny_patch16_224"}, "strides"),
        ({"pointwise": "none"}, "pointwise"),
        ({"refinement": "rbb"}, "refinement"),
        ({"rrb_sum": "first"}, "rrb_sum"),
        ({"pretrained": "nowhere.safetensors"}, "nowhere.safetensors"),
    ],
)
def test_an_argument_without_meaning_is_refused(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        MSDNet(**({"encoder": "resnet18"} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("encoder", ["swin_tiny_patch4_window7_224", "mambaout_femto"])
def test_an_encoder_of_one_size_or_other_axes_is_refused_at_once(encoder: str) -> None:
    with pytest.raises(OptionError, match="does not give maps of any size"):
        MSDNet(encoder)


def test_encoder_weights_load_from_a_local_file(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(1)
    plain = timm.create_model("resnet18", pretrained=False)
    save_file(plain.state_dict(), tmp_path / "resnet18.safetensors")
    network = MSDNet("resnet18", pretrained=tmp_path / "resnet18.safetensors")
    loaded = network.encoder.state_dict()
    assert torch.equal(loaded["layer1.0.conv1.weight"], plain.state_dict()["layer1.0.conv1.weight"])
    grey = plain.state_dict()["conv1.weight"].sum(dim=1, keepdim=True)  # one channel takes the three's sum
    assert torch.allclose(loaded["conv1.weight"], grey)


def test_an_unknown_network_or_argument_names_the_valid_ones() -> None:
    with pytest.raises(OptionError, match="msdnet"):
        build_network("msdnett")
    with pytest.raises(OptionError, match="encodr"):
        build_network("msdnet", encodr="resnet18")


def _kinds(network: MSDNet) -> dict[str, set[type]]:
    return {part: {type(m) for m in getattr(network, part)} for part in ("pcbs", "cabs", "refinements")}
