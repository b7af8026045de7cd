"""How large the NAS-Bench-1shot1 spaces are, under each way of counting that is in use."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from .nb1shot1 import SPACES_1SHOT1, graph_bits
from .nb101_enumeration import canonical_codes
from .nb101_graph import bit, keep, live_vertices


@cache
def nb1shot1_counts(name: str) -> dict[str, int]:
    """How large a space is, under each way of counting that is in use.

    ========================== =====================================================================
    ``encodings``              every choice of parents times 3 operations on every choice node
    ``operations_where_read``  every choice of parents times 3 operations on the nodes that something
                               reads. This is the published count with loose ends of spaces 1 and 3
                               (6,240 and 363,648); it takes a node that only loose ends read for
                               used. For space 2 it would be 16,632: the published 29,160 is
                               ``encodings``. So the published row mixes two ways of counting; the
                               numbers say that much, the paper does not say why.
    ``without_loose_ends``     graphs without loose ends times 3^(their nodes): what the words mean
    ``along_one_chain``        the published count without loose ends (2,487, 3,609, 24,066), exactly.
                               The benchmark's public generator gives parents to a node, then goes on
                               to each of them in turn, but keeps what it found only for the last. So
                               it meets only the graphs whose nodes all lie on the chain that leads
                               from the output to its largest parent, then to that one's, and so on;
                               the others are missing. Graphs times 3^(their nodes), isomorphs counted
                               apart.
    ``cells``                  distinct cells of NAS-Bench-101 among the encodings
    ``cells_along_one_chain``  distinct cells among the graphs of ``along_one_chain``
    ========================== =====================================================================
    """
    space = SPACES_1SHOT1[name]
    where_read = 0
    whole: dict[tuple[int, tuple[int, ...]], int] = {}
    for sets in itertools.product(*space.combinations):
        edges = graph_bits(sets)
        where_read += 3 ** len(set().union(*sets) - {0})
        kept = live_vertices(space.choices + 2, edges)
        whole[sum(1 << bit(x, v) for v in kept[1:] for x in sets[v - 1]), kept] = len(kept) - 2
    chained = {
        graph: inner
        for graph, inner in whole.items()
        if all(graph[0] >> bit(a, b) & 1 for a, b in itertools.pairwise(graph[1][1:]))
    }
    codes = set()
    for edges, kept in chained:
        vertices, pruned = keep(space.choices + 2, edges, kept)
        labels = np.array(list(itertools.product(range(3), repeat=vertices - 2)), dtype=np.int64)
        codes.update(canonical_codes(vertices, pruned, labels).tolist())
    return {
        "encodings": len(space),
        "operations_where_read": where_read,
        "without_loose_ends": sum(3**inner for inner in whole.values()),
        "along_one_chain": sum(3**inner for inner in chained.values()),
        "cells": len(np.unique(space.cell_codes)),
        "cells_along_one_chain": len(codes),
    }
