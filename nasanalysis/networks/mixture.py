"""What a relaxed network computes: decisions that it leaves open, and the weights of their candidates (torch).

Every name is a word, never a position: what a search keeps is keyed by cell, edge **and** operation, so that candidates
may be dropped, networks rebuilt and results read without knowing in which order a network lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core.errors import ParameterError


class Place(NamedTuple):
    """Where a decision is: the kind of cell (``cell``, ``normal``, ``reduce``), and its edge or node."""

    cell: str
    edge: str


@dataclass(frozen=True)
class Decision:
    """One choice that a relaxed network leaves open.

    Attributes
    ----------
    place: ``edge`` is ``source-target`` where an edge chooses its operation, ``node-3`` where a node chooses its inputs
        (the input of a cell is 0) or, in NAS-Bench-1shot1, its operation.
    candidates: their names; inputs are numbers of nodes.
    kind: ``operation``, or ``input``: which nodes are read.
    keeps: how many candidates an architecture has of them.
    """

    place: Place
    candidates: tuple[str, ...]
    kind: Literal["operation", "input"] = "operation"
    keeps: int = 1


@dataclass(frozen=True)
class Mixture:
    """Weights of candidates; a candidate that is not named is not computed.

    Attributes
    ----------
    rows: place -> candidate -> weight, a scalar tensor. A place that stands in none of `rows` contributes nothing, but
        for inputs, which are then read as they are.
    constants: place -> a scalar that is added to the edge's output everywhere (GDAS: the zero weights of the operations
        that were not drawn, so that their logits have a gradient).
    """

    rows: Mapping[Place, Mapping[str, Tensor]]
    constants: Mapping[Place, Tensor] = field(default_factory=dict)


@runtime_checkable
class Relaxable(Protocol):
    """A network that can weigh and sum what its architectures choose from.

    Attributes
    ----------
    space, depth: as of a supernet; `depth` counts cells.
    decisions: what a `Mixture` must weigh.
    edge_decisions: what it may weigh in addition: the inputs of every node (edge normalisation, Xu et al. 2020).
    """

    space: str
    depth: int

    @property
    def decisions(self) -> tuple[Decision, ...]: ...
    @property
    def edge_decisions(self) -> tuple[Decision, ...]: ...

    def mixed(self, x: Tensor, mixture: Mixture | Sequence[Mixture]) -> Tensor:
        """Logits (batch, classes) under one mixture for all cells, or a list of `depth`, one for each."""
        ...


def each_cell(net: Relaxable, mixture: Mixture | Sequence[Mixture]) -> Sequence[Mixture]:
    """One mixture for each cell of `net`, whichever way they were given; `ParameterError` where they do not fit."""
    each = [mixture] * net.depth if isinstance(mixture, Mixture) else list(mixture)
    if len(each) != net.depth:
        raise ParameterError(f"mixture: expected one or {net.depth}, one for each cell, got {len(each)}")
    known = {d.place: set(d.candidates) for d in (*net.decisions, *net.edge_decisions)}
    for one in {id(m): m for m in each}.values():
        for place, row in one.rows.items():
            if not set(row) <= known.get(place, set()):
                raise ParameterError(
                    f"mixture: expected candidates of {net.space}'s {place.cell}/{place.edge} "
                    f"({', '.join(sorted(known[place])) if place in known else 'there is no such edge'}), got "
                    f"{', '.join(row)}"
                )
    return each


def weighted_sum(terms: Sequence[Tensor]) -> Tensor | None:
    """Their sum, without the zero that Python's own begins with; None of none."""
    total: Tensor | None = None
    for term in terms:
        total = term if total is None else total + term
    return total


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels in turn from each of `groups` equal parts (Zhang et al. 2018), as partial channels need them."""
    batch, channels, height, width = x.shape
    return x.reshape(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(x.shape)


def part_of(channels: int, partial: int) -> int:
    """How many of `channels` go through the operations where a `partial`-th does; an error if it is no share."""
    if partial < 1 or channels % partial:
        raise ParameterError(f"partial: expected a divisor of the {channels} channels of every cell, got {partial}")
    return channels // partial


def require_whole(partial: int) -> None:
    """`ParameterError` where one architecture is asked for of a network whose operations see a part of the channels."""
    if partial > 1:
        raise ParameterError(
            f"partial: expected all channels in the operations, got a {partial}th: one architecture of this network is "
            "a mixture of weights 1 and 0 (`one_hot`), and its weights are nobody's to inherit"
        )


def one_hot(net: Relaxable, chosen: Mapping[Place, Sequence[str]]) -> Mixture:
    """The mixture of one architecture: weight 1 for what is `chosen` at each place, nothing else computed.

    What is chosen twice at a place (a node that reads another one twice by the same operation) weighs 2.
    """
    like = next(iter(net.parameters()))  # type: ignore[attr-defined]
    rows = {place: {op: like.new_tensor(float(each.count(op))) for op in each} for place, each in chosen.items()}
    return Mixture(rows)


def weighing(net: Relaxable, weights: Callable[[Decision], Sequence[float] | Tensor]) -> Mixture:
    """The mixture in which every decision has the weights that a function gives it, in the order of its candidates."""
    like = next(iter(net.parameters()))  # type: ignore[attr-defined]
    rows = {}
    for decision in net.decisions:
        each = torch.as_tensor(weights(decision), dtype=like.dtype, device=like.device).unbind()
        rows[decision.place] = dict(zip(decision.candidates, each, strict=True))
    return Mixture(rows)
