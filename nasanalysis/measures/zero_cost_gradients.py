"""Zero-cost measures from the gradient of the loss in the weights of convolutions and linear layers.

All read one pass over the batch in training mode (batch statistics), with the mean cross-entropy as loss L.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError
from .zero_cost_subject import Subject, total

#: ``reference``: as NAS-Bench-Suite-Zero computes it; ``paper``: as the paper that is cited defines it.
Variant = Literal["reference", "paper"]


def check_variant(variant: str) -> None:
    """`ParameterError` unless it is a `Variant`."""
    if variant not in ("reference", "paper"):
        raise ParameterError(f"variant: expected 'reference' or 'paper', got {variant!r}")


def grad_norm_of(subject: Subject) -> float:
    """Sum over layers of the Euclidean norm of the gradient of the weights."""
    return math.fsum(float(torch.linalg.vector_norm(g.detach().double())) for g in subject.train_pass.gradients)


def snip_of(subject: Subject) -> float:
    """Sum of ``|w dL/dw|``."""
    run = subject.train_pass
    return total((w * g).abs() for w, g in zip(run.weights, run.gradients, strict=True))


def plain_of(subject: Subject) -> float:
    """Sum of ``w dL/dw``, with its sign."""
    run = subject.train_pass
    return total(w * g for w, g in zip(run.weights, run.gradients, strict=True))


def grasp_of(subject: Subject) -> float:
    """Sum of ``-w (H g)``."""
    run = subject.train_pass
    return -total(w * h for w, h in zip(run.weights, run.hessian_gradient, strict=True))


def fisher_of(subject: Subject, variant: Variant = "reference") -> float:
    """Sum over channels of half the mean over images of ``(sum of a dL/da over positions)^2``."""
    check_variant(variant)
    return math.fsum(
        float(_channel_saliency(layer, output, gradient).sum()) * (_fan_in(layer) if variant == "reference" else 1)
        for layer, output, gradient in subject.train_pass.activations
    )


def _channel_saliency(layer: nn.Module, output: Tensor, gradient: Tensor) -> Tensor:
    """(channels,) float64; channels come second after a convolution, last after a linear layer."""
    product = (output * gradient).double()
    if isinstance(layer, nn.Linear):
        product = product.movedim(-1, 1)
    return product.flatten(2).sum(2).square().mean(0) / 2 if product.ndim > 2 else product.square().mean(0) / 2


def _fan_in(layer: nn.Module) -> int:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight[0].numel()
