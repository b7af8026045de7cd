"""Paths from input to output of many cells of one topology at once: exact, and counted once for a topology."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...spaces.cell_graphs import Topology

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Paths:
    """All paths of a topology, whatever its operations.

    Attributes
    ----------
    slots: (n_paths, n_slots) the slots on each path; edges: (n_paths, n_edges) its edges.
    """

    slots: Bools
    edges: Bools


@lru_cache(maxsize=1 << 13)
def paths_of(topology: Topology) -> Paths:
    """Every path from an input to the output; a path is a sequence of edges, so parallel edges give one each."""
    routes = [route for start in topology.inputs for route in _routes(topology, start)]
    n_slots = sum(slot is not None for *_, slot in topology.edges) + len(topology.node_slots)
    in_node = dict(topology.node_slots)
    slots = np.zeros((len(routes), n_slots), dtype=bool)
    edges = np.zeros((len(routes), len(topology.edges)), dtype=bool)
    for row, route in enumerate(routes):
        edges[row, list(route)] = True
        for _, target, slot in (topology.edges[number] for number in route):
            slots[row, [s for s in (slot, in_node.get(target)) if s is not None]] = True
    return Paths(slots, edges)


def _routes(topology: Topology, node: int) -> Iterator[tuple[int, ...]]:
    if node == topology.output:
        yield ()
        return
    for number, (source, target, _) in enumerate(topology.edges):
        if source == node:
            yield from ((number, *rest) for rest in _routes(topology, target))


def through(open_paths: Bools, members: Bools) -> Bools:
    """(n, n_members): which slots or edges lie on an open path. (n, n_paths), (n_paths, n_members)."""
    return np.asarray(open_paths.astype(np.int64) @ members.astype(np.int64) > 0)


def widths(paths: Paths, open_paths: Bools) -> NDArray[np.int64]:
    """(n,) the most slots on open paths, no two of them on one such path: operations that run side by side."""
    patterns, which = np.unique(open_paths, axis=0, return_inverse=True)
    widest = np.array([_widest(paths.slots[pattern]) for pattern in patterns], dtype=np.int64)
    return np.asarray(widest[np.ravel(which)])


def _widest(slots: Bools) -> int:
    """The largest antichain, by trying: cells have at most eight slots. `slots`: (n_paths, n_slots) of open paths."""
    together = slots.astype(np.int64).T @ slots.astype(np.int64) > 0
    sets: list[tuple[int, ...]] = [()]
    for slot in np.flatnonzero(slots.any(axis=0)).tolist():
        sets += [(*chosen, slot) for chosen in sets if not together[slot, list(chosen)].any()]
    return max(map(len, sets))
