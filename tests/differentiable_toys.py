"""Problems in a few numbers, as subjects of gradients: what estimators give on them is known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nasanalysis.differentiable.subject import Step, Subject


class Toy(Subject):
    """Weights and alpha under losses that are functions ``(weights, alpha, batch) -> scalar``."""

    def __init__(
        self,
        loss: Callable[[Sequence[Tensor], Tensor, object], Tensor],
        weights: Sequence[float] | Tensor,
        alpha: Sequence[float] | Tensor,
        *,
        rate: float = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self._loss = loss
        self.parameters = [torch.as_tensor(weights, dtype=torch.float64).clone().requires_grad_()]
        self.alpha = torch.as_tensor(alpha, dtype=torch.float64).clone().requires_grad_()
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov
        self.optimiser = torch.optim.SGD(
            self.parameters, lr=rate, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov
        )
        if momentum:
            for weight in self.parameters:
                self.optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)

    @property
    def rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def loss(self, batch: object) -> Tensor:
        return self._loss(self.parameters, self.alpha, batch)

    def loss_at(self, batch: object, parameters: Sequence[Tensor]) -> Tensor:
        return self._loss(parameters, self.alpha, batch)

    def step(self, batch: object, *, alpha: bool = False) -> Step:
        self.optimiser.zero_grad()
        self.alpha.grad = None
        loss = self.loss(batch)
        loss.backward()
        self.optimiser.step()
        gradient, self.alpha.grad = self.alpha.grad, None
        return Step(loss.detach(), torch.zeros(()), gradient if alpha else None)

    def buffers(self) -> list[Tensor]:
        return []

    def momenta(self) -> list[Tensor]:
        return [self.optimiser.state[w]["momentum_buffer"] for w in self.parameters if self.momentum]


def brute_force(toy: Toy, path: Sequence[object], losses_of: Callable[[list[Tensor], Tensor], Tensor]) -> Tensor:
    """The gradient in alpha of a function of all weights along a path of SGD steps, by one graph of it all."""
    alpha = toy.alpha.detach().clone().requires_grad_()
    point, buffer = toy.parameters[0].detach().clone().requires_grad_(), torch.zeros_like(toy.parameters[0])
    points = [point]
    for batch in path:
        (slope,) = torch.autograd.grad(toy._loss([point], alpha, batch), [point], create_graph=True)
        decayed = slope + toy.weight_decay * point
        buffer = toy.momentum * buffer + decayed
        point = point - toy.rate * (decayed + toy.momentum * buffer if toy.nesterov else buffer)
        points.append(point)
    (gradient,) = torch.autograd.grad(losses_of(points, alpha), [alpha])
    return gradient
