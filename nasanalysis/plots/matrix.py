"""Proxy against proxy: which of them say the same (GeNAS, Table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from ..proxies import direction as proxy_direction
from ..stats import get_statistic
from .style import DIVERGING, look, new_axes, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def proxy_matrix(
    scores: pl.DataFrame, *, statistic: str = "spearman_rho", directions: Mapping[str, int] | None = None
) -> pl.DataFrame:
    """Columns ``proxy, other, estimate, n_archs`` for every ordered pair, proxies in clustered order.

    `scores`: SCORES frame of one dataset with one step for each proxy; seeds are averaged, and each score
    is turned round where lower is better, so that two good proxies agree with a positive number. A pair
    is measured on the architectures that both score. Order: leaves of average-linkage clustering on
    1 - estimate, so that like stands beside like.
    """
    measure = get_statistic(statistic)
    table = check(scores, "SCORES")
    if table["dataset"].n_unique() > 1:
        raise StudyError(f"matrix: expected one dataset, got {', '.join(sorted(set(table['dataset'])))}; filter first")
    if len(table.select("proxy", "method", "setting", "step").unique()) > table["proxy"].n_unique():
        raise StudyError("matrix: expected one method, setting and step for each proxy; filter first")
    names = table["proxy"].unique(maintain_order=True).to_list()
    means = table.group_by("arch", "proxy").agg(pl.col("value").mean())
    wide = means.pivot("proxy", index="arch", values="value").sort("arch")
    columns = {
        name: (directions or {}).get(name, proxy_direction(name)) * wide[name].fill_null(np.nan).to_numpy()
        for name in names
    }
    values = np.array([[measure(columns[a], columns[b]) for b in names] for a in names])
    order = clustered_order(values)
    rows = []
    for i in order:
        for j in order:
            both = np.isfinite(columns[names[i]]) & np.isfinite(columns[names[j]])
            estimate = float(values[i, j]) if np.isfinite(values[i, j]) else None
            rows.append((names[i], names[j], estimate, int(both.sum())))
    schema = {"proxy": pl.String, "other": pl.String, "estimate": pl.Float64, "n_archs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def clustered_order(values: np.ndarray) -> list[int]:
    """Leaves of average-linkage clustering of correlations (n, n) by distance 1 - r; undefined counts as r = 0."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(values) < 3:
        return list(range(len(values)))
    distance = 1 - np.nan_to_num((values + values.T) / 2)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance.clip(0), checks=False), "average", optimal_ordering=True)
    return [int(i) for i in leaves_list(tree)]


@any_frame
def plot_proxy_matrix(
    matrix: pl.DataFrame, *, statistic: str = "spearman_rho", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `proxy_matrix` (any frame ``proxy, other, estimate``) in the order of its rows."""
    names = matrix["proxy"].unique(maintain_order=True).to_list()
    at = {name: i for i, name in enumerate(names)}
    values = np.full((len(names), len(names)), np.nan)
    for proxy, other, estimate in matrix.select("proxy", "other", "estimate").iter_rows():
        if other in at and estimate is not None:
            values[at[proxy], at[other]] = estimate
    with look():
        size = 2.4 + 0.42 * len(names)
        ax = new_axes(ax, figsize=(size + 1.1, size))
        ax.grid(False)
        image = ax.imshow(values, cmap=DIVERGING, vmin=-1, vmax=1)
        for (row, column), number in np.ndenumerate(values):
            if np.isfinite(number):
                text = (
                    f"{number:.2f}".replace("0.", ".", 1).replace("-", "−") if abs(number) < 0.995 else f"{number:.0f}"
                )
                colour = "white" if abs(number) > 0.65 else "black"
                ax.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        labels = [proxy_label(name) for name in names]
        ax.set_xticks(range(len(names)), labels, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(len(names)), labels)
        for spine in ax.spines.values():
            spine.set_visible(False)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.colorbar(image, ax=ax, label=f"{statistic_label(statistic)} between proxies", shrink=0.8)
        if title:
            ax.set_title(title)
    return ax
