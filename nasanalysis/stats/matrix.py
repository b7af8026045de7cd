"""Every proxy against every other, in an order that puts like beside like (GeNAS, Table 1)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .alignment import direction_of
from .averages import checked_scores, mean_scores
from .registry import get_statistic


@any_frame
def square_matrix(
    scores: pl.DataFrame, *, statistic: str = "spearman_rho", directions: Mapping[str, int | str] | None = None
) -> pl.DataFrame:
    """Columns ``proxy, other, estimate, n_archs`` for every ordered pair, proxies in clustered order.

    `scores`: SCORES frame of one dataset with one step for each proxy; seeds are averaged, and each score
    is turned round where lower is better, so that two good proxies agree with a positive number. A pair
    is measured on the architectures that both score. Order: leaves of average-linkage clustering on
    1 - estimate, so that like stands beside like.
    """
    measure = get_statistic(statistic)
    table = checked_scores(scores)
    if table["dataset"].n_unique() > 1:
        raise StudyError(f"matrix: expected one dataset, got {', '.join(sorted(set(table['dataset'])))}; filter first")
    if len(table.select("proxy", "method", "setting", "step").unique()) > table["proxy"].n_unique():
        raise StudyError("matrix: expected one method, setting and step for each proxy; filter first")
    columns = _columns(table, directions)
    names = list(columns)
    values = np.array([[measure(columns[a], columns[b]) for b in names] for a in names])
    order = clustered_order(values)
    rows = []
    for i, j in product(order, order):
        both = np.isfinite(columns[names[i]]) & np.isfinite(columns[names[j]])
        estimate = float(values[i, j]) if np.isfinite(values[i, j]) else None
        rows.append((names[i], names[j], estimate, int(both.sum())))
    schema = {"proxy": pl.String, "other": pl.String, "estimate": pl.Float64, "n_archs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _columns(scores: pl.DataFrame, directions: Mapping[str, int | str] | None) -> dict[str, np.ndarray]:
    """Proxy -> (n_archs,) means over seeds, higher is better, NaN where it has no score."""
    names = scores["proxy"].unique(maintain_order=True).to_list()
    means = mean_scores(scores).select("arch", "proxy", "value")
    wide = means.pivot("proxy", index="arch", values="value").sort("arch")
    return {name: direction_of(name, directions) * wide[name].fill_null(np.nan).to_numpy() for name in names}


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
