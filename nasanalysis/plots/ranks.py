"""Rank against rank: where a proxy errs, for few architectures or for 15,625."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.frames import any_frame
from ..proxies import direction as proxy_direction
from ..stats.pairs import rank_pairs
from .lines import palette
from .style import look, new_axes, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_rank_density(
    pairs: pl.DataFrame,
    *,
    proxy: str,
    direction: int | None = None,
    truth_direction: int = 1,
    target: str = "test accuracy",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `rank_pairs` as cells shaded by how many architectures lie in them; a perfect proxy is a diagonal.

    `pairs`: of `score_against_truth`. `direction`: that of the proxy by default. `truth_direction`: -1 for a truth
    of which less is better.
    """
    sign = proxy_direction(proxy) if direction is None else direction
    ranked = rank_pairs(pairs, direction=sign, truth_direction=truth_direction)
    n = len(ranked)
    with look():
        ax = new_axes(ax, figsize=(5.6, 4.6))
        ax.grid(False)
        _density(ax, ranked["score_rank"].to_numpy(), ranked["true_rank"].to_numpy())
        ax.plot([1, n], [1, n], color=palette(2)[1], linestyle="--", linewidth=1.2, label="perfect ranking")
        ax.set(xlim=(1, n), ylim=(1, n), aspect="equal")
        ax.set_xlabel(f"rank by {proxy_label(proxy)} (1 = best)")
        ax.set_ylabel(f"rank by {target} (1 = best)")
        _ticks(ax, n)
        ax.legend(loc="upper left", frameon=True, framealpha=0.9)
        if title:
            ax.set_title(title)
    return ax


def _density(ax: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Counts in square cells; their scale is logarithmic where they differ much."""
    import seaborn as sns
    from matplotlib.colors import LogNorm, Normalize

    n = len(x)
    bins = int(np.clip(np.sqrt(n), 8, 60))
    most = float(np.histogram2d(x, y, bins=bins, range=((1, max(n, 2)),) * 2)[0].max())
    sns.histplot(
        x=x,
        y=y,
        bins=bins,
        binrange=((1, max(n, 2)),) * 2,
        cmap="Blues",
        norm=LogNorm(0.6, most) if most > 20 else Normalize(0, most),  # 0.6: one architecture is not white
        vmin=None,
        vmax=None,
        cbar=True,
        cbar_kws={"label": f"architectures per cell ({n:,} in all)"},
        rasterized=n > 2000,
        ax=ax,
    )
    bar = ax.collections[0].colorbar
    assert bar is not None
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value == int(value) else "")
    bar.ax.yaxis.set_minor_formatter(lambda *_: "")


def _ticks(ax: Axes, n: int) -> None:
    from matplotlib.ticker import MaxNLocator

    ticks = [1, *(t for t in MaxNLocator(4, integer=True).tick_values(1, n) if n / 10 < t <= n)]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks, [f"{t:,.0f}" for t in ticks])
