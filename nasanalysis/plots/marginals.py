"""Scatter plots with the distribution of each quantity along its axis (seaborn's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BARS = "#8C8C8C"


def draw_points(
    ax: Axes, x: NDArray[Any], y: NDArray[Any], *, opacity: tuple[float, float] = (0.8, 0.7), **look: Any
) -> None:
    """One point for each architecture. Thousands are drawn small and as pixels, so that files stay small.

    `opacity`: of few points, and of thousands.
    """
    import seaborn as sns

    many = len(x) > 2000
    sns.scatterplot(
        x=x,
        y=y,
        ax=ax,
        legend=False,
        linewidth=0,
        rasterized=many,
        alpha=opacity[many],
        s=8 if many else 18,
        **look,
    )


def draw_marginals(ax: Axes, x: NDArray[Any], y: NDArray[Any], *, y_range: tuple[float, float] | None = None) -> Axes:
    """Histograms above and to the right of `ax`; `y_range`: what of `y` is counted. Returns the Axes above."""
    import seaborn as sns

    top = ax.inset_axes((0.0, 1.02, 1.0, 0.16), sharex=ax)
    side = ax.inset_axes((1.02, 0.0, 0.13, 1.0), sharey=ax)
    bins = int(np.clip(np.sqrt(len(x)), 8, 60))
    shown = np.ones(len(y), dtype=bool) if y_range is None else (y >= y_range[0]) & (y <= y_range[1])
    bars: dict[str, Any] = {"bins": bins, "color": _BARS, "alpha": 1.0, "linewidth": 0}
    sns.histplot(x=x[shown], ax=top, **bars)
    sns.histplot(y=y[shown], ax=side, **bars)
    for inset in (top, side):
        inset.axis("off")
    return top
