"""Drawings of cells, for every space: matplotlib and networkx, no Graphviz.

In NAS-Bench-201 and the DARTS family operations sit on edges, in NAS-Bench-101 and -1shot1 on nodes.
`cell_graph` brings both to one table of nodes and one of edges; `plot_cell` draws them from left to right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from ..errors import ArchError, StudyError
from ..spaces import get_space, parse_arch
from ..spaces.nb101 import parse_cell as parse_nb101
from ..spaces.nb101_graph import SHORT, bit
from ..spaces.nb201 import parse_cell as parse_nb201
from ..spaces.nb201_isomorphism import EDGES
from .style import look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a reader sees of an operation, and its colour: one hue for each kind.
OPERATION_LABELS = {
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "avg pool 3×3",
    "max_pool_3x3": "max pool 3×3",
    "skip_connect": "skip",
    "sep_conv_3x3": "sep 3×3",
    "sep_conv_5x5": "sep 5×5",
    "dil_conv_3x3": "dil 3×3",
    "dil_conv_5x5": "dil 5×5",
    "conv3x3": "conv 3×3",
    "conv1x1": "conv 1×1",
    "maxpool3x3": "max pool 3×3",
    "none": "none",
    "noise": "noise",
}
_CONV_WIDE, _CONV, _POOL, _SKIP, _OTHER = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#8C8C8C"


@dataclass(frozen=True)
class CellGraph:
    """One cell.

    Attributes
    ----------
    name: ``cell``, ``normal`` or ``reduce``.
    nodes: columns ``node`` (text), ``label``, ``operation`` (null where the node has none), ``layer`` (length of
        the longest path from an input).
    edges: columns ``source, target, operation`` (null where the edge has none). An edge of ``none`` is left out.
    """

    name: str
    nodes: pl.DataFrame
    edges: pl.DataFrame


def cell_graph(arch: str) -> list[CellGraph]:
    """The cells of an architecture ``space:key``: one, or normal and reduce in the DARTS family.

    `ArchError` for a text that is no architecture, `StudyError` for a space that cannot be drawn.
    """
    found = parse_arch(str(arch))
    if found.space == "nb201":
        ops = parse_nb201(found.key)
        edges = [(str(s), str(t), op) for op, (t, s) in zip(ops, EDGES, strict=True) if op != "none"]
        return [_graph("cell", {"0": "in", "1": "1", "2": "2", "3": "out"}, {}, edges)]
    if found.space.startswith("nb101"):
        cell = parse_nb101(found.key, found.space)
        last = cell.vertices - 1
        labels = {str(v): "in" if v == 0 else "out" if v == last else "" for v in range(cell.vertices)}
        operations = {str(v): SHORT[label] for v, label in enumerate(cell.labels, 1)}
        links = [(str(s), str(t), None) for t in range(1, last + 1) for s in range(t) if cell.edges >> bit(s, t) & 1]
        return [_graph("cell", labels, operations, links)]
    space: Any = get_space(found.space)
    if not hasattr(space, "genotype"):
        raise StudyError(f"cells: expected one of nb201, nb101, nb101-1 to -3 or the DARTS family, got {arch}")
    graphs = []
    for name, rows in zip(("normal", "reduce"), space.genotype(found), strict=True):
        names = {"0": "c(k−2)", "1": "c(k−1)"} | {str(n): str(n - 2) for n in range(2, len(rows) + 2)} | {"out": "c(k)"}
        edges = [(str(s), str(n), op) for n, node in enumerate(rows, 2) for op, s in node if op != "none"]
        ends: list[tuple[str, str, str | None]] = [(str(n), "out", None) for n in range(2, len(rows) + 2)]
        graphs.append(_graph(name, names, {}, [*edges, *ends]))
    return graphs


def _graph(
    name: str, labels: Mapping[str, str], operations: Mapping[str, str], edges: Sequence[tuple[str, str, str | None]]
) -> CellGraph:
    layer = dict.fromkeys(labels, 0)
    for node in labels:  # in topological order
        layer[node] = max((layer[s] + 1 for s, t, _ in edges if t == node), default=0)
    last = list(labels)[-1]
    layer[last] = max(layer.values()) if layer[last] else max(layer.values()) + 1
    nodes = pl.DataFrame(
        [(n, label, operations.get(n), layer[n]) for n, label in labels.items()],
        schema={"node": pl.String, "label": pl.String, "operation": pl.String, "layer": pl.Int64},
        orient="row",
    )
    schema = {"source": pl.String, "target": pl.String, "operation": pl.String}
    return CellGraph(name, nodes, pl.DataFrame(edges, schema=schema, orient="row"))


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
    with look():
        wide = any(graph.nodes["label"].len() > 6 for graph in graphs)
        ax = new_axes(ax, figsize=(7.4 if wide else 5.6, 2.7 * len(graphs)))
        top = 0.0
        for graph in graphs:
            top = _draw(ax, graph, top, name=graph.name if len(graphs) > 1 else None)
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.autoscale_view()
        if title:
            ax.set_title(title)
    return ax


def _draw(ax: Axes, graph: CellGraph, top: float, *, name: str | None) -> float:
    """Draw one cell below `top`; the height left below it."""
    import networkx as nx
    from matplotlib.patches import FancyArrowPatch

    net = nx.DiGraph()
    for row in graph.nodes.iter_rows(named=True):
        net.add_node(row["node"], layer=row["layer"])
    net.add_edges_from(graph.edges.select("source", "target").iter_rows())
    placed = nx.multipartite_layout(net, subset_key="layer", align="vertical")
    layers = {row["node"]: row["layer"] for row in graph.nodes.iter_rows(named=True)}
    per_layer = {n: sum(other == layer for other in layers.values()) for n, layer in layers.items()}
    rank = {
        node: sorted((n for n in layers if layers[n] == layers[node]), key=lambda n: placed[n][1]).index(node)
        for node in layers
    }
    at = {node: (2.0 * layers[node], 1.3 * (rank[node] - (per_layer[node] - 1) / 2)) for node in layers}
    drawn: list[tuple[str, str, float]] = []
    for row in graph.edges.iter_rows(named=True):
        (x0, y0), (x1, y1) = at[row["source"]], at[row["target"]]
        blocked = any(
            node not in (row["source"], row["target"])
            and min(x0, x1) < x < max(x0, x1)
            and abs(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y) < 0.45
            for node, (x, y) in at.items()
        )
        twins = sum((s, t) == (row["source"], row["target"]) for s, t, _ in drawn)
        span = layers[row["target"]] - layers[row["source"]]
        bend = (0.24 + 0.06 * span) * (1 if (int(layers[row["source"]]) + span) % 2 else -1) if blocked else 0.3 * twins
        drawn.append((row["source"], row["target"], bend))
    low = high = 0.0
    for row, (_, _, bend) in zip(graph.edges.iter_rows(named=True), drawn, strict=True):
        start, end = at[row["source"]], at[row["target"]]
        colour = operation_colour(row["operation"])
        height = -bend * (end[0] - start[0]) / 2
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + height)
        low, high = min(low, middle[1]), max(high, middle[1])
        shift = top
        ax.add_patch(
            FancyArrowPatch(
                (start[0], start[1] + shift),
                (end[0], end[1] + shift),
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=11,
                shrinkA=13,
                shrinkB=13,
                color=colour,
                linewidth=1.8 if row["operation"] else 1.0,
                zorder=1,
            )
        )
        if row["operation"]:
            ax.text(
                middle[0],
                middle[1] + shift,
                OPERATION_LABELS.get(row["operation"], row["operation"]),
                ha="center",
                va="center",
                fontsize=8,
                color=colour,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
                zorder=3,
            )
    for row in graph.nodes.iter_rows(named=True):
        x, y = at[row["node"]]
        own = row["operation"]
        ax.text(
            x,
            y + top,
            OPERATION_LABELS.get(own, own) if own else row["label"],
            ha="center",
            va="center",
            fontsize=8.5,
            color="white" if own else "black",
            bbox={
                "boxstyle": "round,pad=0.35",
                "facecolor": operation_colour(own) if own else "#F0F0F0",
                "edgecolor": "#555555",
            },
            zorder=4,
        )
        low, high = min(low, y), max(high, y)
    if name:
        ax.text(-0.6, top + high + 0.75, name, fontsize=10, fontweight="bold", ha="left")
    right = max(x for x, _ in at.values())
    ax.update_datalim([(-0.9, top + low - 0.6), (right + 0.7, top + high + (1.1 if name else 0.6))])
    return top + low - 2.2 - 1.3 * 2


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
