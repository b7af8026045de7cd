"""Gradients of the architecture parameters: what a method asks of the losses (torch).

================== ==================================================================================================
`FirstOrder`       of the validation loss at the weights as they are (DARTS, first order; Liu et al. 2019, Section 2.3)
`SecondOrder`      of the validation loss after one unrolled step (its Eqs 6 to 8), by finite difference or exact
`SumOverUnroll`    of the sum of training losses over T steps (SoTL-DARTS; SoTL thesis, Algorithm 3 and Eqs 3.18 to
                   3.20) or of validation losses (SoVL-DARTS), first order or exact
================== ==================================================================================================

An estimator looks ahead and leaves weights and momentum as they were; the search then steps alpha, and the weights on
the same training batches. `period` is their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..core.errors import ParameterError
from .subject import Batch, Subject


class Gradient(Protocol):
    """One way to a gradient in alpha.

    Attributes
    ----------
    period: training batches, and so weight steps, for one step of alpha.
    """

    @property
    def period(self) -> int: ...

    def __call__(self, subject: Subject, batches: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        """The gradient, of the shape of alpha.

        Parameters
        ----------
        batches: the training batches to come, `period` of them or, at the end of an epoch, fewer.
        valid: hands out a validation batch.
        """
        ...


def slope(loss: Tensor, alpha: Tensor) -> Tensor:
    """The gradient of `loss` in alpha, zeros where it does not depend on it."""
    if not loss.requires_grad:
        return torch.zeros_like(alpha)
    (gradient,) = torch.autograd.grad(loss, [alpha], allow_unused=True)
    return torch.zeros_like(alpha) if gradient is None else gradient


@dataclass(frozen=True)
class FirstOrder:
    """The gradient of a loss at the weights as they are.

    Attributes
    ----------
    period: weight steps for one step of alpha (DARTS: 1). data: whose loss: of a ``valid`` batch, or of the first
        ``train`` batch to come.
    """

    period: int = 1
    data: Literal["valid", "train"] = "valid"

    def __call__(self, subject: Subject, batches: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        loss = subject.loss(valid() if self.data == "valid" else batches[0])
        return slope(loss, subject.alpha) if subject.on_validation is None else _watched(subject, loss)


def _watched(subject: Subject, loss: Tensor) -> Tensor:
    """`slope`, and the gradients in the weights by the same pass for whoever watches."""
    weights = [w for w in subject.parameters if w.requires_grad]
    gradients = torch.autograd.grad(loss, [subject.alpha, *weights], allow_unused=True)
    assert subject.on_validation is not None
    subject.on_validation({w: g for w, g in zip(weights, gradients[1:], strict=True) if g is not None})
    return torch.zeros_like(subject.alpha) if gradients[0] is None else gradients[0]


@dataclass(frozen=True)
class SecondOrder:
    """The gradient of the validation loss after one step on the training batch, through that step.

    Attributes
    ----------
    how: ``difference`` of the gradients at two points around the weights (Liu et al. 2019, Eq. 8), or ``exact``, by
        differentiating the step itself.
    radius: of the difference: R = radius / |v|, v the gradient of the validation loss in all weights together.
    rate: of the unrolled step; None: that of the optimiser. The step has the momentum as a constant and the weight
        decay, and its gradient is not clipped, as in the public code.
    """

    how: Literal["difference", "exact"] = "difference"
    radius: float = 0.01
    rate: float | None = None
    period: int = 1

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ParameterError(f"second order: expected radius > 0, got {self.radius}")

    def __call__(self, subject: Subject, batches: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        rate = subject.rate if self.rate is None else self.rate
        if self.how == "exact":
            return self._exact(subject, batches[0], valid(), rate)
        return self._difference(subject, batches[0], valid(), rate)

    @staticmethod
    def _exact(subject: Subject, train: Batch, valid: Batch, rate: float) -> Tensor:
        points = _leaves(subject)
        ahead, _ = _unrolled(subject, train, points, subject.momenta(), rate)
        return slope(subject.loss_at(valid, ahead), subject.alpha)

    def _difference(self, subject: Subject, train: Batch, valid: Batch, rate: float) -> Tensor:
        saved = subject.save()
        direction = _weight_gradient(subject, train)
        with torch.no_grad():
            for weight, step in zip(
                subject.parameters, _sgd_steps(subject, direction, saved.weights, saved.momentum), strict=True
            ):
                weight.sub_(rate * step)
        loss = subject.loss(valid)
        gradients = torch.autograd.grad(loss, [subject.alpha, *subject.parameters], allow_unused=True)
        direct = torch.zeros_like(subject.alpha) if gradients[0] is None else gradients[0]
        along = [
            torch.zeros_like(w) if g is None else g for w, g in zip(subject.parameters, gradients[1:], strict=True)
        ]
        norm = float(torch.sqrt(sum((g.double().square().sum() for g in along), torch.zeros((), dtype=torch.float64))))
        if norm == 0:
            subject.restore(saved, momentum=False, buffers=False)
            return direct
        radius = self.radius / norm
        sides = []
        for sign in (1.0, -1.0):
            with torch.no_grad():
                for weight, kept, g in zip(subject.parameters, saved.weights, along, strict=True):
                    weight.copy_(kept + sign * radius * g)
            sides.append(slope(subject.loss(train), subject.alpha))
        subject.restore(saved, momentum=False, buffers=False)
        # Nesterov's step has the gradient once more, times the momentum
        factor = rate * (1 + subject.momentum if subject.nesterov else 1)
        return direct - factor * (sides[0] - sides[1]) / (2 * radius)


@dataclass(frozen=True)
class SumOverUnroll:
    """The gradient of the sum of losses along T steps of the weights.

    Attributes
    ----------
    steps: T. data: losses of the ``train`` batches that are stepped on, at the weights before each step (SoTL), or of a
        fresh ``valid`` batch after each step (SoVL).
    exact: whether the weights' own dependence on alpha counts (Eq. 3.20), which keeps the graph of all T steps; or each
        loss is differentiated at its weights as if these were constants (Algorithm 3).
    mean: of the losses in place of their sum. Under Adam the step is the same but for coupled weight decay.
    restore_momentum, restore_statistics: whether momentum and batch-norm statistics go back too, as the author's
        code for NAS-Bench-201 has it (elsewhere weights and statistics alone).
    same_batch: whether the first batch is repeated T times (default of the author's code for NAS-Bench-201).
    """

    steps: int = 100
    data: Literal["train", "valid"] = "train"
    exact: bool = False
    mean: bool = False
    restore_momentum: bool = True
    restore_statistics: bool = True
    same_batch: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ParameterError(f"sum over an unroll: expected at least 1 step, got {self.steps}")

    @property
    def period(self) -> int:
        return self.steps

    def __call__(self, subject: Subject, batches: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        path = [batches[0]] * len(batches) if self.same_batch else list(batches)
        total = self._exact(subject, path, valid) if self.exact else self._first_order(subject, path, valid)
        return total / len(path) if self.mean else total

    def _first_order(self, subject: Subject, path: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        saved = subject.save()
        total = torch.zeros_like(subject.alpha)
        for batch in path:
            step = subject.step(batch, alpha=self.data == "train")
            if self.data == "valid":
                total += slope(subject.loss(valid()), subject.alpha)
            elif step.alpha is not None:
                total += step.alpha
        subject.restore(saved, momentum=self.restore_momentum, buffers=self.restore_statistics)
        return total

    def _exact(self, subject: Subject, path: Sequence[Batch], valid: Callable[[], Batch]) -> Tensor:
        points, momenta = _leaves(subject), [m.detach() for m in subject.momenta()]
        losses = []
        for number, batch in enumerate(path, start=1):
            last = number == len(path)
            loss = subject.loss_at(batch, points)
            if self.data == "train":
                losses.append(loss)
            if last and self.data == "train":
                break  # the last step changes no loss that counts
            points, momenta = _stepped(subject, loss, points, momenta, subject.rate)
            if self.data == "valid":
                losses.append(subject.loss_at(valid(), points))
        return slope(torch.stack(losses).sum(), subject.alpha)


def _leaves(subject: Subject) -> list[Tensor]:
    return [weight.detach().clone().requires_grad_() for weight in subject.parameters]


def _unrolled(
    subject: Subject, batch: Batch, points: Sequence[Tensor], momenta: Sequence[Tensor], rate: float
) -> tuple[list[Tensor], list[Tensor]]:
    return _stepped(subject, subject.loss_at(batch, points), points, momenta, rate)


def _stepped(
    subject: Subject, loss: Tensor, points: Sequence[Tensor], momenta: Sequence[Tensor], rate: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and momentum after a step of SGD, as functions of the weights before and of alpha."""
    gradients = torch.autograd.grad(loss, list(points), create_graph=True, allow_unused=True)
    kept = list(momenta) or [torch.zeros_like(p) for p in points]
    ahead, after = [], []
    for point, gradient, buffer in zip(points, gradients, kept, strict=True):
        if gradient is None:  # a weight that nothing reads: the optimiser leaves it alone
            ahead.append(point)
            after.append(buffer)
            continue
        decayed = gradient + subject.weight_decay * point
        moved = subject.momentum * buffer + decayed
        ahead.append(point - rate * (decayed + subject.momentum * moved if subject.nesterov else moved))
        after.append(moved)
    return ahead, after


def _weight_gradient(subject: Subject, batch: Batch) -> list[Tensor | None]:
    return list(torch.autograd.grad(subject.loss(batch), subject.parameters, allow_unused=True))


def _sgd_steps(
    subject: Subject, gradients: Sequence[Tensor | None], weights: Sequence[Tensor], momenta: Sequence[Tensor]
) -> list[Tensor]:
    """What SGD at rate 1 takes off each weight."""
    kept = list(momenta) or [torch.zeros_like(w) for w in weights]
    steps = []
    for gradient, weight, buffer in zip(gradients, weights, kept, strict=True):
        if gradient is None:
            steps.append(torch.zeros_like(weight))
            continue
        decayed = gradient + subject.weight_decay * weight
        moved = subject.momentum * buffer + decayed
        steps.append(decayed + subject.momentum * moved if subject.nesterov else moved)
    return steps
