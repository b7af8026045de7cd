"""What gradients of architecture parameters are taken of: weights, their optimiser, and a loss of both (torch).

`Subject` is small so that a toy problem in three numbers is one as much as a supernet: estimators are tested on it in
closed form (`tests/differentiable`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..networks.mixture import Mixture, Relaxable
from ..training.optimisers import momentum_buffers, weights
from .relaxations import Relaxation, mixture_of
from .state import Alphas

#: Images and labels.
Batch = Any


class Step(NamedTuple):
    """What a weight step says: mean loss in nats, share of images that were right, and the gradient in alpha, or
    None.
    """

    loss: Tensor
    correct: Tensor
    alpha: Tensor | None


class Saved(NamedTuple):
    """What an unroll gives back: weights, buffers, momentum."""

    weights: list[Tensor]
    buffers: list[Tensor]
    momentum: list[Tensor]


class Subject(ABC):
    """Weights w and architecture parameters alpha of a loss L(w, alpha) on a batch.

    Attributes
    ----------
    alpha: the leaf that gradients are taken in. parameters: the weights, leaves too, in order.
    rate, momentum, weight_decay, nesterov: of the SGD that steps the weights, as they are now.
    on_validation: is handed weight -> gradient of the loss that alpha is stepped by (first order), or None.
    """

    alpha: Tensor
    parameters: list[Tensor]
    momentum: float
    weight_decay: float
    nesterov: bool
    on_validation: Callable[[Mapping[Tensor, Tensor]], None] | None = None

    @property
    @abstractmethod
    def rate(self) -> float: ...

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The loss at the weights as they are, in training mode."""

    @abstractmethod
    def loss_at(self, batch: Batch, parameters: Sequence[Tensor]) -> Tensor:
        """The loss at other weights, a function of them; nothing of the subject moves."""

    @abstractmethod
    def step(self, batch: Batch, *, alpha: bool = False) -> Step:
        """One step of the weights; with `alpha` the gradient in alpha at the weights before it."""

    @abstractmethod
    def buffers(self) -> list[Tensor]:
        """What else a forward pass moves: batch-norm statistics."""

    @abstractmethod
    def momenta(self) -> list[Tensor]:
        """The momentum of every weight, in order; empty without."""

    def save(self) -> Saved:
        """A copy of weights, buffers and momentum."""
        return Saved(
            *([t.detach().clone() for t in each] for each in (self.parameters, self.buffers(), self.momenta()))
        )

    @torch.no_grad()
    def restore(self, saved: Saved, *, momentum: bool = True, buffers: bool = True) -> None:
        """Back to a copy; momentum and batch-norm statistics stay as they are where they are not asked for."""
        pairs = [(self.parameters, saved.weights)]
        pairs += [(self.momenta(), saved.momentum)] if momentum else []
        pairs += [(self.buffers(), saved.buffers)] if buffers else []
        for tensors, copies in pairs:
            for tensor, copy in zip(tensors, copies, strict=True):
                tensor.copy_(copy)


class _Mixed(nn.Module):
    """A network whose forward pass is that of a mixture, for `torch.func.functional_call`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, mixture: Mixture | Sequence[Mixture]) -> Tensor:
        return self.net.mixed(x, mixture)  # type: ignore[no-any-return, operator]


class NetworkSubject(Subject):
    """A relaxed network with its alphas, relaxation and optimiser.

    Parameters
    ----------
    net: in training mode. optimiser: SGD over its weights, and over nothing else.
    generator, rng: what the relaxation draws from.

    Attributes
    ----------
    progress: share of the search that is done, which temperatures follow.
    change: perturbs settled weights of the mixture in the weight step alone (SDARTS), or None: (weights, batch) ->
        weights.
    """

    def __init__(
        self,
        net: nn.Module,
        alphas: Alphas,
        relaxation: Relaxation,
        optimiser: torch.optim.Optimizer,
        *,
        generator: torch.Generator,
        rng: np.random.Generator,
    ) -> None:
        assert isinstance(net, Relaxable)
        self.net, self.alphas, self.relaxation, self.optimiser = net, alphas, relaxation, optimiser
        self.generator, self.rng = generator, rng
        self.progress = 0.0
        self.change: Callable[[Tensor, Batch], Tensor] | None = None
        self.alpha = alphas.values
        self.parameters = list(weights(optimiser))
        group = optimiser.param_groups[0]
        self.momentum, self.weight_decay = group.get("momentum", 0.0), group["weight_decay"]
        self.nesterov = bool(group.get("nesterov", False))
        self._mixed = _Mixed(net)
        self._names = [name for name, _ in self._mixed.named_parameters()]

    @property
    def rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def mixture(self, batch: Batch | None = None) -> Mixture | Sequence[Mixture]:
        """A mixture as the relaxation draws it; perturbed where a batch is named that the weights step on."""
        change = self.change
        perturbed = None if change is None or batch is None else lambda values: change(values, batch)
        return mixture_of(
            self.relaxation,
            self.net,
            self.alphas,
            generator=self.generator,
            rng=self.rng,
            progress=self.progress,
            change=perturbed,
        )

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.net.mixed(batch[0], self.mixture()), batch[1])

    def loss_at(self, batch: Batch, parameters: Sequence[Tensor]) -> Tensor:
        state = dict(zip(self._names, parameters, strict=True))
        # batch-norm writes its statistics into these copies
        buffers = {name: value.clone() for name, value in self._mixed.named_buffers()}
        logits = torch.func.functional_call(self._mixed, (state, buffers), (batch[0], self.mixture()))
        return F.cross_entropy(logits, batch[1])

    def step(self, batch: Batch, *, alpha: bool = False) -> Step:
        self.optimiser.zero_grad()
        self.alpha.grad = None
        self.alpha.requires_grad_(alpha)
        logits = self.net.mixed(batch[0], self.mixture(batch))
        loss = F.cross_entropy(logits, batch[1])
        loss.backward()  # type: ignore[no-untyped-call]
        self.alpha.requires_grad_(True)
        self.optimiser.step()
        gradient, self.alpha.grad = self.alpha.grad, None
        correct = (logits.detach().argmax(1) == batch[1]).double().mean()
        return Step(loss.detach(), correct, gradient)

    def buffers(self) -> list[Tensor]:
        return list(self.net.buffers())

    def momenta(self) -> list[Tensor]:
        return momentum_buffers(self.optimiser)
