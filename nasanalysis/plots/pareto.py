"""Scatter of two quantities with their marginals, coloured by a third, and the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.frames import any_frame
from ..stats.front import with_front
from .lines import palette
from .marginals import draw_marginals, draw_points
from .style import line_map, look, new_axes, proxy_axis, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


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
    y_range: tuple[float, float] | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Scatter of column `y` against `x` with marginal histograms; `colour` is a third column.

    The front of `with_front` (low `x`, good `y`) is drawn as steps unless `front` is False. Columns are
    named by proxies (``params``, ``sotl``) or ``accuracy``; labels with units follow from the names.
    `y_range`: the part of `y` that is shown; the front is of all.
    """
    shown = table.drop_nulls([x, y, *([colour] if colour else [])])
    xs, ys = shown[x].to_numpy(), shown[y].to_numpy()
    with look():
        ax = new_axes(ax, figsize=(6.4, 4.8))
        if colour:
            _coloured(ax, xs, ys, shown[colour].to_numpy(), colour, colour_label or _label(colour))
        else:
            draw_points(ax, xs, ys, color=palette(1)[0])
        if front:
            _front(ax, with_front(shown, x, y, direction=direction).filter(pl.col("on_front")).sort(x, y), x, y)
            ax.legend(loc="lower right" if direction > 0 else "upper right", frameon=True, framealpha=0.9)
        top = draw_marginals(ax, xs, ys, y_range=y_range)
        ax.set(xlabel=_label(x), ylabel=y_label or _label(y))
        if y_range is not None:
            ax.set_ylim(*y_range)
        _counts(ax.xaxis, x)
        _counts(ax.yaxis, y)
        if title:
            top.set_title(title)
    return ax


def _coloured(ax: Axes, x: Any, y: Any, values: Any, name: str, label: str) -> None:
    """Points shaded by `values`, and their colour bar beyond the marginal on the right."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = Normalize(float(np.nanmin(values)), float(np.nanmax(values)))
    draw_points(ax, x, y, hue=values, palette=line_map(), hue_norm=scale)
    strip = ax.inset_axes((1.18, 0.0, 0.035, 1.0))
    bar = root_figure(ax).colorbar(ScalarMappable(scale, colormaps[line_map()]), cax=strip, label=label)
    _counts(bar.ax.yaxis, name)


def _front(ax: Axes, front: pl.DataFrame, x: str, y: str) -> None:
    ax.step(
        front[x].to_numpy(),
        front[y].to_numpy(),
        where="post",
        color=palette(2)[1],
        marker="o",
        markersize=4,
        label=f"Pareto front ({len(front)})",
        zorder=3,
    )


def _counts(axis: Axis, name: str) -> None:
    """Thousands and millions as 3k and 2M where an axis counts parameters or operations."""
    from matplotlib.ticker import EngFormatter

    if name in ("params", "flops"):
        axis.set_major_formatter(EngFormatter(sep=""))


def _label(name: str) -> str:
    return "accuracy (%)" if name == "accuracy" else proxy_axis(name)
