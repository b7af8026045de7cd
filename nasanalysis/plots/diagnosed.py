"""What diagnostics of differentiable searches show: strength against alpha, skips against the supernet's accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .lines import palette
from .selected import method_label
from .style import MARKERS, legend_beside, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_strengths(
    strengths: pl.DataFrame,
    *,
    value: str = "strength",
    ylabel: str = "accuracy lost where it is masked (points)",
    ax: Axes | None = None,
) -> Axes:
    """One point for each operation of each edge: its weight, and what it is worth; a colour for each operation.

    strengths: STRENGTHS of one method; rows without `value` are left out. `StudyError` where none is left.
    """
    rows = strengths.drop_nulls([value, "weight"])
    if rows.is_empty():
        raise StudyError(f"strengths: expected rows with {value!r}, got none")
    operations = rows["operation"].unique(maintain_order=True).to_list()
    with look():
        ax = new_axes(ax)
        for i, (operation, colour) in enumerate(zip(operations, palette(len(operations)), strict=True)):
            one = rows.filter(operation=operation)
            marker = MARKERS[i % len(MARKERS)]
            ax.scatter(one["weight"], one[value], color=colour, marker=marker, s=22, alpha=0.75, label=operation)
        ax.set(xlabel="weight of the operation (softmax of α)", ylabel=ylabel)
        legend_beside(ax)
    return ax


@any_frame
def plot_along(along: pl.DataFrame, *, x: str, y: str, xlabel: str, ylabel: str, ax: Axes | None = None) -> Axes:
    """Two quantities of the same epochs against each other: a colour for each method, a line for each seed, a dot at
    its end.

    along: method, setting, seed, epoch, and the columns `x` and `y`. `StudyError` where no epoch has both.
    """
    rows = along.drop_nulls([x, y]).sort("epoch")
    if rows.is_empty():
        raise StudyError(f"along: expected epochs with {x!r} and {y!r}, got none")
    names = rows.select("method", "setting").unique(maintain_order=True).sort("method", "setting").rows()
    with look():
        ax = new_axes(ax)
        for (method, setting), colour in zip(names, palette(len(names)), strict=True):
            label: str | None = method_label(method, setting)
            for search in rows.filter(method=method, setting=setting).partition_by("seed", maintain_order=True):
                ax.plot(search[x], search[y], color=colour, alpha=0.55, linewidth=1, label=label)
                ax.plot(search[x][-1], search[y][-1], color=colour, marker="o", markersize=5, linestyle="none")
                label = None
        ax.set(xlabel=xlabel, ylabel=ylabel)
        legend_beside(ax)
    return ax


@any_frame
def plot_estimates(trace: pl.DataFrame, *, ax: Axes | None = None) -> Axes:
    """The skip's weight on each edge beside the one of least variance (Wang et al. 2021, Proposition 1).

    trace: TRACE of `nasanalysis diffsearch inspect` with ``trained_skip`` and ``predicted_skip``; a colour for each
    epoch, a point for each edge of each search. `StudyError` where no edge has both.
    """
    index = ["method", "setting", "seed", "epoch", "part"]
    rows = trace.filter(pl.col("quantity").is_in(["trained_skip", "predicted_skip"])).drop_nulls("value")
    wide = rows.pivot("quantity", index=index, values="value")
    if not {"trained_skip", "predicted_skip"} <= set(wide.columns) or wide.drop_nulls().is_empty():
        raise StudyError("estimates: expected edges with trained_skip and predicted_skip, got none")
    wide = wide.drop_nulls(["trained_skip", "predicted_skip"])
    epochs = wide["epoch"].unique().sort().to_list()
    with look():
        ax = new_axes(ax)
        for i, (epoch, colour) in enumerate(zip(epochs, palette(len(epochs)), strict=True)):
            one = wide.filter(epoch=epoch)
            ax.scatter(
                one["predicted_skip"],
                one["trained_skip"],
                color=colour,
                marker=MARKERS[i % len(MARKERS)],
                s=22,
                alpha=0.75,
                label=f"epoch {epoch}",
            )
        low = float(min(wide["predicted_skip"].min(), wide["trained_skip"].min()))  # type: ignore[type-var, arg-type]
        high = float(max(wide["predicted_skip"].max(), wide["trained_skip"].max()))  # type: ignore[type-var, arg-type]
        ax.plot([low, high], [low, high], color="0.4", linestyle="--", linewidth=1, label="equal")
        ax.set(
            xlabel="weight of the skip that leaves the least variance",
            ylabel="weight of the skip in the search",
        )
        legend_beside(ax)
    return ax
