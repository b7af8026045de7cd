"""From weights to an architecture: how a search's decisions are read off.

A family of spaces has one rule (`FAMILIES`); what a method adds is in the weights it hands over: products with edge
weights (PC-DARTS), rows of ones and zeros where something was decided on the way (SGAS, DARTS-PT).

Ties are broken by the order of candidates: the first of equals is taken. None of the public codes states a rule; taking
the largest entry of an array comes to this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..core.errors import ParameterError
from ..core.registry import resolve
from ..networks.mixture import Decision, Place
from ..spaces import get_space
from ..spaces.base import Arch
from ..spaces.darts_genotype import CELLS, Genotype
from ..spaces.nb1shot1 import SPACES_1SHOT1
from ..spaces.nb201 import SPACE as NB201
from ..spaces.nb201 import format_cell
from ..spaces.nb201_isomorphism import EDGES

#: Place -> candidate -> weight.
Table = Mapping[Place, Mapping[str, float]]

#: First part of a space's name -> (space, weights) -> the architecture.
FAMILIES: dict[str, str] = {
    "nb201": "nasanalysis.differentiable.selection:nb201",
    **dict.fromkeys(("darts", "s1", "s2", "s3", "s4", "s5"), "nasanalysis.differentiable.selection:darts"),
    "nb101": "nasanalysis.differentiable.selection:nb1shot1",
}


class Margin(NamedTuple):
    """How clear a decision is: its best candidate, and by how much it is ahead of the second."""

    place: Place
    candidate: str
    margin: float


def select(space: str, weights: Table) -> Arch:
    """The architecture that `weights` (after the relaxation) stand for."""
    rule: Callable[[str, Table], Arch] = resolve("space that can be relaxed", space.partition("-")[0], FAMILIES)
    return rule(space, weights)


def with_few_skips(space: str, weights: Table, most: int, *, cell: str = "normal") -> Arch:
    """`select` with at most so many skip connections in a cell: the weakest is taken out until they fit (P-DARTS).

    Edges that have no other candidate keep theirs.
    """
    table = {place: dict(row) for place, row in weights.items()}
    while True:
        arch = select(space, table)
        genotype = get_space(space).genotype(arch)  # type: ignore[attr-defined]
        chosen = [
            Place(cell, f"{source}-{node}")
            for node, inputs in enumerate(getattr(genotype, cell), start=2)
            for op, source in inputs
            if op == "skip_connect"
        ]
        others = [place for place in chosen if table[place]["skip_connect"] > 0]
        if len(chosen) <= most or not others:
            return arch
        weakest = min(others, key=lambda place: table[place]["skip_connect"])
        table[weakest]["skip_connect"] = 0.0


def margins(weights: Table) -> list[Margin]:
    """For every place with two candidates or more, the best one and how far the second is behind."""
    result = []
    for place, row in weights.items():
        if len(row) > 1:
            first, second = sorted(row.values(), reverse=True)[:2]
            result.append(Margin(place, best(row), first - second))
    return result


def best(row: Mapping[str, float], without: Sequence[str] = ()) -> str:
    """The candidate of the largest weight, the first of equals, of those that are not in `without`."""
    there = {c: w for c, w in row.items() if c not in without}
    if not there:
        raise ParameterError(f"selection: expected candidates other than {', '.join(without) or 'none at all'}")
    return max(there, key=lambda c: there[c])


def nb201(space: str, weights: Table) -> Arch:
    """The largest of every edge, ``none`` among them (public code of NAS-Bench-201)."""
    return NB201.parse(format_cell([best(weights[Place("cell", f"{s}-{t}")]) for t, s in EDGES]))


def darts(space: str, weights: Table) -> Arch:
    """Two inputs for every node, each with its best operation other than ``none`` (Liu et al. 2019, Section 2.4).

    Inputs are ranked by the weight of that operation (``none`` has had its share of the softmax), times the input's own
    weight where it has one (`node-3`; PC-DARTS). Places that are not there were removed.
    """
    definition = get_space(space)
    cells = []
    for cell in CELLS:
        nodes = []
        for node in range(2, definition.nodes + 2):  # type: ignore[attr-defined]
            scales = weights.get(Place(cell, f"node-{node}"), {})
            strengths: dict[int, tuple[float, str]] = {}
            for source in range(node):
                row = weights.get(Place(cell, f"{source}-{node}"))
                if row is None or set(row) <= {"none"}:
                    continue
                op = best(row, ("none",))
                strengths[source] = (row[op] * scales.get(str(source), 1.0), op)
            inputs = sorted(strengths, key=lambda s: -strengths[s][0])[:2]
            if len(inputs) < 2:
                raise ParameterError(
                    f"selection: expected two inputs of node {node} of the {cell} cell, got {len(inputs)}; the others "
                    "were removed"
                )
            nodes.append(tuple((strengths[s][1], s) for s in sorted(inputs)))
        cells.append(tuple(nodes))
    return definition.from_genotype(Genotype(*cells))  # type: ignore[attr-defined, no-any-return, arg-type]


def nb1shot1(space: str, weights: Table) -> Arch:
    """The largest operation of every choice node, and as many inputs of each node as the space gives it."""
    definition = SPACES_1SHOT1[space]
    size = len(definition.parents) + 1
    matrix = [[0] * size for _ in range(size)]
    operations = [best(weights[Place("cell", f"node-{node}")]) for node in range(1, size - 1)]
    for node, count in enumerate(definition.parents, start=1):
        row = weights.get(Place("cell", f"inputs-{node}"), {})
        for source in sorted(range(node), key=lambda s: -row.get(str(s), 0.0))[:count]:
            matrix[source][node] = 1
    return definition.from_matrix(matrix, operations)


def decisions_of(table: Table, decisions: Sequence[Decision]) -> Table:
    """The part of a table that stands for `decisions`."""
    places = {d.place for d in decisions}
    return {place: row for place, row in table.items() if place in places}
