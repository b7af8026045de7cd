"""Optimisers by name, all of them torch's own; what is done to gradients before a step belongs to the optimiser.

=========== ============================================== =========================================================
``sgd``     ``momentum``, ``nesterov``, ``weight_decay``   as one fused call; Nesterov unless told otherwise
``adam``    ``betas``, ``weight_decay``                    decay as part of the gradient
``adamw``   ``betas``, ``weight_decay``                    decay apart from the gradient
``rmsprop`` ``momentum``, ``weight_decay``                 NAS-Bench-101's: squares decay with 0.9, epsilon is 1
=========== ============================================== =========================================================

An optimiser of one's own joins with ``OPTIMISERS["name"] = "module:function"``; the function takes the weights and
``learning_rate``, and names its other options with a default each.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ..core.errors import ParameterError
from ..core.registry import resolve

#: Name -> its maker.
OPTIMISERS: dict[str, str] = {
    "sgd": "nasanalysis.training.optimisers:sgd",
    "adam": "nasanalysis.training.optimisers:adam",
    "adamw": "nasanalysis.training.optimisers:adamw",
    "rmsprop": "nasanalysis.training.optimisers:rmsprop",
}


def optimiser(
    name: str,
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    clip: float = 0.0,
    **options: Any,
) -> torch.optim.Optimizer:
    """The optimiser called `name`.

    Parameters
    ----------
    clip: largest 2-norm of all gradients together before each step; 0: as they are.
    options: of the optimiser, by name; None: its own default. `ParameterError` for one that it does not have.
    """
    make = resolve("optimiser", name, OPTIMISERS)
    known = [key for key in inspect.signature(make).parameters if key not in ("parameters", "learning_rate")]
    given = {key: value for key, value in options.items() if value is not None}
    if unknown := sorted(set(given) - set(known)):
        raise ParameterError(f"{name}: expected options among {', '.join(known)}, got {', '.join(unknown)}")
    optimiser: torch.optim.Optimizer = make(parameters, learning_rate=learning_rate, **given)
    if clip:
        clip_gradients(optimiser, clip)
    return optimiser


def sgd(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    nesterov: bool = True,
) -> torch.optim.SGD:
    """SGD in one call for all weights; a weight without gradient is left alone: no decay, no momentum step.

    Momentum buffers begin at zero, which is what torch's first step amounts to: the fused step cannot
    begin some weights later than others, as sampling architectures does.
    """
    optimiser = torch.optim.SGD(
        parameters,
        lr=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=nesterov and momentum > 0,
        fused=True,
    )
    if momentum > 0:
        for weight in weights(optimiser):
            optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimiser


def adam(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Adam; DARTS steps its architecture parameters by it, with betas (0.5, 0.999) and a decay of 1e-3."""
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)


def adamw(
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.01,
) -> torch.optim.AdamW:
    """Adam with decoupled decay."""
    return torch.optim.AdamW(parameters, lr=learning_rate, betas=betas, weight_decay=weight_decay)


def rmsprop(
    parameters: Iterable[nn.Parameter], *, learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.RMSprop:
    """RMSProp as NAS-Bench-101 trained; TensorFlow's adds epsilon under the root, torch's beside it."""
    return torch.optim.RMSprop(
        parameters, lr=learning_rate, alpha=0.9, eps=1.0, momentum=momentum, weight_decay=weight_decay
    )


def weights(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    """What it steps, in order."""
    return [weight for group in optimiser.param_groups for weight in group["params"]]


def clip_gradients(optimiser: torch.optim.Optimizer, limit: float) -> None:
    """Scale the gradients down to a 2-norm of `limit`, all weights together, before every step of `optimiser`.

    It hangs on the optimiser, so whoever steps it clips, whatever loop that is.
    """
    if not limit > 0:
        raise ParameterError(f"clip: expected a norm above 0, got {limit}")

    def scale(*_: Any) -> None:
        nn.utils.clip_grad_norm_(weights(optimiser), limit)

    optimiser.register_step_pre_hook(scale)


def momentum_buffers(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The momentum of every weight, in order; empty for an optimiser without."""
    states = (optimiser.state[weight] for weight in weights(optimiser))
    return [state["momentum_buffer"] for state in states if "momentum_buffer" in state]
