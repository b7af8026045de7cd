"""How to compute a module of a NAS-Bench-101 cell: what each vertex reads, does, and how wide it is. No torch.

**Which vertex is the first.** Where the channels of a module do not divide by the number of vertices that feed
its output, the remainder goes to the first of them: first in the order in which the benchmark trained
the cell (`nb101_graph.canonical`), which need not be the order in which the cell is written. Here the
vertices keep the order and the numbers they are written with, and get the widths that they have in the
trained cell. So parameters are those of `spaces` for every way of writing a cell.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..core.errors import NasAnalysisError
from ..spaces.base import Arch
from ..spaces.nb1shot1 import SPACES_1SHOT1
from ..spaces.nb101 import SPACE as NB101
from ..spaces.nb101_graph import SHORT, Cell, bit, canonical_graph, live_vertices, prune, validate, vertex_channels

#: Name of the output among the projections.
OUTPUT = "output"


class Wiring(NamedTuple):
    """A pruned cell and the number that each inner vertex has in the text it comes from."""

    space: str
    cell: Cell
    nodes: tuple[int, ...]


class Step(NamedTuple):
    """One inner vertex: what it reads, what it does, how wide it is."""

    node: int
    #: Name of its operation's module, such as ``3-conv1x1``.
    operation: str
    #: Vertices it reads, without the input.
    sources: tuple[int, ...]
    #: Name of the projection of the input; None if it does not read the input.
    projection: str | None
    width: int


class Plan(NamedTuple):
    """How to compute a module: its vertices in turn, those that are concatenated, the module's channels."""

    steps: tuple[Step, ...]
    joined: tuple[int, ...]
    #: `OUTPUT` if the output reads the input, else None.
    projection: str | None
    width: int


def _wiring(space: str, cell: Cell) -> Wiring:
    kept = live_vertices(cell.vertices, cell.edges)
    return Wiring(space, validate(prune(cell)), kept[1:-1])


@lru_cache(maxsize=1 << 14)
def encoded(space: str, key: str) -> Wiring:
    """`wiring` of a NAS-Bench-1shot1 encoding, remembered; `ArchError` if it is no encoding of that space."""
    return _wiring(space, SPACES_1SHOT1[space].encoding(Arch(space, key)))


def wiring(arch: Arch | Cell | str) -> Wiring:
    """The pruned graph of a cell, of an architecture of ``nb101``, or of a NAS-Bench-1shot1 encoding.

    Text without a prefix is of ``nb101``. `ArchError` if it is none of these.
    """
    if isinstance(arch, Cell):
        return _wiring(NB101.name, arch)
    if isinstance(arch, str):
        prefix, colon, _ = arch.partition(":")
        arch = Arch.from_text(arch, prefix if colon and prefix in SPACES_1SHOT1 else NB101.name)
    if arch.space in SPACES_1SHOT1:
        return encoded(arch.space, arch.key)
    return _wiring(NB101.name, NB101.cell(arch))


@lru_cache(maxsize=1 << 14)
def _channels(cell: Cell, outputs: int) -> tuple[int, ...]:
    """Channels of every inner vertex, in the cell's own order, as in the cell that the benchmark trained."""
    edges, orders = canonical_graph(cell.vertices, cell.edges)
    trained = min(orders, key=lambda order: [cell.labels[v - 1] for v in order])
    widths = vertex_channels(cell.vertices, edges, outputs, outputs)[1:-1]
    if 0 in widths:
        raise NasAnalysisError(
            f"nb101: expected at least one channel for each vertex that feeds the output, got widths {widths} for a "
            f"module of {outputs} channels; give the skeleton more channels"
        )
    width_of = dict(zip(trained, widths, strict=True))
    return tuple(width_of[v] for v in range(1, cell.vertices - 1))


@lru_cache(maxsize=1 << 15)
def plan(graph: Wiring, outputs: int) -> Plan:
    """What a module of `outputs` channels computes, remembered. `NasAnalysisError` if a vertex gets no channel."""
    cell, names = graph.cell, (0, *graph.nodes)
    last = cell.vertices - 1

    def reads(source: int, target: int) -> bool:
        return bool(cell.edges >> bit(source, target) & 1)

    steps = tuple(
        Step(
            names[v],
            f"{names[v]}-{SHORT[cell.labels[v - 1]]}",
            tuple(names[s] for s in range(1, v) if reads(s, v)),
            str(names[v]) if reads(0, v) else None,
            width,
        )
        for v, width in enumerate(_channels(cell, outputs), 1)
    )
    joined = tuple(names[v] for v in range(1, last) if reads(v, last))
    return Plan(steps, joined, OUTPUT if reads(0, last) else None, outputs)
