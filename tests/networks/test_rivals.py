from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from monai.networks.nets.attentionunet import AttentionLayer
from safetensors.torch import save_file
from torch import nn

from msdnet.errors import OptionError
from msdnet.networks import build_network
from msdnet.networks.msdnet import pad_to_stride


@pytest.mark.parametrize("name", ["unet", "unetplusplus", "unet_cbam", "attention_unet"])
def test_the_papers_rivals_have_the_originals_channels_norm_and_activation(name: str) -> None:
    with torch.device("meta"):
        network = build_network(name)
    assert {64, 128, 256, 512, 1024} <= {m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)}
    kinds = {type(m) for m in network.modules()}
    assert nn.ReLU in kinds
    assert not kinds & {nn.LeakyReLU, nn.PReLU, nn.InstanceNorm2d}


def test_attention_unet_merges_by_a_double_convolution() -> None:
    with torch.device("meta"):
        network = build_network("attention_unet", width=8)
    layers = [m for m in network.modules() if isinstance(m, AttentionLayer)]
    assert len(layers) == 4
    for layer in layers:
        assert [m.in_channels // m.out_channels for m in layer.merge.modules() if isinstance(m, nn.Conv2d)] == [2, 1]


def test_pspnet_and_deeplab_keep_the_whole_encoder_at_their_strides() -> None:
    images = torch.zeros(2, 1, 64, 64)
    for name, stride in (("pspnet", 8), ("deeplabv3", 8), ("deeplabv3plus", 16)):
        encoder = build_network(name, encoder="resnet18").network.encoder  # type: ignore[union-attr]
        deepest = encoder(images)[-1]
        assert deepest.shape == (2, 512, 64 // stride, 64 // stride), name


def test_encoder_weights_load_from_the_same_file_as_those_of_msdnet(tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.safetensors")
    arguments = {"encoder": "resnet18", "pretrained": tmp_path / "resnet18.safetensors"}
    wanted = build_network("msdnet", **arguments).encoder.state_dict()  # type: ignore[union-attr]
    for name in ("linknet", "pspnet"):
        loaded = build_network(name, **arguments).network.encoder.model.state_dict()  # type: ignore[union-attr]
        assert loaded.keys() == wanted.keys()
        assert all(torch.equal(loaded[key], wanted[key]) for key in wanted), name


def test_an_encoder_that_cannot_be_dilated_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="PSPNet cannot stand on encoder 'pvt_v2_b0'"):
        build_network("pspnet", encoder="pvt_v2_b0")


def test_padding_repeats_the_border_up_to_the_stride() -> None:
    images = torch.arange(33 * 40.0).reshape(1, 1, 33, 40)
    padded = pad_to_stride(images, 16)
    assert padded.shape == (1, 1, 48, 48)
    assert torch.equal(padded[..., :33, :40], images)
    assert torch.equal(padded[..., 47, 47], images[..., 32, 39])
