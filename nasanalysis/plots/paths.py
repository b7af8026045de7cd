"""Lines with bands of any table: what training runs of synthetic experiments went through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .lines import draw_line, palette
from .style import GREY, MARKERS, legend_beside, log_y, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_paths(
    table: pl.DataFrame,
    x: str,
    y: str,
    by: str,
    *,
    xlabel: str,
    ylabel: str,
    legend: str = "",
    log: str = "",
    levels: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A line of column `y` against `x` for each value of `by`, with a band from ``low`` to ``high`` where these are.

    Parameters
    ----------
    legend: its title. log: which axes are logarithmic: ``x``, ``y`` or ``xy``.
    levels: label -> height of a dashed line.
    """
    from matplotlib.ticker import MaxNLocator

    rows = table.drop_nulls([x, y])
    if rows.is_empty():
        raise StudyError(f"paths: expected rows with {x!r} and {y!r}, got none")
    names = rows[by].unique(maintain_order=True).to_list()
    with look():
        ax = new_axes(ax)
        for i, (name, colour) in enumerate(zip(names, palette(len(names)), strict=True)):
            one = rows.filter(pl.col(by) == name).sort(x)
            banded = "low" in one.columns and one["low"].is_not_null().any()
            draw_line(
                ax, one, x, y, colour=colour, marker=MARKERS[i % len(MARKERS)], label=str(name), bands=len(names),
                band=("low", "high") if banded else None,
                linestyle=("-", "--")[i >= len(MARKERS)],
            )  # fmt: skip
        for label, level in (levels or {}).items():
            ax.axhline(level, color=GREY, linestyle="--", linewidth=1, zorder=1)
            at = {"xycoords": ("axes fraction", "data"), "xytext": (4, 2), "textcoords": "offset points"}
            ax.annotate(label, (0, level), color=GREY, ha="left", va="bottom", fontsize=8.5, **at)  # type: ignore[arg-type]
        if "x" in log:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        elif rows.schema[x].is_integer():
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if "y" in log:
            log_y(ax)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend(title=legend or None)
        legend_beside(ax)
    return ax
