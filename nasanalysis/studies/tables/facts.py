"""What spaces are made of, counted in this package's own: edges, operations, nodes."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...report.model import Table
from ...report.published import Cells
from ...report.tables import plain_table
from ...spaces import get_space, nb101_graph, nb1shot1
from ...spaces.darts import CellSpace
from ...spaces.nb201 import OPERATIONS
from ...spaces.nb201_isomorphism import EDGES
from ..items import Resampling, Sources

#: Spaces of two cells of the DARTS kind.
_CELL_SPACES = ("darts", "s1", "s2", "s3", "s4", "s5")


def space_facts(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each space and thing that is counted."""
    frame = pl.DataFrame(list(_facts()), schema=["space", "what", "count"], orient="row")
    note = "Of a cell; edges and operations of two cells where a space has two. Operations of S1 to S4: on one edge."
    return plain_table("space-facts", "What the spaces are made of", frame, frame.columns, ["s", "s", "d"], note)


def _facts() -> Iterator[tuple[str, str, int]]:
    yield ("nb201", "edges", len(EDGES))
    yield ("nb201", "operations", len(OPERATIONS))
    yield ("nb201", "nodes", 1 + max(target for target, _ in EDGES))
    yield ("nb101", "most nodes", nb101_graph.MAX_VERTICES)
    yield ("nb101", "most edges", nb101_graph.MAX_EDGES)
    yield from ((f"nb101-{i}", "operations", len(nb1shot1.OPERATIONS)) for i in (1, 2, 3))
    for name in _CELL_SPACES:
        space = get_space(name, CellSpace)
        edges = [options for cell in space.edge_operations.values() for options in cell.values()]
        operations = max(len(options) for options in edges)
        yield (name, "edges of both supernet cells", len(edges))
        yield (name, "edges of one supernet cell", len(space.edge_operations["normal"]))
        yield (name, "edges kept in one cell", 2 * space.nodes)
        yield (name, "nodes of a cell", 3 + space.nodes)  # two inputs and the output beside the intermediate ones
        yield (name, "operations that a genotype may have", operations)
        yield (name, "operations with none", operations + ("none" in space.unselected))
