"""Loss along random directions in the weights, filter-normalised (Li et al. 2018, "Visualizing the loss landscape").

A direction is Gaussian; each of its filters is then scaled to the norm of the network's own filter
(Section 4 there; in a linear layer the weights of one neuron are a filter), so that curvatures of networks
with different scales of weights can be compared. Biases and batch-norm parameters are not moved, as in the
authors' code (``biasbn``). Steps are taken on a copy in evaluation mode: the caller's network stays as it
is, byte by byte.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import polars as pl
import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError
from .perturb import mean_loss

#: Parameter name -> step, of the parameter's shape.
Direction = Mapping[str, Tensor]


@torch.no_grad()
def filter_normalised_direction(net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """A random direction: for every filter, ``d / |d| * |w|``; parameters of one dimension get zeros."""
    direction = {}
    for name, weight in net.named_parameters():
        if weight.dim() <= 1:
            direction[name] = torch.zeros_like(weight)
            continue
        step = torch.randn(weight.shape, generator=generator, device=weight.device, dtype=weight.dtype)
        target, drawn = (tensor.flatten(1).norm(dim=1) for tensor in (weight, step))
        scale = target / drawn.clamp_min(1e-10)
        direction[name] = step * scale.view(-1, *[1] * (weight.dim() - 1))
    return direction


@torch.no_grad()
def loss_surface(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    alphas: Sequence[float],
    betas: Sequence[float] = (0.0,),
    *,
    generator: torch.Generator,
    batch: int = 256,
) -> pl.DataFrame:
    """Columns ``alpha, beta, loss``: mean cross-entropy (nats) of ``w + alpha d1 + beta d2``.

    `d1`, `d2` are filter-normalised and drawn from `generator` in this order; a step of 1 is as long as the
    weights themselves. With the default `betas` it is a line along d1. Loss is null where it is not finite.
    """
    if not len(alphas) or not len(betas):
        raise NasAnalysisError("loss_surface: expected at least one alpha and one beta")
    first = filter_normalised_direction(net, generator)
    second = filter_normalised_direction(net, generator)
    subject = copy.deepcopy(net).eval()
    kept = {name: p.detach().clone() for name, p in subject.named_parameters()}
    rows = []
    for beta in betas:
        for alpha in alphas:
            for name, parameter in subject.named_parameters():
                parameter.copy_(kept[name]).add_(first[name], alpha=alpha).add_(second[name], alpha=beta)
            rows.append((float(alpha), float(beta), mean_loss(subject, images, labels, batch=batch)))
    return pl.DataFrame(rows, schema=dict.fromkeys(("alpha", "beta", "loss"), pl.Float64), orient="row")


def loss_lines(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    alphas: Sequence[float],
    *,
    generator: torch.Generator,
    directions: int = 3,
    batch: int = 256,
) -> pl.DataFrame:
    """Columns ``direction, alpha, loss``: `loss_surface` along each of several random directions."""
    if directions < 1:
        raise NasAnalysisError(f"directions: expected at least 1, got {directions}")
    parts = []
    for number in range(directions):
        line = loss_surface(net, images, labels, alphas, generator=generator, batch=batch)
        parts.append(line.select(pl.lit(number, pl.Int64).alias("direction"), "alpha", "loss"))
    return pl.concat(parts)
