"""Cells as short texts that a chart draws: places and words of nodes, ends, bows and operations of edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..plots.cells import CellGraph, cell_graph, node_places, operation_colour
from ..plots.style import OPERATION_LABELS
from ..spaces import offers
from ..spaces.capabilities import Drawable

#: How far an edge bows for every layer that it passes over, as a share of its length; to either side in turn.
_BOW = 0.2
#: Between the cells of one architecture.
_GAP = 2.2


@dataclass(frozen=True)
class DrawnCell:
    """One architecture. nodes: ``x y words`` joined by ``;``; edges: ``x1 y1 x2 y2 bow words`` the same way."""

    nodes: str
    edges: str


def can_be_drawn(arch: str) -> bool:
    """Whether the space of an architecture ``space:key`` says how its cells look."""
    return offers(arch.partition(":")[0], Drawable)


@lru_cache(maxsize=20_000)  # the figures of one page draw the same architectures
def drawn_cell(arch: str) -> DrawnCell:
    """The cells of an architecture, one below another; words have no blanks (``_`` stands for one)."""
    nodes: list[str] = []
    edges: list[str] = []
    top = 0.0
    for graph in cell_graph(arch):
        at = node_places(graph)
        high, low = max(y for _, y in at.values()), min(y for _, y in at.values())
        placed = {node: (x, y - high + top) for node, (x, y) in at.items()}
        for node, label, operation in graph.nodes.select("node", "label", "operation").iter_rows():
            x, y = placed[node]
            nodes.append(f"{x:g} {y:g} {_words(OPERATION_LABELS.get(operation, operation) if operation else label)}")
        edges += _edges(graph, placed)
        top -= high - low + _GAP
    return DrawnCell(";".join(nodes), ";".join(edges))


def _edges(graph: CellGraph, at: dict[str, tuple[float, float]]) -> list[str]:
    layer = dict(graph.nodes.select("node", "layer").iter_rows())
    said = []
    for source, target, operation in graph.edges.select("source", "target", "operation").iter_rows():
        over = max(0, layer[target] - layer[source] - 1)
        bow = _BOW * over * (1 if layer[source] % 2 else -1)
        (x1, y1), (x2, y2) = at[source], at[target]
        words = _words(OPERATION_LABELS.get(operation, operation)) if operation else "-"
        said.append(f"{x1:g} {y1:g} {x2:g} {y2:g} {bow:g} {words}")
    return said


def _words(text: str) -> str:
    return text.replace(" ", "_").replace(";", ",")


#: Words of an operation -> its colour, as everywhere.
COLOURS = {_words(label): operation_colour(operation) for operation, label in OPERATION_LABELS.items()} | {
    "-": operation_colour(None)
}
