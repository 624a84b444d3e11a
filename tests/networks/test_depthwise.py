from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from msdnet.networks.depthwise import DepthwiseConv2d, correlate
from msdnet.prediction.engines.processor import read_processor


@pytest.mark.parametrize("size", [3, 7, 11, 27])
@pytest.mark.parametrize("sides", [(4, 4), (8, 8), (5, 9), (14, 14), (37, 20)])
def test_training_gives_what_the_plain_convolution_gives(size: int, sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    convolution = DepthwiseConv2d(3, size)
    features = torch.randn(2, 3, *sides, requires_grad=True)
    outputs, gradients = [], []
    for training in (True, False):
        outputs.append(convolution.train(training)(features))
        gradients.append(torch.autograd.grad(outputs[-1].square().sum(), (features, convolution.weight)))
    assert torch.allclose(*outputs, atol=1e-5)
    for ours, plain in zip(*gradients, strict=True):
        assert torch.allclose(ours, plain, rtol=1e-4, atol=1e-4)


def test_mixed_precision_keeps_types_and_gives_nearly_the_same() -> None:
    if not read_processor(torch.device("cpu")).has_bf16:
        pytest.skip("needs a processor with bfloat16 instructions")
    torch.manual_seed(0)
    convolution = DepthwiseConv2d(4, 15)
    features = torch.randn(2, 4, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    exact = torch.autograd.grad(convolution.eval()(features).sum(), (features, convolution.weight))
    convolution.train()
    with torch.autocast("cpu", torch.bfloat16):
        output = convolution(features)
    assert output.dtype == torch.bfloat16
    mixed = torch.autograd.grad(output.sum(), (features, convolution.weight))
    for ours, full in zip(mixed, exact, strict=True):
        assert ours.dtype == torch.float32
        assert torch.allclose(ours, full, atol=0.02 * full.abs().max().item())


def test_the_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    convolution = DepthwiseConv2d(2, 7).double()
    assert torch.autograd.gradcheck(convolution, torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True))
    features = torch.randn(2, 2, 5, 6, dtype=torch.float64)

    def by_kernel(kernel: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(convolution, {"weight": kernel}, (features,))

    assert torch.autograd.gradcheck(by_kernel, convolution.weight.detach().clone().requires_grad_())


def test_correlation_reaches_no_place_around_the_edge() -> None:
    features, gradient = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    features[..., 0, 0] = gradient[..., 7, 7] = 1.0  # the one offset between them is -7 in both axes
    found = correlate(features, gradient, 15)
    expected = F.one_hot(torch.tensor(0), 225).float().view(1, 1, 15, 15)
    assert torch.allclose(found, expected, atol=1e-6)
