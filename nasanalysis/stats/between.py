"""Proxy against proxy: do they say the same? Matrices, clusters, and what is left of it given the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from ..core.errors import FrameError, StudyError, UnknownNameError
from ..core.frames import any_frame, check, to_polars
from ..core.seeding import generator
from ..proxies import direction as proxy_direction
from .bootstrap import bootstrap_counts, check_level, fisher_z_interval
from .rank import Floats
from .registry import get_statistic
from .resamples import Resamples


@any_frame
def proxy_matrix(
    scores: Any,
    *,
    statistic: str = "kendall_tau",
    given: Sequence[str] = (),
    n_boot: int = 0,
    seed: int = 0,
    directions: Mapping[str, int] | None = None,
    level: float = 0.95,
) -> Any:
    """Correlation of every proxy with every other on the architectures that both score (GeNAS Table 1).

    Parameters
    ----------
    scores: SCORES of one (benchmark, dataset), one step, method and setting for each proxy; seeds are averaged.
    statistic: ``kendall_tau``, ``spearman_rho`` or ``pearson_r``.
    given: proxies to hold fixed (``("params",)``): partial correlation, for tau and rho; what two proxies share
        beyond the parameter count. These proxies are not in the table then.
    directions: as in `correlate`: scores are oriented first, so two good proxies correlate positively.
    n_boot, seed, level: of the Fisher z bootstrap over architectures; by default there is none.

    Returns columns first, second, statistic, estimate, ci_low, ci_high, n_archs: both orders of every pair and the
    diagonal. Null where undefined (fewer than three common architectures, a constant score).
    """
    check_level(level)
    name = statistic
    if given:
        base = {"kendall_tau": "partial_kendall", "spearman_rho": "partial_spearman"}.get(statistic)
        if base is None:
            raise StudyError(f"proxy_matrix: given needs kendall_tau or spearman_rho, got {statistic!r}")
        name = f"{base}@{'+'.join(given)}"
    measure = get_statistic(name)
    if measure.unit != "correlation":
        raise StudyError(f"proxy_matrix: expected a correlation, got {statistic!r}")
    values = _columns(scores, directions)
    for proxy in given:
        if proxy not in values:
            raise UnknownNameError("proxy in these scores", proxy, sorted(values))
    fixed = [values[proxy] for proxy in given]
    names = [proxy for proxy in values if proxy not in given]
    rows: list[dict[str, Any]] = []
    kept: dict[bytes, NDArray[np.int32]] = {}
    for a, b in combinations_with_replacement(names, 2):
        used = np.logical_and.reduce([np.isfinite(v) for v in (values[a], values[b], *fixed)])
        x, y, others = values[a][used], values[b][used], [v[used] for v in fixed]
        n = int(used.sum())
        estimate = measure(x, y, *others) if n >= 3 else np.nan
        row: dict[str, Any] = {"first": a, "second": b, "statistic": name, "estimate": estimate}
        row |= {"ci_low": None, "ci_high": None, "n_archs": n}
        if n_boot and a != b and np.isfinite(estimate):
            if used.tobytes() not in kept:
                kept[used.tobytes()] = bootstrap_counts(n, n_boot, generator(seed, "stats", "bootstrap"))
            drawn = measure.on_resamples(Resamples(y, kept[used.tobytes()]), x, *others)
            made = fisher_z_interval(drawn, estimate, n, excess=measure.excess, level=level)
            row |= {"ci_low": made.low, "ci_high": made.high}
        rows.append(row)
        if a != b:
            rows.append({**row, "first": b, "second": a})
    real = dict.fromkeys(["estimate", "ci_low", "ci_high"], pl.Float64())
    table = pl.DataFrame(rows, schema_overrides={**real, "n_archs": pl.Int64()})
    order = {proxy: i for i, proxy in enumerate(names)}
    at = [pl.col(c).replace_strict(order, return_dtype=pl.Int64) for c in ("first", "second")]
    return table.with_columns(pl.col(list(real)).fill_nan(None)).sort(*at)


@dataclass(frozen=True)
class Clusters:
    """Proxies that rank alike.

    Attributes
    ----------
    order: proxies as the leaves of the tree, alike ones side by side: the order to draw a matrix in.
    label: proxy -> cluster, numbered from 1 in that order.
    linkage: scipy's linkage matrix over `names`, for ``scipy.cluster.hierarchy.dendrogram``.
    names: proxies in the order of the matrix.
    """

    order: tuple[str, ...]
    label: Mapping[str, int]
    linkage: Floats
    names: tuple[str, ...]


def cluster_proxies(
    matrix: Any, *, threshold: float = 0.7, method: Literal["average", "complete", "single"] = "average"
) -> Clusters:
    """Hierarchical clusters of a `proxy_matrix`, by the distance 1 - abs(correlation) (a reversed ranking is alike).

    threshold: proxies whose (average, or as `method` says) correlation is at least this are one cluster.
    `StudyError` for an undefined correlation: leave that proxy out.
    """
    table = to_polars(matrix)
    if missing := [c for c in ("first", "second", "estimate") if c not in table.columns]:
        raise FrameError(f"matrix: missing column(s) {', '.join(missing)}; expected the answer of proxy_matrix")
    names = tuple(table["first"].unique(maintain_order=True))
    if len(names) < 2:
        raise StudyError(f"cluster_proxies: expected at least two proxies, got {len(names)}")
    index = {name: i for i, name in enumerate(names)}
    square = np.full((len(names), len(names)), np.nan)
    for first, second, estimate in table.select("first", "second", "estimate").iter_rows():
        square[index[first], index[second]] = np.nan if estimate is None else abs(estimate)
    np.fill_diagonal(square, 1.0)
    if not np.isfinite(square).all():
        a, b = (names[i] for i in np.argwhere(~np.isfinite(square))[0])
        raise StudyError(f"cluster_proxies: the correlation of {a!r} and {b!r} is undefined; leave one of them out")
    tree = hierarchy.linkage(squareform(1 - square, checks=False), method=method, optimal_ordering=True)
    groups = hierarchy.fcluster(tree, 1 - threshold + 1e-12, criterion="distance")
    order = tuple(names[i] for i in hierarchy.leaves_list(tree))
    numbers: dict[int, int] = {}
    label = {name: numbers.setdefault(int(groups[index[name]]), len(numbers) + 1) for name in order}
    return Clusters(order, label, np.asarray(tree), names)


@any_frame
def redundancy(
    scores: Any,
    *,
    given: Sequence[str] = ("params",),
    statistic: str = "spearman_rho",
    directions: Mapping[str, int] | None = None,
) -> Any:
    """How much of the agreement of two proxies is the parameter count's: plain against partial correlation.

    Parameters as in `proxy_matrix`. Returns columns first, second, plain, partial, explained (1 - partial / plain: 1
    where all that they share is what both share with `given`, below 0 where `given` hid what they share; null where
    plain is 0), n_archs: each pair once, those that share most beyond `given` first.
    """
    plain = proxy_matrix(scores, statistic=statistic, directions=directions)
    partial = proxy_matrix(scores, statistic=statistic, given=given, directions=directions)
    both = plain.select("first", "second", pl.col("estimate").alias("plain")).join(
        partial.select("first", "second", pl.col("estimate").alias("partial"), "n_archs"), on=["first", "second"]
    )
    both = both.filter(pl.col("first") < pl.col("second"))
    explained = pl.when(pl.col("plain") != 0).then(1 - pl.col("partial") / pl.col("plain"))
    return (
        both.select("first", "second", "plain", "partial", explained.alias("explained"), "n_archs")
        .with_columns(pl.col("partial").abs().alias("size"))
        .sort("size", "first", "second", descending=[True, False, False], nulls_last=True)
        .drop("size")
    )


def _columns(scores: Any, directions: Mapping[str, int] | None) -> dict[str, Floats]:
    """Oriented values of each proxy over all architectures, NaN where undefined, in the order the proxies come."""
    table = check(scores, "SCORES")
    if table.is_empty():
        raise StudyError("scores: expected scored architectures, got an empty SCORES frame")
    if table.select("benchmark", "dataset").n_unique() > 1:
        raise StudyError("proxy_matrix: expected scores of one benchmark and dataset, got several; filter first")
    several = table.group_by("proxy").agg(pl.struct("method", "setting", "unit", "step").n_unique().alias("n"))
    if (several["n"] > 1).any():
        name = several.filter(pl.col("n") > 1).sort("proxy")["proxy"][0]
        raise StudyError(f"proxy_matrix: {name!r} stands under several steps, methods or settings; filter first")
    archs = sorted(set(table["arch"]))
    index = {arch: i for i, arch in enumerate(archs)}
    found: dict[str, Floats] = {}
    for proxy in table["proxy"].unique(maintain_order=True):
        rows = table.filter(pl.col("proxy") == proxy)
        if rows["seed"].is_null().any():
            rows = rows.filter(pl.col("seed").is_null())
        means = rows.sort("arch", "seed").group_by("arch", maintain_order=True).agg(pl.col("value").mean())
        column = np.full(len(archs), np.nan)
        means = means.drop_nulls("value")
        column[[index[arch] for arch in means["arch"]]] = means["value"].to_numpy()
        sign = (directions or {}).get(str(proxy), proxy_direction(str(proxy)))
        found[str(proxy)] = sign * column
    return found
