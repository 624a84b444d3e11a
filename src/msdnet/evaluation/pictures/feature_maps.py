"""Where the decoder looks: heat maps of each refinement block's output for each class.

Source: section IV and figure 5 of the paper: columns are the outputs of the residual refinement blocks (RRB), rows the
classes, hotter is higher. How its maps were selected per class is not said.
Reading: Grad-CAM (Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
ICCV 2017) at each RRB output A, for the logit of class c summed over a set of pixels M, as Vinogradova et al.
("Towards interpretable semantic segmentation via gradient-weighted class activation mapping", AAAI 2020) do for
segmentation:

    y = sum of logit_c over M,    w_k = mean over the map of dy / dA_k,    map = ReLU(sum over k of w_k A_k)

M is the set of pixels predicted as c, or those of c in labels that are given. w_k knows no place: where a block's maps
mean different things in different places, the hot spots can lie beside what M depends on. "hires_cam" (Draelos and
Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020,
arXiv:2011.08891) takes dy / dA_k itself in place of w_k, and shows only places that M depends on.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from msdnet.config import Preprocessing
from msdnet.errors import OptionError, SchemaError
from msdnet.labels import LabelSchema
from msdnet.slices import Fit, fit, normalise, unfit

Method = Literal["grad_cam", "hires_cam", "mean_activation"]
METHODS: dict[Method, str] = {"grad_cam": "Grad-CAM", "hires_cam": "HiResCAM", "mean_activation": "mean activation"}


@runtime_checkable
class Decoder(Protocol):
    """What a network must show so that maps can be made of it, as MSDNet does.

    decode: images (B, C, H, W) -> the outputs of the decoder's blocks (B, C_s, h_s, w_s), deepest first, each computed
        from the one before it.
    classify: the last of them -> logits.
    """

    def decode(self, images: Tensor) -> list[Tensor]: ...  # noqa: D102

    def classify(self, refined: Tensor) -> Tensor: ...  # noqa: D102


def compute_feature_maps(
    network: object,
    grey: Tensor,
    settings: Preprocessing,
    schema: LabelSchema,
    *,
    labels: Tensor | None = None,
    method: Method = "grad_cam",
) -> Tensor:
    """One map for each class of the schema and each block, from deep to shallow, at the slice's own size.

    Each map is scaled to its own highest value, so maps are compared in shape, not in strength. A map without any
    positive value is all 0, as it is where no pixel is of the class.

    Shapes: grey (H, W) in 0..1 on the network's device, labels (H, W) integers -> (classes, stages, H, W) in 0..1.
    With "mean_activation", the mean over channels of each block's output, which knows no class: (1, stages, H, W).

    Args:
        network: In evaluation mode; see `Decoder`.
        grey: The slice.
        settings: The preprocessing that the network was trained with.
        schema: Whose classes are the network's.
        labels: Sums the logit over the pixels of a class in these labels, instead of those predicted as it.
        method: "grad_cam", "hires_cam" or "mean_activation".

    Raises:
        OptionError: if the network does not show its decoder, or the method is unknown.
        SchemaError: if the labels have another size than the slice, or the network has other classes.
    """
    if not isinstance(network, Decoder):
        raise OptionError(
            "this network does not show its decoder",
            got=type(network).__name__,
            expected="a network with decode(images) -> block outputs, deepest first, and classify(last) -> logits",
            do="use MSDNet, or give the network these two methods",
        )
    if method not in METHODS:
        raise OptionError(
            f"unknown method {method!r}", got=str(method), expected="one of " + ", ".join(METHODS), do="choose one"
        )
    if labels is not None and labels.shape != grey.shape:
        raise SchemaError(
            "labels and slice differ in size",
            got=f"{tuple(labels.shape)} and {tuple(grey.shape)}",
            expected="one size",
            do="give the slice's own labels",
        )
    with torch.inference_mode(False), torch.enable_grad():
        fitted, plan = fit(grey.detach().clone()[None, None], settings.size)
        images = normalise(fitted, settings).requires_grad_()  # so that frozen networks have gradients too
        outputs = network.decode(images)
        if method == "mean_activation":
            maps = [[output.detach().mean(dim=1, keepdim=True) for output in outputs]]
        else:
            logits = network.classify(outputs[-1])
            _check_classes(logits, schema)
            if labels is None:
                labels = unfit(logits.detach().softmax(dim=1), plan)[0].argmax(dim=0)  # as prediction does
            scores = unfit(logits, plan)[0]  # (C, H, W)
            maps = [_cam(scores[c.index][labels == c.index].sum(), outputs, method) for c in schema.classes]
    return torch.stack([torch.stack([_on_slice(one, settings.size, plan) for one in row]) for row in maps])


def _cam(score: Tensor, outputs: list[Tensor], method: Method) -> list[Tensor]:
    """ReLU(sum over channels of weight x output) of each block: (1, 1, h_s, w_s)."""
    gradients = torch.autograd.grad(score, outputs, retain_graph=True, materialize_grads=True)
    weights = gradients  # (1, C_s, h_s, w_s)
    if method == "grad_cam":
        weights = tuple(gradient.mean(dim=(2, 3), keepdim=True) for gradient in gradients)  # (1, C_s, 1, 1)
    return [F.relu((w * o.detach()).sum(dim=1, keepdim=True)) for w, o in zip(weights, outputs, strict=True)]


def _on_slice(one: Tensor, size: int, plan: Fit) -> Tensor:
    """A block's map (1, 1, h, w) at the slice's own size (H, W), scaled to 0..1."""
    square = F.interpolate(one, size=(size, size), mode="bilinear", align_corners=False)
    found = unfit(square, plan)[0, 0].clamp(min=0)
    highest = found.max()
    return found / highest if highest > 0 else torch.zeros_like(found)


def _check_classes(logits: Tensor, schema: LabelSchema) -> None:
    if logits.shape[1] != schema.num_classes:
        raise SchemaError(
            f"the network has other classes than the schema {schema.name!r}",
            got=f"{logits.shape[1]} outputs",
            expected=f"{schema.num_classes}, background included",
            do="use the schema in the weights' card",
        )
