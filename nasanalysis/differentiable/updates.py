"""How architecture parameters are stepped: optimiser, decay, penalties (torch)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ParameterError
from ..core.registry import resolve
from .state import Alphas

#: Name -> (alphas, progress of the search) -> a scalar that is added to the loss of alpha.
PENALTIES: dict[str, str] = {
    "dirichlet_kl": "nasanalysis.differentiable.updates:dirichlet_kl",
    "beta_decay": "nasanalysis.differentiable.updates:beta_decay",
}


@dataclass(frozen=True)
class AlphaUpdate:
    """How a gradient moves alpha.

    Attributes
    ----------
    optimiser: ``adam`` (every work here), ``sgd``, or ``exponentiated``: each row's softmax is multiplied by
        exp(-rate * gradient) and normalised (Li et al. 2021), so that without decay alpha moves by -rate times the
        gradient in the weights.
    rate, betas, weight_decay: the decay is part of the gradient (coupled), as in the public codes.
    scale: the rate is multiplied by it (a control: SoTL-DARTS makes T times fewer steps).
    clip: largest 2-norm of the gradient of all numbers together, 0: as it is (P-DARTS: 5).
    decay_settled: whether decay and momentum go on for what is decided (public codes) or it stays as it is.
    penalty, strength: a name of `PENALTIES` and its factor.
    """

    optimiser: Literal["adam", "sgd", "exponentiated"] = "adam"
    rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.999)
    weight_decay: float = 1e-3
    scale: float = 1.0
    clip: float = 0.0
    decay_settled: bool = False
    penalty: str | None = None
    strength: float = 0.0

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.scale > 0 and self.weight_decay >= 0 and self.clip >= 0):
            raise ParameterError(f"alpha: expected rate, scale > 0 and weight_decay, clip >= 0, got {self}")

    def build(self, alphas: Alphas) -> torch.optim.Optimizer:
        """A fresh optimiser of the values of `alphas`, and of nothing else."""
        rate = self.rate * self.scale
        if self.optimiser == "adam":
            return torch.optim.Adam([alphas.values], lr=rate, betas=self.betas, weight_decay=self.weight_decay)
        return torch.optim.SGD([alphas.values], lr=rate, weight_decay=self.weight_decay)

    def apply(self, alphas: Alphas, gradient: Tensor, optimiser: torch.optim.Optimizer, progress: float) -> None:
        """One step along `gradient` (as `Alphas.values`), with the penalty's own."""
        if self.penalty is not None and self.strength:
            penalty: Callable[[Alphas, float], Tensor] = resolve("penalty", self.penalty, PENALTIES)
            (extra,) = torch.autograd.grad(penalty(alphas, progress), [alphas.values])
            gradient = gradient + self.strength * extra
        if self.optimiser == "exponentiated":
            gradient = _in_weights(alphas, gradient)
        before = alphas.values.detach().clone()
        alphas.values.grad = gradient.clone()
        if self.clip:
            torch.nn.utils.clip_grad_norm_([alphas.values], self.clip)
        optimiser.step()
        alphas.values.grad = None
        kept = alphas.active if self.decay_settled else alphas.trained
        with torch.no_grad():
            alphas.values.copy_(torch.where(kept, alphas.values, before))


def _in_weights(alphas: Alphas, gradient: Tensor) -> Tensor:
    """The gradient in the softmax weights themselves, from that in alpha, up to a constant for each row.

    d/dalpha_k = p_k (g_k - sum_j p_j g_j), so dividing by p_k gives g_k less a number that every candidate of a row
    shares and that normalising takes out.
    """
    weights = alphas.logits().detach().softmax(1)
    return torch.where(alphas.active, gradient / weights.clamp(min=1e-12), torch.zeros_like(gradient))


def dirichlet_kl(alphas: Alphas, progress: float) -> Tensor:
    """KL(Dirichlet(elu(alpha) + 1) || Dirichlet(1)), summed over rows (DrNAS, Chen et al. 2021, Section 3.2)."""
    total = alphas.values.new_zeros(())
    for row in range(len(alphas.decisions)):
        concentration = F.elu(alphas.values[row][alphas.active[row]]) + 1
        drawn = torch.distributions.Dirichlet(concentration)
        flat = torch.distributions.Dirichlet(torch.ones_like(concentration))
        total = total + torch.distributions.kl_divergence(drawn, flat)
    return total


def beta_decay(alphas: Alphas, progress: float) -> Tensor:
    """The mean over rows of log sum exp(alpha), which grows over the search (beta-DARTS, Ye et al. 2022, Eq. 13)."""
    return 50 * progress * alphas.logits().logsumexp(1).mean()
