"""The one optimiser of training and finetuning: SGD with Nesterov momentum, torch's own fused one."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def sgd(
    parameters: Iterable[nn.Parameter], *, learning_rate: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """SGD in one call for all weights; a weight without gradient is left alone: no decay, no momentum step.

    Momentum buffers begin at zero, which is what torch's first step amounts to: the fused step cannot
    begin some weights later than others, as sampling architectures does.
    """
    optimiser = torch.optim.SGD(
        parameters, lr=learning_rate, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0, fused=True
    )
    if momentum > 0:
        for group in optimiser.param_groups:
            for weight in group["params"]:
                optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimiser


def momentum_buffers(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The momentum of every weight, in order; empty for an optimiser without."""
    weights = (weight for group in optimiser.param_groups for weight in group["params"])
    return [optimiser.state[w]["momentum_buffer"] for w in weights if "momentum_buffer" in optimiser.state[w]]
