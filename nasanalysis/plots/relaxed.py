"""The cell of a differentiable search as it stands: every candidate of every edge, as wide as its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .lines import palette
from .style import OPERATION_LABELS, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points that a weight of 1 is wide.
WIDEST = 9.0


@any_frame
def relaxed_edges(alphas: pl.DataFrame, *, cell: str, epoch: int | None = None) -> pl.DataFrame:
    """Columns ``source, target, operation, weight``: means over searches of one method, at an epoch (None: the last).

    alphas: ALPHAS. Candidates that are gone weigh 0. `StudyError` where the frame holds several methods, no such cell
    or epoch, or places that are no edges (NAS-Bench-1shot1, whose operations sit on nodes).
    """
    table = check(alphas, "ALPHAS")
    if table.select("method", "setting").n_unique() > 1:
        raise StudyError("relaxed cell: expected ALPHAS of one method and setting, got several; filter the frame")
    chosen = int(table["epoch"].to_numpy().max()) if epoch is None else epoch
    rows = table.filter(pl.col("cell") == cell, pl.col("epoch") == chosen)
    edges = rows.filter(pl.col("edge").str.contains(r"^\d+-\d+$"))
    if edges.is_empty():
        known = ", ".join(table["cell"].unique().sort())
        raise StudyError(
            f"relaxed cell: expected edges of a cell among {known} with weights of epoch {chosen}, got none of {cell!r}"
        )
    shown = pl.when(pl.col("mask").fill_null(value=True)).then(pl.col("weight")).otherwise(0.0)
    return (
        edges.group_by("edge", "operation", maintain_order=True)
        .agg(weight=shown.mean())
        .with_columns(
            source=pl.col("edge").str.split("-").list.get(0).cast(pl.Int64),
            target=pl.col("edge").str.split("-").list.get(1).cast(pl.Int64),
        )
        .select("source", "target", "operation", "weight")
    )


@any_frame
def plot_relaxed_cell(
    alphas: pl.DataFrame,
    *,
    cell: str = "cell",
    epoch: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `relaxed_edges`: nodes from left to right, a bundle of arcs for each edge, a colour for each operation.

    Operations that weigh most on their edge are drawn whole, the others pale; ``none`` is left out, whatever it weighs.
    """
    table = relaxed_edges(alphas, cell=cell, epoch=epoch)
    operations = [op for op in table["operation"].unique(maintain_order=True) if op != "none"]
    colours = dict(zip(operations, palette(len(operations)), strict=True))
    nodes = sorted({*table["source"], *table["target"]})
    with look():
        ax = new_axes(ax, figsize=(1.9 * len(nodes) + 1.6, 0.75 * len(nodes) + 1.9))
        for (source, target), edge in table.group_by("source", "target", maintain_order=True):
            _edge(ax, int(source), int(target), edge, colours)
        for node in nodes:
            inputs = node not in set(table["target"])
            ax.text(
                node,
                0,
                f"in {node}" if inputs else str(node),
                ha="center",
                va="center",
                fontsize=9,
                zorder=4,
                bbox={"boxstyle": "round,pad=0.4", "facecolor": "#F0F0F0", "edgecolor": "#555555"},
            )
        for operation, colour in colours.items():
            ax.plot([], [], color=colour, linewidth=4, label=OPERATION_LABELS.get(operation, operation))
        span = nodes[-1] - nodes[0]
        ax.set_xlim(nodes[0] - 0.35, nodes[-1] + 0.35)
        ax.set_ylim(-0.34 * span - 0.1, 0.34 * span + 0.1)
        ax.set_axis_off()
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=min(4, len(colours)), frameon=False)
        if title:
            ax.set_title(title)
    return ax


def _edge(ax: Axes, source: int, target: int, edge: pl.DataFrame, colours: dict[str, Any]) -> None:
    """Arcs one beside the other, longer edges bowing further; odd sources above, even ones below."""
    from matplotlib.patches import FancyArrowPatch

    length = target - source
    side = 1 if (source + target) % 2 else -1
    shown = edge.filter(pl.col("operation") != "none")
    best = shown["weight"].max()
    # a bow of so much of the edge's length; the next arc lies a little further out
    base = 0.0 if length == 1 else 0.3
    rows = shown.sort("weight", descending=True).rows(named=True)
    for place, row in enumerate(rows):
        bend = base + (0.11 if length == 1 else 0.055 * 3 / length) * (place - (len(rows) - 1) / 2 * (length == 1))
        strong = row["weight"] == best
        ax.add_patch(
            FancyArrowPatch(
                (source, 0),
                (target, 0),
                connectionstyle=f"arc3,rad={side * bend}",
                arrowstyle="-",
                shrinkA=13,
                shrinkB=13,
                color=colours[row["operation"]],
                linewidth=max(0.4, WIDEST * row["weight"]),
                alpha=1.0 if strong else 0.4,
                zorder=3 if strong else 2,
            )
        )
