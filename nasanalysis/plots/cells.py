"""Drawings of cells, for every space: matplotlib only, no Graphviz.

In NAS-Bench-201 and the DARTS family operations sit on edges, in NAS-Bench-101 and -1shot1 on nodes.
`cell_graph` brings both to one table of nodes and one of edges; `plot_cell` draws them from left to right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import ArchError
from ..spaces import Drawing, get_space, parse_arch
from ..spaces.capabilities import Drawable
from .style import OPERATION_LABELS, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The colour of an operation: one hue for each kind.
_CONV_WIDE, _CONV, _POOL, _SKIP, _OTHER = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#8C8C8C"


@dataclass(frozen=True)
class CellGraph:
    """One cell.

    Attributes
    ----------
    name: ``cell``, ``normal`` or ``reduce``.
    nodes: columns ``node`` (text), ``label``, ``operation`` (null where the node has none), ``layer`` (length of
        the longest path from an input; in NAS-Bench-201 the node's number, so that cells can be compared).
    edges: columns ``source, target, operation`` (null where the edge has none). An edge of ``none`` is left out.
    """

    name: str
    nodes: pl.DataFrame
    edges: pl.DataFrame


def cell_graph(arch: str) -> list[CellGraph]:
    """The cells of an architecture ``space:key``: one, or normal and reduce in the DARTS family.

    `ArchError` for a text that is no architecture, `MissingCapabilityError` for a space that cannot be drawn.
    """
    parsed = parse_arch(str(arch))
    return [_graph(drawing) for drawing in get_space(parsed.space, Drawable).drawings(parsed)]


def _graph(drawing: Drawing) -> CellGraph:
    """A cell whose nodes come in topological order, the output last."""
    labels, edges = drawing.labels, drawing.edges
    layer = dict.fromkeys(labels, 0)
    for node in labels:
        layer[node] = max((layer[s] + 1 for s, t, _ in edges if t == node), default=0)
    last = list(labels)[-1]
    layer[last] = 1 + max(depth for node, depth in layer.items() if node != last)  # alone, right of loose ends
    if drawing.layers is not None:
        layer = dict(zip(labels, drawing.layers, strict=True))
    nodes = pl.DataFrame(
        [(n, label, drawing.operations.get(n), layer[n]) for n, label in labels.items()],
        schema={"node": pl.String, "label": pl.String, "operation": pl.String, "layer": pl.Int64},
        orient="row",
    )
    schema = {"source": pl.String, "target": pl.String, "operation": pl.String}
    return CellGraph(drawing.name, nodes, pl.DataFrame(edges, schema=schema, orient="row"))


def plot_cell(arch: str, *, cell: str | None = None, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw an architecture's cell from left to right; in the DARTS family both cells, one above the other.

    `cell`: ``normal`` or ``reduce`` draws that one only. Edges of ``none`` are not drawn: a node without
    inputs holds zeros.
    """
    graphs = cell_graph(arch)
    if cell is not None:
        chosen = [graph for graph in graphs if graph.name == cell]
        if not chosen:
            raise ArchError(f"cells: expected one of {', '.join(g.name for g in graphs)}, got {cell!r}")
        graphs = chosen
    placed = [node_places(graph) for graph in graphs]
    bends = [_bends(graph, at) for graph, at in zip(graphs, placed, strict=True)]
    spans = [_span(graph, at, bows) for graph, at, bows in zip(graphs, placed, bends, strict=True)]
    heights = [high - low + (_MARGIN if len(graphs) > 1 else 1.0) for low, high in spans]
    width = max(x for at in placed for x, _ in at.values()) + 1.6
    with look():
        ax = new_axes(ax, figsize=(0.62 * width + 0.3, 0.62 * sum(heights) + 0.3))
        bottom = 0.0
        for graph, at, bows, (_, high), height in zip(graphs, placed, bends, spans, heights, strict=True):
            top = bottom - (_MARGIN - 0.7 if len(graphs) > 1 else 0.5)
            shifted = {node: (x, y + top - high) for node, (x, y) in at.items()}
            _draw(ax, graph, shifted, bows)
            if len(graphs) > 1:
                ax.text(-0.8, bottom - 0.1, graph.name, fontsize=10, fontweight="bold", ha="left", va="top")
            bottom -= height
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.set_xlim(-0.8, width - 0.8)
        ax.set_ylim(bottom, 0)
        if title:
            ax.set_title(title)
    return ax


Point = tuple[float, float]
_ACROSS, _DOWN, _MARGIN = 3.0, 1.7, 2.4  # between layers, between the nodes of one layer, above and below a cell


def node_places(graph: CellGraph) -> dict[str, Point]:
    """Node -> place, layer by layer from left to right, about y = 0; the first node of a layer on top."""
    layers = dict(graph.nodes.select("node", "layer").iter_rows())
    across = _ACROSS if graph.nodes["operation"].is_null().all() else 0.85 * _ACROSS
    at = {}
    for layer in set(layers.values()):
        column = [n for n in layers if layers[n] == layer]  # in the order of the text: the same figure every time
        for i, node in enumerate(column):
            at[node] = (across * layer, _DOWN * ((len(column) - 1) / 2 - i))
    return at


def _bends(graph: CellGraph, at: Mapping[str, Point]) -> list[float]:
    """How far each edge bows, one after the other: no more than it takes to pass beside nodes and other edges."""
    boxes = {
        node: (0.75 if operation else 0.4, 0.4)
        for node, operation in graph.nodes.select("node", "operation").iter_rows()
    }
    bends: list[float] = []
    drawn: list[Point] = []
    for source, target in graph.edges.select("source", "target").iter_rows():
        best = (float("inf"), 0.0, [(0.0, 0.0)])
        for bend in sorted((b * side for b in _BOWS for side in (1, -1)), key=abs):
            points = [_on_edge(at[source], at[target], bend, t / 20) for t in range(2, 19)]
            hits = sum(
                abs(x - at[node][0]) < wide and abs(y - at[node][1]) < high
                for node, (wide, high) in boxes.items()
                if node not in (source, target)
                for x, y in points
            )
            near = sum(abs(x - a) < 0.25 and abs(y - b) < 0.16 for x, y in points for a, b in drawn)
            cost = 10 * hits + 0.5 * near + 3 * abs(bend)
            if cost < best[0]:
                best = (cost, bend, points)
        bends.append(best[1])
        drawn += best[2]
    return bends


#: Bows that an edge may have, as arc3 counts them: positive ones bow down, negative ones up.
_BOWS = (0.0, 0.1, 0.17, 0.24, 0.32, 0.4, 0.5)


def _on_edge(start: Point, end: Point, bend: float, t: float) -> Point:
    """The point at share `t` of an edge: a quadratic curve, as matplotlib's arc3 draws it."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    control = ((start[0] + end[0]) / 2 + bend * dy, (start[1] + end[1]) / 2 - bend * dx)
    x, y = ((1 - t) ** 2 * a + 2 * t * (1 - t) * c + t**2 * b for a, c, b in zip(start, control, end, strict=True))
    return x, y


def _label_places(graph: CellGraph, at: Mapping[str, Point], bends: Sequence[float]) -> list[Point]:
    """Where on each edge its label stands: clear of nodes, labels and other edges as far as it goes."""
    edges = graph.edges.select("source", "target").rows()
    paths = [
        [_on_edge(at[s], at[t], bend, share / 20) for share in range(1, 20)]
        for (s, t), bend in zip(edges, bends, strict=True)
    ]
    taken = list(at.values())
    places = []
    for i, ((source, target), bend) in enumerate(zip(edges, bends, strict=True)):
        best = (float("inf"), (0.0, 0.0))
        for share in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72):
            x, y = _on_edge(at[source], at[target], bend, share)
            cost = abs(share - 0.5) + 20 * sum(abs(x - a) < 1.2 and abs(y - b) < 0.3 for a, b in taken)
            cost += sum(
                abs(x - a) < 0.6 and abs(y - b) < 0.18 for j, path in enumerate(paths) if j != i for a, b in path
            )
            if cost < best[0]:
                best = (cost, (x, y))
        places.append(best[1])
        taken.append(best[1])
    return places


def _span(graph: CellGraph, at: Mapping[str, Point], bends: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest y of nodes and edges."""
    ends = graph.edges.select("source", "target").iter_rows()
    bows = [(at[s][1] + at[t][1]) / 2 - b * (at[t][0] - at[s][0]) / 2 for (s, t), b in zip(ends, bends, strict=True)]
    heights = [*(y for _, y in at.values()), *bows]
    return min(heights), max(heights)


def _draw(ax: Axes, graph: CellGraph, at: Mapping[str, Point], bends: Sequence[float]) -> None:
    from matplotlib.patches import FancyArrowPatch

    size = 8.5
    said = {
        node: OPERATION_LABELS.get(op, op) if op else label
        for node, label, op in graph.nodes.select("node", "label", "operation").iter_rows()
    }
    edges = graph.edges.select("source", "target", "operation").iter_rows()
    places = _label_places(graph, at, bends)
    for (source, target, operation), bend, place in zip(edges, bends, places, strict=True):
        start, end = at[source], at[target]
        dx, dy = end[0] - start[0], end[1] - start[1]
        control = ((start[0] + end[0]) / 2 + bend * dy, (start[1] + end[1]) / 2 - bend * dx)  # as arc3 has it
        colour = operation_colour(operation)
        ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=_reach(said[source], size, control[0] - start[0], control[1] - start[1]),
                shrinkB=_reach(said[target], size, end[0] - control[0], end[1] - control[1]),
                color=colour,
                linewidth=1.8 if operation else 1.0,
                zorder=1,
            )
        )
        if operation:
            ax.text(
                *place,
                OPERATION_LABELS.get(operation, operation),
                ha="center",
                va="center",
                fontsize=8,
                color=colour,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
                zorder=3,
            )
    for node, op in graph.nodes.select("node", "operation").iter_rows():
        box = {"boxstyle": "round,pad=0.35", "facecolor": operation_colour(op) if op else "#F0F0F0"}
        ax.text(
            *at[node],
            said[node],
            ha="center",
            va="center",
            fontsize=size,
            color="white" if op else "black",
            bbox={**box, "edgecolor": "#555555"},
            zorder=4,
        )


def _reach(text: str, size: float, dx: float, dy: float) -> float:
    """Points from the middle of a node's box to its edge in direction (dx, dy), and a little more."""
    half_width, half_height = 0.31 * size * max(len(text), 1) + 0.35 * size, 1.0 * size
    length = (dx**2 + dy**2) ** 0.5
    across, down = abs(dx) / length, abs(dy) / length
    return float(min(half_width / max(across, 1e-9), half_height / max(down, 1e-9)) + 2.0)


def operation_colour(operation: str | None) -> str:
    """The colour of an operation's kind: wide convolutions, 1x1, pooling, skip, others."""
    if operation is None:
        return "#8C8C8C"
    if "pool" in operation:
        return _POOL
    if "skip" in operation:
        return _SKIP
    if operation in ("nor_conv_1x1", "conv1x1"):
        return _CONV
    return _CONV_WIDE if "conv" in operation else _OTHER
