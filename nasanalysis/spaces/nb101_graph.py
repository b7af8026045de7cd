"""Cells of NAS-Bench-101 as labelled graphs: prune, hash, canonical form, channels (Ying et al. 2019).

A cell has at most 7 vertices (input, up to 5 operations, output) in topological order and at most 9
edges. Here a cell is a `Cell`: its edges as the bits of one integer, where the edge ``x -> y`` is bit
``x + y (y - 1) / 2``, and one label per inner vertex, an index into `OPERATIONS`. That is the numbering
in which the benchmark's authors enumerated their graphs, and of each isomorphism class they trained
the first member they met: fewest vertices, then smallest bits, then smallest labels. `canonical`
returns that very member. This matters: where 128 channels do not divide by the number of vertices that
feed the output, the remainder goes to the first of them, so the recorded parameters belong to that
member of the class and to no other.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from ..core.errors import ArchError, UnknownNameError
from ..core.shown import shown

#: The three operations in the benchmark's order (label 0 to 2), as its files spell them.
OPERATIONS: tuple[str, ...] = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
#: The same, as our keys spell them.
SHORT: tuple[str, ...] = ("conv3x3", "conv1x1", "maxpool3x3")
MAX_VERTICES = 7
MAX_EDGES = 9

Matrix = tuple[tuple[int, ...], ...]


class Cell(NamedTuple):
    """`vertices` with input and output, `edges` as bits (see the module), `labels` of the inner vertices."""

    vertices: int
    edges: int
    labels: tuple[int, ...]


def bit(source: int, target: int) -> int:
    """The number of the bit that stands for the edge ``source -> target`` (source < target)."""
    return source + target * (target - 1) // 2


@cache
def edge_of_bit(number: int) -> tuple[int, int]:
    """The edge (source, target) that a bit stands for."""
    target = 1
    while target * (target + 1) // 2 <= number:
        target += 1
    return number - target * (target - 1) // 2, target


@lru_cache(maxsize=1 << 14)
def edge_list(edges: int) -> tuple[tuple[int, int], ...]:
    """Edges (source, target), ordered by target, then source."""
    return tuple(edge_of_bit(b) for b in range(edges.bit_length()) if edges >> b & 1)


def operation_label(name: str) -> int:
    """``conv3x3-bn-relu`` or ``conv3x3`` -> 0, and so on; `ArchError` for any other word."""
    if name in SHORT:
        return SHORT.index(name)
    if name in OPERATIONS:
        return OPERATIONS.index(name)
    raise ArchError(f"nb101: {UnknownNameError('operation', name, OPERATIONS)}")


def from_matrix(matrix: Sequence[Sequence[float]] | np.ndarray, operations: Sequence[str]) -> Cell:
    """An adjacency matrix (any numbers equal to 0 or 1) and its operations -> `Cell`, not pruned.

    Parameters
    ----------
    matrix: (V, V), strictly upper triangular, row = source, column = target.
    operations: V names, ``input`` first, ``output`` last.

    Raises `ArchError` that says what is wrong. The limits of the space are `validate`'s.
    """
    try:
        table = np.asarray(matrix, dtype=float)
    except (TypeError, ValueError) as error:
        raise ArchError(f"nb101: expected a square matrix of 0 and 1, got {shown.repr(matrix)}") from error
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ArchError(f"nb101: expected a square adjacency matrix, got shape {table.shape}")
    count = len(table)
    if count < 2 or len(operations) != count:
        raise ArchError(f"nb101: expected one operation for each of {count} vertices, got {len(operations)}")
    if operations[0] != "input" or operations[-1] != "output":
        raise ArchError(
            "nb101: expected 'input' first and 'output' last, "
            f"got {shown.repr(operations[0])} and {shown.repr(operations[-1])}"
        )
    if not np.isin(table, (0.0, 1.0)).all():
        raise ArchError(f"nb101: expected a matrix of 0 and 1, got {sorted(set(table.ravel().tolist()))[:5]}")
    if np.tril(table).any():
        raise ArchError("nb101: expected a strictly upper triangular matrix (edges go forward only)")
    edges = sum(1 << bit(int(x), int(y)) for x, y in np.argwhere(table))
    return Cell(count, edges, tuple(operation_label(name) for name in operations[1:-1]))


def to_matrix(cell: Cell) -> np.ndarray:
    """(V, V) adjacency matrix of 0 and 1, int64."""
    matrix = np.zeros((cell.vertices, cell.vertices), dtype=np.int64)
    for source, target in edge_list(cell.edges):
        matrix[source, target] = 1
    return matrix


def operation_names(cell: Cell) -> list[str]:
    """V names as the benchmark spells them, ``input`` and ``output`` with them."""
    return ["input", *(OPERATIONS[label] for label in cell.labels), "output"]


@lru_cache(maxsize=1 << 14)
def live_vertices(vertices: int, edges: int) -> tuple[int, ...]:
    """Vertices on some path from input to output, in order; () if there is no such path."""
    pairs = edge_list(edges)
    ahead, behind = {0}, {vertices - 1}
    for source, target in pairs:
        if source in ahead:
            ahead.add(target)
    for source, target in reversed(pairs):
        if target in behind:
            behind.add(source)
    live = ahead & behind
    return tuple(sorted(live)) if 0 in live else ()


def keep(vertices: int, edges: int, kept: Sequence[int]) -> tuple[int, int]:
    """(vertices, edges) of the graph on the vertices `kept`, renumbered in their order."""
    place = {v: i for i, v in enumerate(kept)}
    bits = sum(1 << bit(place[x], place[y]) for x, y in edge_list(edges) if x in place and y in place)
    return len(kept), bits


def prune(cell: Cell) -> Cell:
    """Without the vertices that lie on no path from input to output.

    Raises `ArchError` if no path joins them.
    """
    kept = live_vertices(cell.vertices, cell.edges)
    if not kept:
        raise ArchError("nb101: no path leads from input to output, so this is no cell")
    if len(kept) == cell.vertices:
        return cell
    vertices, edges = keep(cell.vertices, cell.edges, kept)
    return Cell(vertices, edges, tuple(cell.labels[v - 1] for v in kept[1:-1]))


def validate(cell: Cell) -> Cell:
    """The cell itself, if it is pruned and within the limits of the space; else `ArchError`."""
    if cell.vertices > MAX_VERTICES:
        raise ArchError(f"nb101: expected at most {MAX_VERTICES} vertices after pruning, got {cell.vertices}")
    if cell.edges.bit_count() > MAX_EDGES:
        raise ArchError(f"nb101: expected at most {MAX_EDGES} edges after pruning, got {cell.edges.bit_count()}")
    return cell


@lru_cache(maxsize=1 << 16)
def canonical_graph(vertices: int, edges: int) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """The smallest `edges` among all topological orders of an unlabelled graph, and the orders that give it.

    Each order is a tuple whose entry i is the old inner vertex (1 ...) that stands at place i + 1.
    """
    pairs = edge_list(edges)
    best, orders = 1 << 62, []
    for order in itertools.permutations(range(1, vertices - 1)):
        place = [0] * vertices
        place[-1] = vertices - 1
        for i, v in enumerate(order, start=1):
            place[v] = i
        bits = 0
        for x, y in pairs:
            if place[x] >= place[y]:
                break
            bits |= 1 << bit(place[x], place[y])
        else:
            if bits < best:
                best, orders = bits, [order]
            elif bits == best:
                orders.append(order)
    return best, tuple(orders)


def canonical(cell: Cell) -> Cell:
    """The member of the cell's isomorphism class that the benchmark trained (see the module).

    The cell must be pruned.
    """
    edges, orders = canonical_graph(cell.vertices, cell.edges)
    return Cell(cell.vertices, edges, min(tuple(cell.labels[v - 1] for v in order) for order in orders))


def module_hash(cell: Cell) -> str:
    """The public identity of a pruned cell: 32 hexadecimal digits, equal for isomorphic cells.

    Ying et al. 2019, as their code computes it: every vertex starts as the MD5 of the text
    ``(out-degree, in-degree, label)``, with label -1 for the input and -2 for the output; then, once
    for each vertex of the cell, all are replaced together by the MD5 of sorted hashes of the sources,
    ``|``, sorted hashes of the targets, ``|``, own hash; the answer is the MD5 of the text of the
    sorted list. Over the whole space it separates all classes (a test proves it).
    """
    labels = (-1, *cell.labels, -2)
    sources: list[list[int]] = [[] for _ in labels]
    targets: list[list[int]] = [[] for _ in labels]
    for x, y in edge_list(cell.edges):
        targets[x].append(y)
        sources[y].append(x)
    state = [_start(len(targets[v]), len(sources[v]), label) for v, label in enumerate(labels)]
    for _ in labels:
        state = [
            _md5(
                "".join(sorted([state[w] for w in sources[v]]))
                + "|"
                + "".join(sorted([state[w] for w in targets[v]]))
                + "|"
                + state_of
            )
            for v, state_of in enumerate(state)
        ]
    return _md5(str(sorted(state)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@cache
def _start(outgoing: int, incoming: int, label: int) -> str:
    return _md5(str((outgoing, incoming, label)))


@lru_cache(maxsize=1 << 14)
def vertex_channels(vertices: int, edges: int, inputs: int, outputs: int) -> tuple[int, ...]:
    """Channels of every vertex of a module that turns `inputs` channels into `outputs`.

    Computed backward from the output: the vertices that feed it share its channels evenly, the first
    of them taking one of the remainder each; every other one has the most that any of its targets has.
    """
    if vertices == 2:
        return inputs, outputs
    last = vertices - 1
    feeding = [v for v in range(1, last) if edges >> bit(v, last) & 1]
    share, rest = divmod(outputs, len(feeding))
    channels = [inputs, *([0] * (vertices - 2)), outputs]
    for i, v in enumerate(feeding):
        channels[v] = share + (i < rest)
    for v in range(last - 1, 0, -1):
        if v not in feeding:
            channels[v] = max(channels[t] for t in range(v + 1, last) if edges >> bit(v, t) & 1)
    return tuple(channels)
