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
`Constraint`. ``nb101`` itself is searched through its three subspaces: its keys are canonical graphs, in which
no vertex has a place of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol, runtime_checkable

import numpy as np

from ..core.errors import SearchError, UnknownNameError
from ..spaces import SPACES, get_space, nats_sss, nb1shot1, nb201
from ..spaces.base import Arch
from ..spaces.darts import CellSpace
from ..spaces.darts_genotype import CELLS, Edge, Genotype, format_key
from ..spaces.nb201_isomorphism import EDGES

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


def draw_fresh(draw: Callable[[], str], n: int, seen: Collection[str], tries: int) -> list[str]:
    """Up to `n` distinct results of `draw` outside `seen`, in at most `tries` draws."""
    found: dict[str, None] = {}
    for _ in range(tries):
        if len(found) == n:
            break
        arch = draw()
        if arch not in seen:
            found[arch] = None
    return list(found)


@dataclass(frozen=True)
class Positional:
    """Moves of a space whose architectures are digits: the same options at a position, whatever the others say.

    space: its name. sizes: number of options of each decision.
    """

    space: str
    sizes: tuple[int, ...]

    def decisions(self, arch: str) -> Genes:
        return encode(self.space, arch)

    def sample(self, rng: np.random.Generator) -> str:
        return decode(self.space, tuple(_draw(self.sizes, rng)))

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        genes = list(encode(self.space, arch))
        free = _free(self.sizes)
        position = free[int(rng.integers(len(free)))]
        value = int(rng.integers(self.sizes[position] - 1))
        genes[position] = value + (value >= genes[position])
        return decode(self.space, tuple(genes))

    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str:
        genes = encode(self.space, arch)
        changed = (rng.random(len(genes)) < probability).tolist()
        new = _draw(self.sizes, rng)
        return decode(self.space, tuple(n if c else g for g, n, c in zip(genes, new, changed, strict=True)))

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        a, b = encode(self.space, first), encode(self.space, second)
        take = (rng.random(len(a)) < 0.5).tolist()
        return decode(self.space, tuple(x if t else y for x, y, t in zip(a, b, take, strict=True)))

    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]:
        return draw_fresh(lambda: self.sample(rng), n, seen, 1000 + 100 * n)


@dataclass(frozen=True)
class CellMoves:
    """Moves of the DARTS space and of S1 to S5.

    A mutation changes one input of one node, half the time its operation, half the time its predecessor (Real et
    al. 2019 mutate "op" and "hidden state" equally often); a node that can read nothing else changes the
    operation. The operation stays where the new edge may have it, and is drawn anew where not (S1). `perturb`
    redraws the pair of predecessors of a node and each of its operations; `crossover` takes whole nodes.
    """

    space: str

    def decisions(self, arch: str) -> tuple[tuple[Edge, Edge], ...]:
        normal, reduce = self._space.genotype(arch)
        return (*normal, *reduce)

    def sample(self, rng: np.random.Generator) -> str:
        return str(self._space.arch(int(rng.integers(len(self._space)))))

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

    @property
    def _space(self) -> CellSpace:
        return _cell_space(self.space)

    def _node(self, at: int) -> int:
        """The number of the node at a position: how many predecessors it may read."""
        return at % self._space.nodes + 2

    def _options(self, at: int) -> dict[int, tuple[str, ...]]:
        ops, node = self._space.edge_operations[CELLS[at // self._space.nodes]], self._node(at)
        return {source: ops[node, source] for source in range(node)}

    def _text(self, nodes: Sequence[tuple[Edge, Edge]]) -> str:
        half = len(nodes) // 2
        return f"{self.space}:{format_key(Genotype(tuple(nodes[:half]), tuple(nodes[half:])))}"


@cache
def plain_moves(space: str) -> Moves:
    """The moves of a whole space."""
    if space == "nb201":
        return Positional(space, (len(nb201.OPERATIONS),) * len(EDGES))
    if space == "nats-sss":
        return Positional(space, (len(nats_sss.CHANNELS),) * len(nats_sss.REDUCTIONS))
    if space in nb1shot1.PARENTS:
        parents = nb1shot1.PARENTS[space]
        ways = tuple(math.comb(n, k) for n, k in enumerate(parents, 1))
        return Positional(space, ways + (len(nb1shot1.OPERATIONS),) * (len(parents) - 1))
    if space not in SPACES:
        raise UnknownNameError("space", space, SPACES)
    if not isinstance(get_space(space), CellSpace):
        raise SearchError(
            f"{space}: no moves: its keys are canonical graphs. Search nb101-1, nb101-2 or nb101-3, whose "
            "encodings have a cell of nb101 each (`get_space(...).cell`)"
        )
    return CellMoves(space)


@lru_cache(maxsize=1 << 17)
def encode(space: str, arch: str) -> Genes:
    """Text -> digits, for the spaces of `Positional`."""
    if space == "nb201":
        return tuple(nb201.OPERATIONS.index(op) for op in nb201.SPACE.operations(arch))
    if space == "nats-sss":
        return tuple(nats_sss.CHANNELS.index(c) for c in nats_sss.SPACE.channels(arch))
    index, genes = get_space(space).index(arch), []
    for size in reversed(_sizes(space)):  # an index of these spaces is a number with mixed bases
        index, digit = divmod(index, size)
        genes.append(digit)
    return tuple(reversed(genes))


@lru_cache(maxsize=1 << 17)
def decode(space: str, genes: Genes) -> str:
    """Digits -> canonical text."""
    if space == "nb201":
        return str(Arch(space, nb201.format_cell([nb201.OPERATIONS[g] for g in genes])))
    if space == "nats-sss":
        return str(Arch(space, nats_sss.format_channels([nats_sss.CHANNELS[g] for g in genes])))
    index = 0
    for gene, size in zip(genes, _sizes(space), strict=True):
        index = index * size + gene
    return str(get_space(space).arch(index))


def _sizes(space: str) -> tuple[int, ...]:
    moves = plain_moves(space)
    assert isinstance(moves, Positional)
    return moves.sizes


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


@cache
def _cell_space(name: str) -> CellSpace:
    space = get_space(name)
    assert isinstance(space, CellSpace)
    return space


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _ordered(first: Edge, second: Edge) -> tuple[Edge, Edge]:
    """Two inputs as a key holds them: by predecessor, then operation."""
    return (first, second) if first[::-1] <= second[::-1] else (second, first)
