"""Proxy against proxy: do they say the same? Matrices, clusters, and what is left of it given the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Literal

import numpy as np
import polars as pl

from ..core.errors import FrameError, StudyError, UnknownNameError
from ..core.frames import any_frame, to_polars
from .alignment import oriented_scores
from .classes import Labels, class_labels
from .intervals import make_interval
from .rank import Floats
from .registry import Statistic, get_statistic
from .resampling import Drawn, Resampling, Unit, asked
from .rows import defined, ends
from .series import FEWEST


@any_frame
def proxy_matrix(
    scores: Any,
    *,
    statistic: str = "kendall_tau",
    given: Sequence[str] = (),
    n_boot: int = 0,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """Correlation of every proxy with every other on the architectures that both score (GeNAS Table 1).

    Parameters
    ----------
    scores: SCORES of one (benchmark, dataset), one step, method and setting for each proxy; seeds are averaged.
    statistic: ``kendall_tau``, ``spearman_rho`` or ``pearson_r``.
    given: proxies to hold fixed (``("params",)``): partial correlation, for tau and rho; what two proxies share
        beyond the parameter count. These proxies are not in the table then.
    directions: as in `correlate`: scores are oriented first, so two good proxies correlate positively.
    n_boot, seed, level, unit: of the Fisher z bootstrap, as in `correlate`; by default there is none. `resampling`:
        one `Resampling` in their place.

    Returns columns first, second, statistic, estimate, ci_low, ci_high, resampled, n_archs: both orders of every pair
    and the diagonal. Null where undefined (fewer than three common architectures, a constant score).
    """
    chosen = asked(resampling, n_boot, seed, level, unit=unit, default=0)
    measure = _correlation(statistic, given)
    archs, values = oriented_scores(scores, directions)
    for proxy in given:
        if proxy not in values:
            raise UnknownNameError("proxy in these scores", proxy, sorted(values))
    fixed = [values[proxy] for proxy in given]
    names = [proxy for proxy in values if proxy not in given]
    drawn, classes = Drawn(chosen), class_labels(archs) if chosen.needs_classes else None
    rows: list[dict[str, Any]] = []
    for a, b in combinations_with_replacement(names, 2):
        row = {"first": a, "second": b, **_pair(measure, values[a], values[b], fixed, drawn, classes, diagonal=a == b)}
        rows += [row] if a == b else [row, {**row, "first": b, "second": a}]
    schema = {
        **dict.fromkeys(["first", "second", "statistic"], pl.String()),
        **dict.fromkeys(["estimate", "ci_low", "ci_high"], pl.Float64()),
        "resampled": pl.String(),
        "n_archs": pl.Int64(),
    }
    order = {proxy: i for i, proxy in enumerate(names)}
    at = [pl.col(c).replace_strict(order, return_dtype=pl.Int64) for c in ("first", "second")]
    return pl.DataFrame(rows, schema=schema).sort(*at)


def _correlation(statistic: str, given: Sequence[str]) -> Statistic:
    """The correlation called `statistic`, partial where something is given."""
    name = statistic
    if given:
        base = {"kendall_tau": "partial_kendall", "spearman_rho": "partial_spearman"}.get(statistic)
        if base is None:
            raise StudyError(f"proxy_matrix: given needs kendall_tau or spearman_rho, got {statistic!r}")
        name = f"{base}@{'+'.join(given)}"
    measure = get_statistic(name)
    if measure.unit != "correlation":
        raise StudyError(f"proxy_matrix: expected a correlation, got {statistic!r}")
    return measure


def _pair(
    measure: Statistic,
    first: Floats,
    second: Floats,
    fixed: Sequence[Floats],
    drawn: Drawn,
    classes: Labels | None,
    *,
    diagonal: bool,
) -> dict[str, Any]:
    """Correlation of two proxies on the architectures where both, and what is held fixed, are defined."""
    used = np.logical_and.reduce([np.isfinite(v) for v in (first, second, *fixed)])
    x, y, others = first[used], second[used], [v[used] for v in fixed]
    estimate = measure(x, y, *others) if len(x) >= FEWEST else np.nan
    interval, units = None, drawn.resampling.units(len(x), None if classes is None else classes[used])
    if drawn.resampling.n and not diagonal and np.isfinite(estimate) and units.can_be_drawn:
        each = measure.on_resamples(drawn.of(y, units=units), x, *others)
        level, excess = drawn.resampling.level, measure.excess
        interval = make_interval(
            "fisher_z", each, estimate, measure.on_resamples, x, y, *others, excess=excess, level=level, units=units
        )
    row = {"statistic": measure.name, "estimate": defined(estimate), **ends(interval)}
    return {**row, "resampled": units.name if interval else None, "n_archs": len(x)}


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
    from scipy.cluster import hierarchy  # here, not above: it is slow to import and seldom needed
    from scipy.spatial.distance import squareform

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
    directions: Mapping[str, int | str] | None = None,
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
