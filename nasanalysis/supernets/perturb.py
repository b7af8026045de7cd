"""Loss under weight noise (GeNAS, Eq. 4): the rows of a PERTURBED frame, from which any flatness is computed.

Noise is absolute and Gaussian, ``L(w + N(0, sigma^2))``, drawn afresh for every sigma and draw
(``draws="independent"``, the equation) in a random direction. It is added in place to a copy: the caller's
network stays as it is, byte by byte, training mode included. Batch-norm statistics are those of the
unperturbed network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl
import torch
from torch import Tensor, nn

from ..errors import NasAnalysisError
from ..frames import check
from .nb201 import Cell

Position = Literal["all", "cells"]


@torch.no_grad()
def mean_loss(net: nn.Module, images: Tensor, labels: Tensor, *, batch: int = 256) -> float | None:
    """Mean cross-entropy (nats) of `net` as it stands; None where it is not finite."""
    total = torch.zeros((), dtype=torch.float64)
    for x, y in zip(images.split(batch), labels.split(batch), strict=True):
        total += nn.functional.cross_entropy(net(x), y, reduction="sum").double().cpu()
    loss = float(total) / len(labels)
    return loss if math.isfinite(loss) else None


def noisy_parameters(net: nn.Module, position: Position, cell: type[nn.Module] = Cell) -> list[nn.Parameter]:
    """The parameters that noise falls on: every one (``all``), or those in the cells (``cells``, GeNAS Table 13)."""
    if position == "all":
        return list(net.parameters())
    if position == "cells":
        return [p for module in net.modules() if isinstance(module, cell) for p in module.parameters()]
    raise NasAnalysisError(f"position: expected 'all' or 'cells', got {position!r}")


@torch.no_grad()
def perturbed_losses(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    sigmas: Sequence[float],
    *,
    generator: torch.Generator,
    draws: int = 1,
    position: Position = "all",
    cell: type[nn.Module] = Cell,
    batch: int = 256,
) -> pl.DataFrame:
    """Columns ``sigma, draw, loss``: mean cross-entropy (nats; null where not finite) under each draw of noise.

    Parameters
    ----------
    images, labels: (n, channels, height, width) and (n,), validation data.
    sigmas: standard deviations of the noise, each once, >= 0. For 0 there is one row, draw 0: the
        unperturbed network.
    generator: the only source of randomness; it is advanced.
    draws: noise draws at each sigma.
    position: see `noisy_parameters`; a cell without parameters leaves the loss as it is at every sigma.
    cell: the class of module that is a cell.
    """
    levels = [float(sigma) for sigma in sigmas]
    if not levels or any(not math.isfinite(s) or s < 0 for s in levels) or len(set(levels)) < len(levels):
        raise NasAnalysisError(f"sigmas: expected different numbers >= 0, got {levels}")
    if draws < 1:
        raise NasAnalysisError(f"draws: expected at least 1, got {draws}")
    subject = copy.deepcopy(net).eval()
    noisy = noisy_parameters(subject, position, cell)
    kept = [parameter.detach().clone() for parameter in noisy]
    rows: list[tuple[float, int, float | None]] = []
    for sigma in levels:
        for draw in range(draws if sigma > 0 else 1):
            for parameter, value in zip(noisy, kept, strict=True):
                parameter.copy_(value)
                if sigma > 0:
                    parameter.add_(torch.randn(value.shape, generator=generator, device=value.device), alpha=sigma)
            rows.append((sigma, draw, mean_loss(subject, images, labels, batch=batch)))
    return pl.DataFrame(rows, schema={"sigma": pl.Float64, "draw": pl.Int64, "loss": pl.Float64}, orient="row")


def perturbed_frame(losses: pl.DataFrame, where: Mapping[str, object], *, position: Position = "all") -> pl.DataFrame:
    """A PERTURBED frame of `perturbed_losses`.

    `where`: the other keys, ``benchmark, dataset, arch, method, setting, seed``.
    """
    keys = {**where, "position": position, "direction": "random", "draws": "independent"}
    return check(losses.with_columns(pl.lit(value).alias(name) for name, value in keys.items()), "PERTURBED")
