"""Proposition 1 of DARTS-PT (Wang et al. 2021, Section 3.2 and Eqs 17 to 19): the alphas that estimate best (torch).

Every edge of a cell is taken to estimate one feature map m*: a skip by what the edge reads, x, the other operations by
what they make of it together, o(x). The weights of both, with sum 1, that leave the least variance of the estimate's
error follow from the variances of x - m* and o - m* and their covariance. What the text leaves open is ours: the other
operations are one, weighed as they are in the search; x, o and the edge's output are each brought to mean 0 and
variance 1 over all their numbers ("normalized to the same scale"); and m* is the mean of the outputs of the edges that
enter a node, brought to that scale too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import ParameterError
from ..networks.edges import EdgeOutputs, followed
from ..networks.mixture import Place, weighted_sum
from .strengths import require_weights

if TYPE_CHECKING:
    from .learner import SearchLearner


@dataclass(frozen=True)
class Errors:
    """How far the two estimates of m* are off: variances of o(x) - m* and x - m*, and their covariance."""

    conv: float
    skip: float
    covariance: float = 0.0

    def __post_init__(self) -> None:
        if not (self.conv >= 0 and self.skip >= 0 and self.covariance**2 <= self.conv * self.skip * (1 + 1e-6) + 1e-12):
            raise ParameterError(
                "proposition 1: expected variances of 0 or more and a covariance that they allow, got "
                f"{self.conv}, {self.skip} and {self.covariance}"
            )

    @property
    def skip_weight(self) -> float | None:
        """Eq. 17: the weight of the skip that leaves the least variance, that of the others being 1 less it.

        Below 0 or above 1 where the covariance is above one of the variances; None where the two errors are one.
        """
        total = self.conv + self.skip - 2 * self.covariance
        return (self.conv - self.covariance) / total if total > 1e-12 else None

    @property
    def alphas(self) -> tuple[float, float] | None:
        """Eqs 18 and 19 with C = 0: (alpha of the others, alpha of the skip); None where one of them is not defined."""
        weight = self.skip_weight
        if weight is None or not 0 < weight < 1:
            return None
        return math.log(1 - weight), math.log(weight)

    def variance(self, skip_weight: float) -> float:
        """The variance of the estimate's error with this weight of the skip."""
        other = 1 - skip_weight
        return other**2 * self.conv + skip_weight**2 * self.skip + 2 * skip_weight * other * self.covariance


def errors_of(skip: Tensor, conv: Tensor, best: Tensor) -> Errors:
    """Errors of two estimates of `best`, all of one shape, over all their numbers (population moments)."""
    one, other = (conv - best).flatten().double(), (skip - best).flatten().double()
    one, other = one - one.mean(), other - other.mean()
    return Errors(float((one * one).mean()), float((other * other).mean()), float((one * other).mean()))


@dataclass(frozen=True)
class EdgeEstimate:
    """One edge of one cell of a search.

    Attributes
    ----------
    position: of the cell. errors: see `Errors`. trained: the skip's weight in the search, its share of skip and others.
    """

    position: int
    place: Place
    errors: Errors
    trained: float


@torch.no_grad()
def estimates(learner: SearchLearner, *, images: int = 0) -> list[EdgeEstimate]:
    """What Proposition 1 says of each edge that has a skip and another operation, beside the weights as they are.

    On alpha's images (`images` of them; 0: one batch), with batch statistics. Edges whose skip changes the shape of
    what it reads (stride 2) are left out: there x is no estimate. `ParameterError` for a sampler, for spaces whose
    operations sit on nodes, and where no edge has both.
    """
    require_weights(learner)
    values = learner.alphas.settle(learner.method.relaxation.mean(learner.alphas.logits()))
    mixture = learner.alphas.mixture(values)
    x = torch.cat([x for x, _ in learner._read_batches(images or learner.settings.batch_size, "alpha")])
    nodes: dict[tuple[int, str, str], list[EdgeOutputs]] = {}

    def see(edge: EdgeOutputs) -> None:
        nodes.setdefault((edge.position, edge.place.cell, edge.place.edge.partition("-")[2]), []).append(edge)

    with learner.measuring():
        followed(learner.net, x, mixture, see)
    found = [one for entering in nodes.values() for one in _of_a_node(entering)]
    if not found:
        raise ParameterError(f"{learner.name}: expected edges with a skip and another operation, got none")
    return found


def _of_a_node(entering: list[EdgeOutputs]) -> list[EdgeEstimate]:
    outputs = [standard(out) for edge in entering if (out := edge.mixed) is not None and float(out.std()) > 0]
    if not outputs:
        return []
    best = standard(torch.stack(outputs).mean(0))
    rows = []
    for edge in entering:
        others = [op for op in edge.outputs if op != "skip_connect"]
        weight = sum((float(edge.weights[op]) for op in others), 0.0)
        if "skip_connect" not in edge.outputs or edge.read.shape != best.shape or not weight > 0:
            continue
        other = weighted_sum([edge.weights[op] * edge.outputs[op] for op in others])
        assert other is not None
        if float(other.std()) > 0 and float(edge.read.std()) > 0:
            errors = errors_of(standard(edge.read), standard(other), best)
            skip = float(edge.weights["skip_connect"])
            rows.append(EdgeEstimate(edge.position, edge.place, errors, skip / (skip + weight)))
    return rows


def standard(x: Tensor) -> Tensor:
    """`x` with mean 0 and variance 1 over all its numbers."""
    return (x - x.mean()) / x.std(correction=0)
