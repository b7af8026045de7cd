"""Loss along filter-normalised directions in the weights (Li et al. 2018): lines and planes.

The numbers come from `nasanalysis.measures.surfaces`; nothing here needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import FrameError, StudyError
from ..core.frames import any_frame
from .lines import draw_line, palette
from .style import log_y, look, new_axes, note, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def loss_line(table: pl.DataFrame, *, by: str | None = None) -> pl.DataFrame:
    """Columns (`by`,) ``alpha, loss, low, high, n_directions``: mean, smallest and largest over directions.

    `table`: columns ``alpha, loss``, and ``direction`` where there are several; `by`: a column that tells
    networks apart. Where the loss along a direction is undefined it is left out and counted.
    """
    keys = [*([by] if by else []), "alpha"]
    _columns(table, *keys, "loss")
    order = table.select(by).unique(maintain_order=True) if by else None
    rows = table.group_by(keys).agg(
        pl.col("loss").mean(),
        pl.col("loss").min().alias("low"),
        pl.col("loss").max().alias("high"),
        pl.col("loss").count().cast(pl.Int64).alias("n_directions"),
    )
    if order is None:
        return rows.sort("alpha")
    return order.join(rows.sort("alpha"), on=by, how="left", maintain_order="left_right")


@any_frame
def plot_loss_line(
    table: pl.DataFrame,
    *,
    by: str | None = None,
    split: str = "validation",
    log: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `loss_line`: the mean over directions, and a band from the smallest to the largest."""
    shown = loss_line(table, by=by)
    with look():
        ax = new_axes(ax)
        names = shown[by].unique(maintain_order=True).to_list() if by else [None]
        for name, colour in zip(names, palette(len(names)), strict=True):
            rows = (shown if by is None else shown.filter(pl.col(by) == name)).drop_nulls("loss")
            text = None if name is None else str(name)
            draw_line(ax, rows, "alpha", "loss", colour=colour, label=text, band=("low", "high"), bands=len(names))
        n = int(shown["n_directions"].to_numpy().max())
        ax.set_xlabel("α, step along a filter-normalised direction (1: as long as the weights)")
        ax.set_ylabel(f"{split} loss (nats)")
        if log:
            log_y(ax)
        if n > 1:
            note(ax, f"mean, smallest and largest of {n} directions")
        if title:
            ax.set_title(title, pad=16)
        if by:
            ax.legend(loc="best")
    return ax


@any_frame
def plot_loss_surface(
    table: pl.DataFrame,
    *,
    split: str = "validation",
    levels: int = 14,
    vmin: float | None = None,
    vmax: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Contours of the loss in a plane; a cross marks the trained network.

    `table`: columns ``alpha, beta, loss`` on a full grid (null where the loss is undefined). Levels are even
    in the logarithm of the loss, from `vmin` to `vmax` (by default of the table).
    """
    _columns(table, "alpha", "beta", "loss")
    if table.select("alpha", "beta").is_duplicated().any():
        raise FrameError("surface: several rows for one (alpha, beta); expected one network, filter first")
    wide = table.sort("alpha", "beta").pivot("alpha", index="beta", values="loss").sort("beta")
    values = wide.drop("beta").fill_null(np.nan).to_numpy()
    x, y = table["alpha"].unique().sort().to_numpy(), wide["beta"].to_numpy()
    if len(x) < 2 or len(y) < 2:
        raise StudyError(f"surface: expected at least two alphas and two betas, got {len(x)} and {len(y)}")
    with look():
        ax = new_axes(ax, figsize=(5.6, 4.6))
        ax.grid(False)
        _contours(ax, x, y, values, (vmin, vmax), levels, f"{split} loss (nats)")
        ax.plot(0, 0, "x", color=palette(2)[1], markersize=9, markeredgewidth=2)
        ax.set(xlabel="α, step along direction 1", ylabel="β, step along direction 2", aspect="equal")
        ax.locator_params(nbins=5)  # a colour bar beside equal axes leaves little room for numbers
        if title:
            ax.set_title(title)
    return ax


def _contours(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    limits: tuple[float | None, float | None],
    levels: int,
    label: str,
) -> None:
    import matplotlib as mpl

    low = max(np.nanmin(values) if limits[0] is None else limits[0], 1e-12)
    high = max(np.nanmax(values) if limits[1] is None else limits[1], low * 1.001)
    steps = np.geomspace(low, high, levels)
    inside = np.ma.masked_invalid(values.clip(low, high))
    filled = ax.contourf(x, y, inside, levels=steps, cmap=mpl.rcParams["image.cmap"], norm="log")
    ax.contour(x, y, np.ma.masked_invalid(values), levels=steps, colors="white", linewidths=0.4)
    bar = root_figure(ax).colorbar(filled, ax=ax, label=label, ticks=steps[::3])
    bar.ax.minorticks_off()
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")


def _columns(table: pl.DataFrame, *names: str) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise StudyError(f"surface: expected the columns {', '.join(names)}, got {', '.join(table.columns)}")
