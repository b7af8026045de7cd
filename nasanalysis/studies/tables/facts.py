"""What spaces are made of, counted in this package's own: edges, operations, nodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from ...report.cells import count
from ...report.model import Table
from ...report.published import Cells
from ...report.tables import plain_table
from ...spaces import get_space, nb1shot1, nb101_graph
from ...spaces.darts import CellSpace
from ...spaces.nb1shot1_counts import nb1shot1_counts
from ...spaces.nb201 import OPERATIONS
from ...spaces.nb201_isomorphism import EDGES
from ..items import Resampling, Sources

#: Spaces of NAS-Bench-1shot1, and of two cells of the DARTS kind.
_ONE_SHOT = ("nb101-1", "nb101-2", "nb101-3")
_CELL_SPACES = ("darts", "s1", "s2", "s3", "s4", "s5")


def space_facts(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each space and thing that is counted."""
    schema = {"space": pl.String, "what": pl.String, "count": pl.Float64}  # some are beyond whole numbers of 64 bits
    frame = pl.DataFrame(list(_facts()), schema=schema, orient="row")
    note = "Of a cell; edges and operations of two cells where a space has two. Operations of S1 to S4: on one edge."
    formats: list[str | Callable[[Any], str]] = ["s", "s", count]
    return plain_table("space-facts", "What the spaces are made of", frame, frame.columns, formats, note)


def _facts() -> Iterator[tuple[str, str, float]]:
    yield ("nb201", "edges", len(EDGES))
    yield ("nb201", "operations", len(OPERATIONS))
    yield ("nb201", "nodes", 1 + max(target for target, _ in EDGES))
    yield ("nb101", "most nodes", nb101_graph.MAX_VERTICES)
    yield ("nb101", "most edges", nb101_graph.MAX_EDGES)
    for name in _ONE_SHOT:
        yield (name, "operations", len(nb1shot1.OPERATIONS))
        yield (name, "encodings with operations only where read", nb1shot1_counts(name)["operations_where_read"])
    for name in _CELL_SPACES:
        space = get_space(name, CellSpace)
        edges = [options for cell in space.edge_operations.values() for options in cell.values()]
        operations = max(len(options) for options in edges)
        yield (name, "edges of both supernet cells", len(edges))
        yield (name, "edges of one supernet cell", len(space.edge_operations["normal"]))
        yield (name, "edges kept in one cell", 2 * space.nodes)
        yield (name, "nodes of a cell", 3 + space.nodes)  # two inputs and the output beside the intermediate ones
        shallow, deep = _depths(space.nodes)
        yield (name, "edges of a cell's longest path, at least", shallow)
        yield (name, "edges of a cell's longest path, at most", deep)
        yield (name, "operations that a genotype may have", operations)
        with_none = operations + ("none" in space.unselected)
        yield (name, "operations with none", with_none)
        yield (name, "choices of one operation on every edge", float(with_none) ** len(edges))
    yield from _networks()


def _depths(nodes: int) -> tuple[int, int]:
    """Edges of the longest path from an input to the output: of the shallowest and of the deepest cell.

    Every node reads two of those before it, and the output reads every node.
    """
    found = set()
    for inputs in itertools.product(*(itertools.combinations(range(node + 2), 2) for node in range(nodes))):
        depths = [0, 0]
        for pair in inputs:
            depths.append(1 + max(depths[source] for source in pair))
        found.add(1 + max(depths))
    return min(found), max(found)


def _dense(*widths: int) -> int:
    """Parameters of fully connected layers, with biases."""
    return sum((before + 1) * after for before, after in itertools.pairwise(widths))


#: Channels of the 13 convolutions of VGG-16 (Simonyan and Zisserman 2015, configuration D).
_VGG16 = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def _networks() -> Iterator[tuple[str, str, float]]:
    """Networks of the SoTL thesis's first experiments."""
    convolutions = sum((9 * before + 1) * after for before, after in itertools.pairwise(_VGG16))
    yield ("mnist", "parameters with one hidden layer of 1,000 units", _dense(784, 1000, 10))
    yield ("mnist", "parameters with two hidden layers of 1,000 units", _dense(784, 1000, 1000, 10))
    large = _dense(7 * 7 * 512, 4096, 4096, 1000)
    yield ("vgg-16", "parameters for images of 224 pixels and 1,000 classes", convolutions + large)
    yield ("vgg-16", "parameters for images of 32 pixels and 10 classes", convolutions + _dense(512, 4096, 4096, 10))
