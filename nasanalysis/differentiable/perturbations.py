"""Noise on the weights of a mixture in the weight step (SDARTS; Chen and Hsieh 2020): it smooths the loss in alpha
(torch).

The noise falls on the weights after the softmax, which are then clipped to [0, 1] and divided by their sum, row by row;
where nothing is left, the largest weight of the row before becomes 1. Decided edges are not perturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..core.errors import ParameterError
from .state import Alphas

#: Weights of a mixture -> the loss under them, on the batch that is stepped on.
LossOf = Callable[[Tensor], Tensor]


class Perturbation(Protocol):
    """One way to disturb the weights of a mixture, by up to `size(progress)`."""

    def size(self, progress: float) -> float: ...

    def __call__(
        self, weights: Tensor, alphas: Alphas, loss: LossOf, generator: torch.Generator, size: float
    ) -> Tensor:
        """Disturbed weights; `loss` is that of the batch."""
        ...


def projected(weights: Tensor, before: Tensor, alphas: Alphas) -> Tensor:
    """`weights` in [0, 1] with sum 1 in every open row; rows that are settled as they were `before`."""
    there = alphas.trained
    clipped = weights.clamp(0, 1).masked_fill(~there, 0.0)
    total = clipped.sum(1, keepdim=True)
    largest = torch.nn.functional.one_hot(before.masked_fill(~there, -1.0).argmax(1), before.shape[1]).to(before)
    rows = torch.where(total > 0, clipped / total.clamp(min=torch.finfo(clipped.dtype).tiny), largest)
    return torch.where(there.any(1, keepdim=True), rows, before)


@dataclass(frozen=True)
class _Sized:
    """Attributes
    ----------
    start, end: size of the noise at the beginning and, growing linearly, at the end of the search.
    """

    start: float = 0.03
    end: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ParameterError(f"perturbation: expected 0 <= start <= end, got {self.start} and {self.end}")

    def size(self, progress: float) -> float:
        """The size now."""
        return self.start + (self.end - self.start) * progress


@dataclass(frozen=True)
class RandomNoise(_Sized):
    """SDARTS-RS: new noise at every step.

    Attributes
    ----------
    law: ``uniform`` in [-size, size] (its paper and code), or ``gaussian`` of that standard deviation (DARTS-PT,
    A.1.2).
    """

    law: Literal["uniform", "gaussian"] = "uniform"

    def __call__(
        self, weights: Tensor, alphas: Alphas, loss: LossOf, generator: torch.Generator, size: float
    ) -> Tensor:
        if self.law == "uniform":
            noise = (2 * torch.rand(weights.shape, generator=generator) - 1) * size
        else:
            noise = torch.randn(weights.shape, generator=generator) * size
        return projected(weights + noise.to(weights), weights, alphas)


@dataclass(frozen=True)
class Adversarial(_Sized):
    """SDARTS-ADV: the noise that raises the loss on the batch most, by steps of the sign of its gradient.

    Attributes
    ----------
    steps: from a random start, each of 2 size / steps, kept within the box of `size`. Noise that did not raise the
        loss is not used.
    project: whether weights are clipped and divided by their sum after every step, as the public code has it.
    """

    steps: int = 7
    project: bool = True

    def __call__(
        self, weights: Tensor, alphas: Alphas, loss: LossOf, generator: torch.Generator, size: float
    ) -> Tensor:
        clean = weights.detach()

        def inside(noise: Tensor) -> Tensor:
            return projected(clean + noise, clean, alphas) if self.project else clean + noise

        noise = ((2 * torch.rand(clean.shape, generator=generator) - 1) * size).to(clean)
        noise = noise.masked_fill(~alphas.trained, 0.0)
        for _ in range(self.steps):
            point = inside(noise).requires_grad_()
            (gradient,) = torch.autograd.grad(loss(point), [point])
            noise = (noise + 2 * size / self.steps * gradient.sign()).clamp(-size, size)
            noise = noise.masked_fill(~alphas.trained, 0.0)
        with torch.no_grad():
            worse = loss(inside(noise)) > loss(clean)
        return inside(noise) if bool(worse) else weights
