from __future__ import annotations

import torch
from torch import nn

from msdnet.networks import build_network


def test_it_has_the_thirteen_convolutions_of_vgg_16_twice() -> None:
    with torch.device("meta"):
        network = build_network("segnet")
    convolutions = [m for m in network.encoder.modules() if isinstance(m, nn.Conv2d)]  # type: ignore[union-attr]
    vgg = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    assert [m.out_channels for m in convolutions] == vgg
    mirrored = [m for level in reversed(network.decoder) for m in level.modules() if isinstance(m, nn.Conv2d)]  # type: ignore[arg-type, call-overload]
    assert [m.in_channels for m in mirrored] == vgg[::-1]
    assert mirrored[-1].out_channels == 4


def test_values_go_back_to_where_the_max_pool_took_them() -> None:
    network = build_network("segnet", width=4).eval()
    for level in (*network.encoder, *network.decoder):  # type: ignore[arg-type, misc]
        level.forward = lambda features: features  # only pooling and unpooling are left
    images = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        back = network(images)
    assert back.count_nonzero() == 1
    assert back.argmax() == images.argmax()
    assert back.max() == images.max()
