"""Ablations: a measured value against one setting (lines) or two (heat map)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import FrameError, StudyError
from ..core.frames import any_frame
from .heatmap import draw_heatmap
from .lines import draw_line, palette
from .style import GREY, MARKERS, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def ablation_grid(table: pl.DataFrame, x: str, y: str, value: str = "estimate") -> pl.DataFrame:
    """The wide table behind a heat map: a row for each `y`, a column for each `x`, in order of their values.

    `table`: tidy, one row for each combination of settings. `FrameError` if a cell is held twice (another
    setting varies: filter first).
    """
    _columns(table, x, y, value)
    if table.select(x, y).is_duplicated().any():
        raise FrameError(f"ablation: several rows for one ({x}, {y}); another setting varies: filter first")
    wide = table.sort(x, y).pivot(x, index=y, values=value, maintain_order=True)
    return wide.sort(y)


@any_frame
def plot_ablation_heatmap(
    table: pl.DataFrame,
    *,
    x: str,
    y: str,
    value: str = "estimate",
    label: str = "Kendall's τ-b",
    x_label: str | None = None,
    y_label: str | None = None,
    digits: int = 2,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `ablation_grid` with the value in every cell; the best is framed. Empty cells were not measured."""
    import matplotlib as mpl

    wide = ablation_grid(table, x, y, value)
    values = wide.drop(y).cast(pl.Float64).fill_null(np.nan).to_numpy()
    with look():
        ax = new_axes(ax, figsize=(1.8 + 0.75 * values.shape[1], 1.4 + 0.5 * values.shape[0]))
        draw_heatmap(
            ax,
            values,
            rows=[_short(v) for v in wide[y]],
            columns=[_short(v) for v in table[x].unique().sort()],
            label=label,
            write=lambda number: f"{number:.{digits}f}",
            cmap=mpl.rcParams["image.cmap"],
        )
        _frame_best(ax, values)
        ax.set(xlabel=x_label or x.replace("_", " "), ylabel=y_label or y.replace("_", " "))
        if title:
            ax.set_title(title)
    return ax


def _frame_best(ax: Axes, values: NDArray[np.float64]) -> None:
    from matplotlib.patches import Rectangle

    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    ax.add_patch(
        Rectangle((float(column), float(row)), 1, 1, fill=False, edgecolor=palette(2)[1], linewidth=2.5, clip_on=False)
    )


@any_frame
def plot_ablation_lines(
    table: pl.DataFrame,
    *,
    x: str,
    by: str | None = None,
    value: str = "estimate",
    low: str = "ci_low",
    high: str = "ci_high",
    label: str = "Kendall's τ-b",
    x_label: str | None = None,
    by_label: str | None = None,
    log: bool = False,
    baseline: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """A line of `value` against setting `x` for each `by`, with the interval as a band where the table has one.

    `log`: logarithmic x axis. `baseline`: a value drawn as a level line.
    """
    _columns(table, x, value, *([by] if by else []))
    if table.select(x, *([by] if by else [])).is_duplicated().any():
        raise FrameError(f"ablation: several rows for one {x}; another setting varies: filter first, or name it in by")
    names: list[Any] = table[by].unique(maintain_order=True).to_list() if by else [None]
    band = (low, high) if low in table.columns and high in table.columns else None
    with look():
        ax = new_axes(ax)
        colours = palette(len(names))
        for i, name in enumerate(names):
            rows = (table if by is None else table.filter(pl.col(by) == name)).sort(x)
            text = None if name is None else _short(name)
            style = {"colour": colours[i], "marker": MARKERS[i % len(MARKERS)], "label": text}
            draw_line(ax, rows, x, value, band=band, bands=len(names), **style)
        if baseline is not None:
            ax.axhline(baseline, color=GREY, linestyle="--", linewidth=1.2, label="baseline")
        if log:
            ax.set_xscale("log")
        ax.set(xlabel=x_label or x.replace("_", " "), ylabel=label)
        if title:
            ax.set_title(title)
        if by or baseline is not None:
            ax.legend(title=by_label or (by.replace("_", " ") if by else None), loc="best", alignment="left")
    return ax


def _columns(table: pl.DataFrame, *names: str) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise StudyError(f"ablation: expected the columns {', '.join(missing)}, got {', '.join(table.columns)}")


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
