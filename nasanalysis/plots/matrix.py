"""Proxy against proxy: which of them say the same (GeNAS, Table 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.frames import any_frame
from .heatmap import draw_heatmap
from .style import DIVERGING, look, new_axes, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_proxy_matrix(
    matrix: pl.DataFrame, *, statistic: str = "spearman_rho", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `proxy_matrix` (any frame ``proxy, other, estimate``) in the order of its rows."""
    names = matrix["proxy"].unique(maintain_order=True).to_list()
    labels = [proxy_label(name) for name in names]
    at = {name: i for i, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    for proxy, other, estimate in matrix.select("proxy", "other", "estimate").iter_rows():
        if other in at and estimate is not None:
            values[at[proxy], at[other]] = estimate
    with look():
        size = 2.4 + 0.42 * len(names)
        ax = new_axes(ax, figsize=(size + 1.1, size))
        head = f"{statistic_label(statistic)} between proxies"
        colours = {"cmap": DIVERGING, "vmin": -1, "vmax": 1, "cbar_kws": {"shrink": 0.8}}
        draw_heatmap(ax, values, rows=labels, columns=labels, label=head, write=_short, square=True, **colours)
        ax.set_xticks(ax.get_xticks(), labels, rotation=45, ha="right", rotation_mode="anchor")
        if title:
            ax.set_title(title)
    return ax


def _short(number: float) -> str:
    """Two digits without the leading zero: .52, −.17, 1."""
    if abs(number) >= 0.995:
        return f"{number:.0f}".replace("-", "−")
    return f"{number:.2f}".replace("0.", ".", 1).replace("-", "−")
