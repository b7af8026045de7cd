"""What an operation is worth to a supernet beside what its weight says (Wang et al. 2021, Figures 1 and 2; torch).

`masked` sets the weight of one operation to 0 with the others as they are. `converged` settles an edge on one
operation and trains the other weights, alphas at rest, until accuracy hardly gains: the figure's caption says "to
convergence" and no more, so the rule (`Tuning`) is ours. Both give a search back as they found it.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import NamedTuple

from ..core.errors import ParameterError
from ..core.seeding import generator, torch_generator
from ..networks.mixture import Place
from ..training.optimisers import optimiser
from ..training.stream import Stream
from .learner import SearchLearner
from .relaxations import OneArchitecture
from .subject import NetworkSubject


@dataclass(frozen=True)
class Tuning:
    """When a discretised supernet has converged.

    Attributes
    ----------
    most: epochs at most. patience, gain: it ends where accuracy gained less than `gain` percentage points in so many
        epochs. share: of the search's learning rate, constant (public code of DARTS-PT tunes at a tenth).
    """

    most: int = 20
    patience: int = 5
    gain: float = 0.1
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.most < 1 or self.patience < 1 or self.gain < 0 or not self.share > 0:
            raise ParameterError(
                "tuning: expected most >= 1, patience >= 1, gain >= 0 and share > 0, got "
                f"{self.most}, {self.patience}, {self.gain}, {self.share}"
            )

    def over(self, accuracies: list[float]) -> bool:
        """Whether it ends after these epochs; the first entry is from before them."""
        done = len(accuracies) - 1
        return done >= self.most or (
            done >= self.patience and accuracies[-1] - accuracies[-1 - self.patience] < self.gain
        )


class Masked(NamedTuple):
    """Attributes
    ----------
    weight, alpha: of the operation. strength: accuracy that masking costs, percentage points; strength_loss: in nats.
    """

    place: Place
    operation: str
    weight: float
    alpha: float
    strength: float
    strength_loss: float


class Converged(NamedTuple):
    """Accuracy in percent with an edge settled on one operation: before tuning, after it, and its epochs."""

    before: float
    after: float
    epochs: int


def require_weights(learner: SearchLearner) -> None:
    """`ParameterError` where a method has no weights of operations to mask, or none that its network saw mixed."""
    method = learner.method
    if learner.controller is not None or isinstance(method.relaxation, OneArchitecture) or method.relaxation.hard:
        raise ParameterError(
            f"{method.name}: expected a mixture of operations to mask, got a sampler, whose supernet ran one "
            "architecture at a time; operation strength is not defined for it"
        )


def open_edges(learner: SearchLearner) -> list[Place]:
    """Edges and nodes that still choose among operations."""
    alphas = learner.alphas
    return [
        place
        for place in alphas.open()
        if alphas.decision(place).kind == "operation" and len(alphas.candidates(place)) > 1
    ]


def masked(learner: SearchLearner, *, images: int = 0) -> list[Masked]:
    """Every operation of every open edge, masked by itself; on alpha's images, with batch statistics as read."""
    require_weights(learner)
    clean, table, rows = learner.reading(images=images), learner.table(), []
    for place in open_edges(learner):
        for operation in learner.alphas.candidates(place):
            without = learner.reading(images=images, mask=(place, operation))
            value = learner.alphas.values[learner.alphas.row(place), learner.alphas.column(place, operation)]
            rows.append(
                Masked(
                    place,
                    operation,
                    table[place][operation],
                    float(value.detach()),
                    clean.accuracy - without.accuracy,
                    without.loss - clean.loss,
                )
            )
    return rows


def converged(learner: SearchLearner, place: Place, operation: str, tuning: Tuning) -> Converged:
    """The supernet with `place` settled on `operation` and its weights tuned; accuracy on alpha's images."""
    require_weights(learner)
    if place not in learner.alphas.open() or operation not in learner.alphas.candidates(place):
        raise ParameterError(
            f"{learner.name}: expected an operation of an open edge, got {operation} of {place.cell}/{place.edge}"
        )
    kept = copy.deepcopy(learner.net.state_dict())
    gradients = [parameter.grad for parameter in learner.net.parameters()]
    learner.alphas.decide(place, operation)
    try:
        accuracies = _tuned(learner, place, operation, tuning)
    finally:
        del learner.alphas.decided[place]
        learner.net.load_state_dict(kept)
        for parameter, gradient in zip(learner.net.parameters(), gradients, strict=True):
            parameter.grad = gradient
    return Converged(accuracies[0], accuracies[-1], len(accuracies) - 1)


def _tuned(learner: SearchLearner, place: Place, operation: str, tuning: Tuning) -> list[float]:
    settings, names = learner.settings, (*place, operation)
    sgd = optimiser(
        "sgd",
        learner.net.parameters(),
        learning_rate=tuning.share * settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=learner.weight_decay,
        nesterov=settings.nesterov,
        clip=settings.clip,
    )
    draws = torch_generator(learner.seed, "diagnose", *names)
    rng = generator(learner.seed, "diagnose", *names)
    subject = NetworkSubject(learner.net, learner.alphas, learner.method.relaxation, sgd, generator=draws, rng=rng)
    accuracies = [learner.reading().accuracy]
    training = learner.net.training
    learner.net.train()
    while not tuning.over(accuracies):
        stream = Stream(len(learner.weight_images), learner.batch_size, draws, keep_last=True)
        for _ in range(learner.batches):
            step = subject.step(learner.task.batch(learner.weight_images[stream()], draws))
            if not math.isfinite(float(step.loss)):
                raise ParameterError(
                    f"{learner.name}: expected a finite loss while {place.edge} is tuned as {operation}, got "
                    f"{float(step.loss)}; use a smaller share of the learning rate"
                )
        accuracies.append(learner.reading().accuracy)
    learner.net.train(training)
    return accuracies
