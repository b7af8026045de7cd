"""Rank against rank: where a proxy errs, for few architectures or for 15,625."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..proxies import direction as proxy_direction
from .style import look, new_axes, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def rank_pairs(pairs: pl.DataFrame, *, direction: int) -> pl.DataFrame:
    """`score_against_truth` with columns ``score_rank, true_rank, error`` added; 1 is best, ties share their mean.

    `direction`: +1 if a higher score is better, -1 if a lower one is. ``error`` is ``true_rank - score_rank``:
    positive where the proxy ranks an architecture better than it is.
    """
    if direction not in (1, -1):
        raise StudyError(f"ranks: direction: expected +1 or -1, got {direction!r}")
    ranked = pairs.with_columns(
        score_rank=(direction * pl.col("score")).rank("average", descending=True),
        true_rank=pl.col("accuracy").rank("average", descending=True),
    )
    return ranked.with_columns(error=pl.col("true_rank") - pl.col("score_rank"))


@any_frame
def plot_rank_density(
    pairs: pl.DataFrame,
    *,
    proxy: str,
    direction: int | None = None,
    target: str = "test accuracy",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `rank_pairs` as hexagons shaded by how many architectures they hold; a perfect proxy is a diagonal.

    `pairs`: of `score_against_truth`. `direction`: that of the proxy by default.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    ranked = rank_pairs(pairs, direction=proxy_direction(proxy) if direction is None else direction)
    n = len(ranked)
    with look():
        ax = new_axes(ax, figsize=(5.6, 4.6))
        ax.grid(False)
        cells = ax.hexbin(
            ranked["score_rank"].to_numpy(),
            ranked["true_rank"].to_numpy(),
            gridsize=int(np.clip(np.sqrt(n) / 2.5, 8, 50)),
            extent=(1, n, 1, n),
            mincnt=1,
            cmap="Blues",
            linewidths=0.1,
        )
        ax.plot([1, n], [1, n], color="#D55E00", linestyle="--", linewidth=1.2, label="perfect ranking")
        ax.set(xlim=(1, n), ylim=(1, n), aspect="equal")
        ax.set_xlabel(f"rank by {proxy_label(proxy)} (1 = best)")
        ax.set_ylabel(f"rank by {target} (1 = best)")
        ticks = [1, *(t for t in MaxNLocator(4, integer=True).tick_values(1, n) if n / 10 < t <= n)]
        ax.set_xticks(ticks, [f"{t:,.0f}" for t in ticks])
        ax.set_yticks(ticks, [f"{t:,.0f}" for t in ticks])
        counts = cells.get_array()
        assert counts is not None
        most = float(counts.max())
        figure = ax.get_figure(root=True)
        assert figure is not None
        if most > 20:
            cells.set_norm(LogNorm(1, most))
        else:
            cells.set_clim(0, most)
        bar = figure.colorbar(cells, ax=ax, label=f"architectures per hexagon ({n:,} in all)")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == int(value) else "")
        bar.ax.yaxis.set_minor_formatter(lambda *_: "")
        ax.legend(loc="upper left")
        if title:
            ax.set_title(title)
    return ax
