"""Scatter of two quantities with their marginals, coloured by a third, and the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .style import COLOURS, SEQUENTIAL, look, new_axes, proxy_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def with_front(table: pl.DataFrame, cost: str, value: str, *, direction: int = 1) -> pl.DataFrame:
    """`table` with a column ``on_front``: no other row costs at most as much and is at least as good, one strictly.

    `cost`: lower is better; `value`: better when higher (`direction` +1) or lower (-1). Rows in which either
    is undefined are not on the front. Equal rows are on it together.
    """
    for column in (cost, value):
        if column not in table.columns:
            raise StudyError(f"front: expected a column {column!r}, got {', '.join(table.columns)}")
    if direction not in (1, -1):
        raise StudyError(f"front: direction: expected +1 or -1, got {direction!r}")
    x = table[cost].cast(pl.Float64).fill_null(np.nan).to_numpy()
    y = direction * table[value].cast(pl.Float64).fill_null(np.nan).to_numpy()
    front = np.zeros(len(table), dtype=bool)
    best, at = -np.inf, np.nan  # the best value so far, and the cost it was first reached at
    for i in np.lexsort((-y, x)):
        if not (np.isfinite(x[i]) and np.isfinite(y[i])):
            continue
        if y[i] > best or (y[i] == best and x[i] == at):
            front[i] = True
            best, at = y[i], x[i]
    return table.with_columns(pl.Series("on_front", front))


@any_frame
def plot_pareto(
    table: pl.DataFrame,
    *,
    x: str = "params",
    y: str = "accuracy",
    colour: str | None = None,
    direction: int = 1,
    front: bool = True,
    y_label: str | None = None,
    colour_label: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Scatter of column `y` against `x` with marginal histograms; `colour` is a third column.

    The front of `with_front` (low `x`, good `y`) is drawn as steps unless `front` is False. Columns are
    named by proxies (``params``, ``sotl``) or ``accuracy``; labels with units follow from the names.
    """
    from matplotlib.ticker import EngFormatter

    shown = table.drop_nulls([x, y, *([colour] if colour else [])])
    with look():
        ax = new_axes(ax, figsize=(6.4, 4.8))
        many = len(shown) > 2000
        xs, ys = shown[x].to_numpy(), shown[y].to_numpy()
        order = np.arange(len(shown))
        points = ax.scatter(
            xs[order],
            ys[order],
            s=8 if many else 18,
            alpha=0.5 if many else 0.8,
            linewidths=0,
            rasterized=many,
            **({"c": shown[colour].to_numpy()[order], "cmap": SEQUENTIAL} if colour else {"color": COLOURS[0]}),
        )
        if front:
            best = with_front(shown, x, y, direction=direction).filter(pl.col("on_front")).sort(x, y)
            ax.step(
                best[x].to_numpy(),
                best[y].to_numpy(),
                where="post",
                color=COLOURS[1],
                marker="o",
                markersize=4,
                label=f"Pareto front ({len(best)})",
                zorder=3,
            )
            ax.legend(loc="lower right" if direction > 0 else "upper right")
        top = ax.inset_axes((0.0, 1.02, 1.0, 0.16), sharex=ax)
        side = ax.inset_axes((1.02, 0.0, 0.13, 1.0), sharey=ax)
        bins = int(np.clip(np.sqrt(len(shown)), 8, 60))
        top.hist(xs, bins=bins, color="#8C8C8C")
        side.hist(ys, bins=bins, color="#8C8C8C", orientation="horizontal")
        for inset in (top, side):
            inset.axis("off")
        ax.set_xlabel(_label(x))
        ax.set_ylabel(y_label or _label(y))
        for axis, name in ((ax.xaxis, x), (ax.yaxis, y)):
            if name in ("params", "flops"):
                axis.set_major_formatter(EngFormatter(sep=""))
        if colour:
            figure = ax.get_figure(root=True)
            assert figure is not None
            strip = ax.inset_axes((1.18, 0.0, 0.035, 1.0))
            bar = figure.colorbar(points, cax=strip, label=colour_label or _label(colour))
            if bar.solids is not None:
                bar.solids.set_alpha(1)
            if colour in ("params", "flops"):
                bar.formatter = EngFormatter(sep="")
                bar.update_ticks()
        if title:
            top.set_title(title)
    return ax


def _label(name: str) -> str:
    return "accuracy (%)" if name == "accuracy" else proxy_axis(name)
