"""From architecture parameters to the weights of a mixture: the relaxations (torch).

================= ===================================================================================================
`Softmax`         weights are the softmax of each row (DARTS, Liu et al. 2019, Eq. 2); draws nothing
`Dirichlet`       weights are a draw from Dirichlet(elu(alpha) + 1), one for a forward pass (DrNAS, Chen et al. 2021)
`Gumbel`          softmax((log softmax(alpha) + Gumbel noise) / tau) (SNAS, Xie et al. 2019); ``hard``: its largest is
                  computed alone, with the gradient of the soft one (GDAS, Dong and Yang 2019)
`ReinMax`         one candidate drawn from the softmax, with a gradient that is right to second order (Liu et al. 2023)
`OneArchitecture` one architecture drawn uniformly for every cell: no parameters (RS-WS, Li and Talwalkar 2019)
================= ===================================================================================================

What a relaxation draws comes from the generator that is passed in, and one draw holds for all cells of a network, in
training and in evaluation, as in the public codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.distributions.dirichlet import _Dirichlet_backward
from torch.nn import functional as F

from ..core.errors import ParameterError
from ..networks.mixture import Mixture, Relaxable, one_hot
from .state import Alphas


class Weights(NamedTuple):
    """What a relaxation makes of architecture parameters.

    Attributes
    ----------
    values: weights, as `Alphas.values`. run: which candidates are computed; None: all that are there.
    constants: whether the weights of the others are added to the output (see `Mixture`).
    """

    values: Tensor
    run: Tensor | None = None
    constants: bool = False


class Relaxation(Protocol):
    """One way from architecture parameters to a mixture.

    Attributes
    ----------
    hard: whether the loss is piecewise constant in the parameters: a sampler, which has no Hessian.
    """

    @property
    def hard(self) -> bool: ...

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        """Weights for one forward pass; `progress` is the share of the search that is done, in [0, 1]."""
        ...

    def mean(self, logits: Tensor) -> Tensor:
        """Weights without draws: what is recorded, and what candidates are selected by."""
        ...


@dataclass(frozen=True)
class Softmax:
    """The softmax of each row."""

    hard: bool = False

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        return Weights(self.mean(logits))

    def mean(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


class _Dirichlet(torch.autograd.Function):
    """A draw with its pathwise gradient, from a generator that is passed in (torch's own takes the global one)."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, generator: torch.Generator) -> Tensor:
        drawn: Tensor = torch._sample_dirichlet(concentration, generator)
        ctx.save_for_backward(drawn, concentration)
        return drawn

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        drawn, concentration = ctx.saved_tensors
        return _Dirichlet_backward(drawn, concentration, gradients[0]), None  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Dirichlet:
    """A draw from Dirichlet(elu(alpha) + 1) for each row."""

    hard: bool = False

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        concentration = self.concentration(logits)
        values = torch.zeros_like(logits)
        counts = torch.isfinite(logits).sum(1)
        for count in sorted(set(counts.tolist())):  # rows with as many candidates are drawn together
            rows = (counts == count).nonzero()[:, 0]
            there = torch.isfinite(logits[rows])
            flat = concentration[rows][there].reshape(len(rows), count)
            drawn = _Dirichlet.apply(flat, generator)  # type: ignore[no-untyped-call]
            part = torch.zeros_like(logits[rows]).masked_scatter(there, drawn)
            values = values.index_copy(0, rows, part)
        return Weights(values)

    def mean(self, logits: Tensor) -> Tensor:
        concentration = self.concentration(logits)
        return concentration / concentration.sum(1, keepdim=True)

    @staticmethod
    def concentration(logits: Tensor) -> Tensor:
        """elu(alpha) + 1, 0 where there is no candidate."""
        there = torch.isfinite(logits)
        return torch.where(there, F.elu(logits.masked_fill(~there, 0.0)) + 1, torch.zeros_like(logits))


@dataclass(frozen=True)
class Gumbel:
    """Softmax of logarithms of probabilities with Gumbel noise.

    Attributes
    ----------
    start, end: temperature tau, linear in the progress of the search (GDAS: 10 to 0.1).
    hard: whether the largest alone is computed, with weight 1 and the gradient of the soft weights.
    chosen_only: whether the logits of the others get no gradient; otherwise that of an output of 1 everywhere (the
        public code of GDAS).
    """

    start: float = 10.0
    end: float = 0.1
    hard: bool = True
    chosen_only: bool = False

    def __post_init__(self) -> None:
        if not (self.start > 0 and self.end > 0):
            raise ParameterError(f"gumbel: expected temperatures above 0, got {self.start} and {self.end}")

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float64).clamp_(1e-20, 1.0)
        noise = -torch.log(-torch.log(uniform).clamp(max=-1e-20)).to(logits)
        tau = self.start + (self.end - self.start) * progress
        soft = ((logits.log_softmax(1) + noise) / tau).softmax(1)
        if not self.hard:
            return Weights(soft)
        run = F.one_hot(soft.argmax(1), logits.shape[1]).bool()
        return Weights(run.to(soft) - soft.detach() + soft, run, constants=not self.chosen_only)

    def mean(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


@dataclass(frozen=True)
class ReinMax:
    """A candidate drawn from the softmax of each row, of weight 1, by ReinMax's gradient (Liu et al. 2023, Alg. 2).

    Straight-through takes one step of Euler's rule from the softmax to the draw, ReinMax one of Heun's: on losses that
    are quadratic in the weights its mean is the gradient of the mean loss. It needs what every candidate would add to
    the output, so all are computed, where GDAS computes one.

    Attributes
    ----------
    tau: temperature of the softmax in the middle of the step, 1 or more; the draw does not depend on it.
    """

    tau: float = 1.0
    hard: bool = True

    def __post_init__(self) -> None:
        if not self.tau >= 1:
            raise ParameterError(f"reinmax: expected a temperature of 1 or more, got {self.tau}")

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        drawn = torch.multinomial(logits.detach().softmax(1).cpu(), 1, generator=generator)[:, 0]
        return Weights(self.estimate(logits, F.one_hot(drawn, logits.shape[1]).to(logits)))

    def estimate(self, logits: Tensor, drawn: Tensor) -> Tensor:
        """The value of `drawn` (ones and zeros, as `logits`) with ReinMax's gradient in `logits`."""
        there = torch.isfinite(logits)
        middle = (drawn + (logits / self.tau).softmax(1)).detach() / 2
        # a softmax in `logits` whose value is `middle`: its gradient is taken there, at the half way
        shift = (middle.clamp(min=1e-30).log() - logits).detach().masked_fill(~there, 0.0)
        soft = 2 * (shift + logits).softmax(1) - logits.softmax(1) / 2
        return drawn - soft.detach() + soft

    def mean(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


@dataclass(frozen=True)
class OneArchitecture:
    """One architecture of the space, uniform, for every cell by itself or one for all: it has no parameters.

    Attributes
    ----------
    per_cell: whether every cell has its own (the public code of NAS-Bench-201), with nodes without input drawn again.
    """

    per_cell: bool = True
    hard: bool = True

    def weights(self, logits: Tensor, generator: torch.Generator, progress: float) -> Weights:
        raise ParameterError("one architecture: expected a relaxation with weights of its own; draw a mixture")

    def mean(self, logits: Tensor) -> Tensor:
        return torch.isfinite(logits).to(logits) / torch.isfinite(logits).sum(1, keepdim=True)

    def mixtures(self, net: Any, rng: np.random.Generator) -> Mixture | Sequence[Mixture]:
        """One mixture of ones and zeros, or a list of one for each cell."""
        if not self.per_cell:
            return one_hot(net, net.chosen(net.sample(rng)))
        return [one_hot(net, net.chosen(net.sample_fed(rng))) for _ in range(net.depth)]


def mixture_of(
    relaxation: Relaxation,
    net: Relaxable,
    alphas: Alphas,
    *,
    generator: torch.Generator,
    rng: np.random.Generator,
    progress: float,
    change: Any = None,
) -> Mixture | Sequence[Mixture]:
    """The mixture of one forward pass; ``change(weights)`` may perturb settled weights before they are used."""
    if isinstance(relaxation, OneArchitecture):
        return relaxation.mixtures(net, rng)
    values, run, constants = relaxation.weights(alphas.logits(), generator, progress)
    settled = alphas.settle(values)
    return alphas.mixture(settled if change is None else change(settled), run, constants=constants)
