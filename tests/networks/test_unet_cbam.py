from __future__ import annotations

import torch
from timm.layers.cbam import CbamModule
from torch import nn

from msdnet.networks import build_network


def test_a_cbam_follows_each_double_convolution() -> None:
    with torch.device("meta"):
        unet = build_network("unet_cbam").network
    encoder = [unet.conv_0, *(getattr(unet, f"down_{i}").convs for i in (1, 2, 3, 4))]  # type: ignore[union-attr]
    decoder = [getattr(unet, f"upcat_{i}").convs for i in (4, 3, 2, 1)]
    assert [list(c._modules) for c in encoder + decoder] == [["conv_0", "conv_1", "cbam"]] * 9
    channels = [c.cbam.channel.fc1.in_channels for c in encoder + decoder]
    assert channels == [64, 128, 256, 512, 1024, 512, 256, 128, 64]
    assert [c.cbam.channel.fc1.out_channels for c in encoder] == [4, 8, 16, 32, 64]


def test_without_its_cbams_it_is_the_unet() -> None:
    torch.manual_seed(0)
    attentive, plain = build_network("unet_cbam", width=8).eval(), build_network("unet", width=8).eval()
    shared = {k: v for k, v in attentive.state_dict().items() if ".cbam." not in k}
    plain.load_state_dict(shared)
    images = torch.randn(1, 1, 32, 48)
    with torch.inference_mode():
        assert not torch.allclose(attentive(images), plain(images))
        for module in attentive.modules():
            for name, child in module.named_children():
                if isinstance(child, CbamModule):
                    setattr(module, name, nn.Identity())
        assert torch.equal(attentive(images), plain(images))
