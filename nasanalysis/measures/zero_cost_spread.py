"""Zero-cost measures over several initialisations: what one draw of the weights is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ParameterError
from ..core.seeding import torch_generator
from .zero_cost import ZERO_COST, zero_cost


class Spread(NamedTuple):
    """mean and sd (n - 1) over the initialisations where the measure is defined; None where there are too few."""

    mean: float | None
    sd: float | None
    values: tuple[float | None, ...]


def zero_cost_spread(
    build: Callable[[torch.Generator], nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    initialisations: int = 3,
    proxies: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Spread]:
    """`zero_cost` of several networks that differ in their initial weights, on one batch.

    Parameters
    ----------
    build: a generator -> a network with weights drawn from it.
    initialisations: how many. proxies: as in `zero_cost`. seed: of weights and of the measures' own draws.

    Returns name -> `Spread`, its values in the order of the draws.
    """
    if initialisations < 1:
        raise ParameterError(f"initialisations: expected 1 or more, got {initialisations}")
    rows = []
    for number in range(initialisations):
        net = build(torch_generator(seed, "zero-cost", "weights", number))
        draws = torch_generator(seed, "zero-cost", "draws", number)
        rows.append(zero_cost(net, images, labels, proxies=proxies, generator=draws))
    return {name: _spread([row[name] for row in rows]) for name in (ZERO_COST if proxies is None else proxies)}


def _spread(values: Sequence[float | None]) -> Spread:
    known = [value for value in values if value is not None]
    mean = float(np.mean(known)) if known else None
    return Spread(mean, float(np.std(known, ddof=1)) if len(known) > 1 else None, tuple(values))
