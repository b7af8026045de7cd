"""A cell as a labelled graph: where it has slots for operations, and which operation stands in each.

`Drawing` is for the eye; this is for arithmetic. Cells of one `Topology` differ in their operations only, so what is
read from many of them is computed for a whole topology at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: ``conv`` has weights, ``pool`` and ``other`` (noise) have none, ``skip`` hands on what it reads, ``none`` nothing.
Kind = Literal["conv", "pool", "skip", "none", "other"]


@dataclass(frozen=True)
class Topology:
    """Nodes, numbered so that edges go upward, and the slots of operations on edges or in nodes.

    Attributes
    ----------
    nodes: how many; inputs and output: their numbers.
    edges: (source, target, slot of the operation on it, or None where it only connects).
    node_slots: (node, slot of its operation), where operations sit in nodes.
    """

    nodes: int
    inputs: tuple[int, ...]
    output: int
    edges: tuple[tuple[int, int, int | None], ...]
    node_slots: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class CellGraph:
    """A cell: ``cell``, ``normal`` or ``reduce``, its topology, and the operation in each slot."""

    name: str
    topology: Topology
    operations: tuple[str, ...]


def kind_of(operation: str) -> Kind:
    """The kind of an operation of the embedded spaces, by its name.

    >>> [kind_of(name) for name in ("nor_conv_3x3", "maxpool3x3", "skip_connect", "none", "noise")]
    ['conv', 'pool', 'skip', 'none', 'other']
    """
    if operation in ("none", "skip_connect"):
        return "none" if operation == "none" else "skip"
    return "conv" if "conv" in operation else "pool" if "pool" in operation else "other"


def on_edges(edges: Sequence[tuple[int, int]]) -> Topology:
    """One input (0), an operation on each edge (source, target) in turn; the highest node is the output."""
    nodes = max(target for _, target in edges) + 1
    return Topology(nodes, (0,), nodes - 1, tuple((s, t, slot) for slot, (s, t) in enumerate(edges)))


def in_nodes(nodes: int, edges: Sequence[tuple[int, int]]) -> Topology:
    """Input 0, output `nodes` - 1, an operation in each node between; edges only connect."""
    slots = tuple((node, node - 1) for node in range(1, nodes - 1))
    return Topology(nodes, (0,), nodes - 1, tuple((s, t, None) for s, t in edges), slots)


def two_inputs(sources: Sequence[Sequence[int]]) -> Topology:
    """Inputs 0 and 1; nodes from 2 read `sources` through an operation each; the output reads every such node."""
    reads = [(source, node) for node, read in enumerate(sources, start=2) for source in read]
    output = len(sources) + 2
    edges = [(s, t, slot) for slot, (s, t) in enumerate(reads)] + [(n, output, None) for n in range(2, output)]
    return Topology(output + 1, (0, 1), output, tuple(edges))
