"""How a search moves: draw, change and cross architectures of a space.

========================  ============================================================================
space                     one decision
========================  ============================================================================
``nb201``                 the operation of an edge (6)
``nats-sss``              the width of a block (5)
``nb101-1`` to ``-3``     the parents of a node, or the operation of a node (8, 9, 11)
``darts``, ``s1``-``s5``  a node of a cell: its two inputs with their operations (8; S5: 2)
========================  ============================================================================

`get_moves` gives the moves of a space, of those architectures of it that a table holds, or of those within a
`Constraint`. A space is asked for what it offers, not for its name: one with `moves` of its own brings them
(`HasMoves`), one whose architectures are rows of digits (`HasGenes`) is moved by `Positional`, one of two cells of
nodes (`TwoCells`) by `CellMoves`. ``nb101`` itself is searched through its three subspaces: its keys are canonical
graphs, in which no vertex has a place of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, runtime_checkable

import numpy as np

from ..core.errors import MissingCapabilityError
from ..spaces import SPACES, get_space
from ..spaces.base import Space
from ..spaces.capabilities import HasGenes, TwoCells
from ..spaces.darts_genotype import CELLS, Edge, Genotype, format_key

#: Digits of one architecture, one for each decision.
Genes = tuple[int, ...]


@runtime_checkable
class Moves(Protocol):
    """What an algorithm may do to architectures (text ``space:key``); randomness is passed in.

    decisions: what the architecture chose, position by position.
    sample: one architecture, uniform.
    mutate: one decision changed to another value, uniform over decisions, then over values.
    perturb: every decision redrawn with a probability (it may stay what it was).
    crossover: every decision taken from one of two parents with equal chance.
    fresh: up to n distinct architectures outside `seen`, uniform; fewer where no more are found.
    """

    @property
    def space(self) -> str: ...
    def decisions(self, arch: str) -> tuple[Hashable, ...]: ...
    def sample(self, rng: np.random.Generator) -> str: ...
    def mutate(self, arch: str, rng: np.random.Generator) -> str: ...
    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str: ...
    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str: ...
    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]: ...


@runtime_checkable
class HasMoves(Space, Protocol):
    """A space that brings moves of its own: no rule of this module fits it, or there is a better one."""

    def moves(self) -> Moves: ...


@runtime_checkable
class Listed(Moves, Protocol):
    """Moves among the architectures of a list."""

    @property
    def archs(self) -> tuple[str, ...]: ...


def draw_fresh(draw: Callable[[], str], n: int, seen: Collection[str], tries: int) -> list[str]:
    """Up to `n` distinct results of `draw` outside `seen`, in at most `tries` draws."""
    fresh: dict[str, None] = {}
    for _ in range(tries):
        if len(fresh) == n:
            break
        arch = draw()
        if arch not in seen:
            fresh[arch] = None
    return list(fresh)


@dataclass(frozen=True, eq=False)
class Positional:
    """Moves of a space whose architectures are rows of digits (`HasGenes`)."""

    of: HasGenes

    @property
    def space(self) -> str:
        return self.of.name

    def decisions(self, arch: str) -> Genes:
        return self.of.genes(arch)

    def sample(self, rng: np.random.Generator) -> str:
        return self._text(_draw(self.of.gene_sizes, rng))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        genes, sizes = list(self.of.genes(arch)), self.of.gene_sizes
        free = _free(sizes)
        position = free[int(rng.integers(len(free)))]
        value = int(rng.integers(sizes[position] - 1))
        genes[position] = value + (value >= genes[position])
        return self._text(genes)

    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str:
        genes = self.of.genes(arch)
        changed = (rng.random(len(genes)) < probability).tolist()
        new = _draw(self.of.gene_sizes, rng)
        return self._text([n if c else g for g, n, c in zip(genes, new, changed, strict=True)])

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        a, b = self.of.genes(first), self.of.genes(second)
        take = (rng.random(len(a)) < 0.5).tolist()
        return self._text([x if t else y for x, y, t in zip(a, b, take, strict=True)])

    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]:
        return draw_fresh(lambda: self.sample(rng), n, seen, 1000 + 100 * n)

    def _text(self, genes: Sequence[int]) -> str:
        return str(self.of.from_genes(genes))


@dataclass(frozen=True, eq=False)
class CellMoves:
    """Moves of spaces of two cells (`TwoCells`): DARTS and S1 to S5.

    A mutation changes one input of one node, half the time its operation, half the time its predecessor (Real et
    al. 2019 mutate "op" and "hidden state" equally often); a node that can read nothing else changes the
    operation. The operation stays where the new edge may have it, and is drawn anew where not (S1). `perturb`
    redraws the pair of predecessors of a node and each of its operations; `crossover` takes whole nodes.
    """

    of: TwoCells

    @property
    def space(self) -> str:
        return self.of.name

    def decisions(self, arch: str) -> tuple[tuple[Edge, Edge], ...]:
        normal, reduce = self.of.genotype(arch)
        return (*normal, *reduce)

    def sample(self, rng: np.random.Generator) -> str:
        return str(self.of.arch(int(rng.integers(len(self.of)))))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        nodes = list(self.decisions(arch))
        place = int(rng.integers(2 * len(nodes)))
        at, i = divmod(place, 2)
        (op, source), other = nodes[at][i], nodes[at][1 - i]
        options = self._options(at)
        elsewhere = [s for s in range(self._node(at)) if s not in (source, other[1])]
        if elsewhere and rng.random() < 0.5:
            source = elsewhere[int(rng.integers(len(elsewhere)))]
            if op not in options[source]:
                op = _pick(options[source], rng)
        else:
            op = _pick([o for o in options[source] if o != op], rng)
        nodes[at] = _ordered((op, source), other)
        return self._text(nodes)

    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str:
        nodes = list(self.decisions(arch))
        for at, pair in enumerate(nodes):
            redraw = (rng.random(3) < probability).tolist()
            options, sources = self._options(at), [source for _, source in pair]
            if redraw[0]:
                sources = sorted(rng.permutation(self._node(at))[:2].tolist())
            edges = [
                (_pick(options[s], rng) if again or op not in options[s] else op, s)
                for (op, _), s, again in zip(pair, sources, redraw[1:], strict=True)
            ]
            if edges != list(pair):
                nodes[at] = _ordered(edges[0], edges[1])
        return self._text(nodes)

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        a, b = self.decisions(first), self.decisions(second)
        take = (rng.random(len(a)) < 0.5).tolist()
        return self._text([x if t else y for x, y, t in zip(a, b, take, strict=True)])

    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]:
        return draw_fresh(lambda: self.sample(rng), n, seen, 1000 + 100 * n)

    def _node(self, at: int) -> int:
        """The number of the node at a position: how many predecessors it may read."""
        return at % self.of.nodes + 2

    def _options(self, at: int) -> dict[int, tuple[str, ...]]:
        ops, node = self.of.edge_operations[CELLS[at // self.of.nodes]], self._node(at)
        return {source: ops[node, source] for source in range(node)}

    def _text(self, nodes: Sequence[tuple[Edge, Edge]]) -> str:
        half = len(nodes) // 2
        return f"{self.space}:{format_key(Genotype(tuple(nodes[:half]), tuple(nodes[half:])))}"


def plain_moves(space: str) -> Moves:
    """The moves of a whole space, the same object as long as the space is the same.

    `MissingCapabilityError` for a space that cannot be searched: it says which can.
    """
    of = get_space(space)
    known = _MOVES.get(space)
    if known is None or known[0] is not of:  # another object by this name: a cell of a notebook that was run again
        known = _MOVES[space] = (of, _moves_of(of))
    return known[1]


_MOVES: dict[str, tuple[Space, Moves]] = {}


def _moves_of(space: Space) -> Moves:
    if isinstance(space, HasMoves):
        return space.moves()
    if isinstance(space, HasGenes):
        return Positional(space)
    if isinstance(space, TwoCells):
        return CellMoves(space)
    searchable = [name for name in SPACES if isinstance(get_space(name), HasMoves | HasGenes | TwoCells)]
    raise MissingCapabilityError(
        space.name,
        "be searched",
        "moves, nor gene_sizes, genes and from_genes",
        f"spaces that can: {', '.join(searchable)}",
    )


@cache
def _as_array(sizes: tuple[int, ...]) -> np.ndarray:
    return np.array(sizes, dtype=np.float64)


def _draw(sizes: tuple[int, ...], rng: np.random.Generator) -> list[int]:
    """A uniform digit for every position (three times as fast as ``rng.integers(sizes)``)."""
    digits: list[int] = (rng.random(len(sizes)) * _as_array(sizes)).astype(np.int64).tolist()
    return digits


@cache
def _free(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Positions at which there is a choice."""
    return tuple(i for i, size in enumerate(sizes) if size > 1)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _ordered(first: Edge, second: Edge) -> tuple[Edge, Edge]:
    """Two inputs as a key holds them: by predecessor, then operation."""
    return (first, second) if first[::-1] <= second[::-1] else (second, first)
