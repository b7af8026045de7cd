"""Where the variance lies (architecture, training seed, proxy draw), and what a correlation would be without noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import StudyError
from ..core.frames import any_frame, check, to_polars
from .reliability import ceiling


def disattenuate(correlation: float, truth: float, score: float = 1.0, *, k: float = 1) -> float:
    """Correlation freed of noise (Spearman 1904): ``correlation / sqrt(r_truth(k) r_score)``.

    Parameters
    ----------
    truth: reliability of one run of the truth, see `reliability`.
    score: reliability of the score as it was used; 1 (the default) for a score without noise.
    k: runs that the truth is the mean of.

    May exceed 1 where a reliability is estimated too low: it is left so. NaN where a reliability is not positive.
    """
    limit = ceiling(truth, k) * (math.sqrt(score) if score > 0 else math.nan)
    return correlation / limit if limit > 0 else math.nan


@any_frame
def disattenuated(stats: Any, reliability: Any) -> Any:
    """STATS with three columns more: ``ceiling``, ``disattenuated`` and its interval's ends.

    Parameters
    ----------
    stats: of `correlate`, rows of correlations.
    reliability: of `reliability_table`, with one fraction for each (benchmark, dataset, split, schedule).

    The ends of the interval are divided by the same ceiling, so they hold the error of the correlation but not
    that of the ceiling. Rows without a reliability are null. `StudyError` where there are several fractions.
    """
    table = to_polars(reliability)
    keys = ["benchmark", "dataset", "split", "schedule"]
    if table.select(keys).is_duplicated().any():
        raise StudyError("disattenuated: expected one fraction for each truth, got several; filter, e.g. fraction == 1")
    limits = table.select(
        pl.col("benchmark"),
        pl.col("dataset"),
        pl.col("split").alias("truth_split"),
        pl.col("schedule").alias("truth_schedule"),
        pl.col("ceiling"),
    )
    joined = check(stats, "STATS").join(
        limits, on=["benchmark", "dataset", "truth_split", "truth_schedule"], how="left", nulls_equal=True
    )
    is_correlation = ~pl.col("statistic").str.contains("^(topk_mean|best_rank|precision|regret|ndcg)")
    return joined.with_columns(
        pl.when(is_correlation).then(pl.col(column) / pl.col("ceiling")).alias(name)
        for column, name in (
            ("estimate", "disattenuated"),
            ("ci_low", "disattenuated_low"),
            ("ci_high", "disattenuated_high"),
        )
    )


@dataclass(frozen=True)
class Component:
    """One source of variance.

    Attributes
    ----------
    name: ``architecture``, ``seed`` (shifts all architectures alike: no rank changes), ``architecture x seed``
        (what one run adds to one architecture) or ``draw`` (the proxy measured again on the same network).
    variance: in the squared unit of the value; an estimate below 0 stands as it is.
    share: of the sum of all components, those below 0 taken as 0; NaN where nothing varies.
    """

    name: str
    variance: float
    share: float


def variance_components(values: ArrayLike) -> list[Component]:
    """Random-effects analysis of variance of a full table (Searle, Casella and McCulloch 1992, chapter 4).

    `values`: (n_archs, n_seeds) or (n_archs, n_seeds, n_draws); architectures with an undefined value are left
    out. Seeds are crossed with architectures: the same supernet, or the same seed, measures all of them. Without
    draws, ``architecture x seed`` holds the noise of the draw too. At least two of each are needed: `StudyError`.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim not in (2, 3):
        raise ValueError(f"values: expected (n_archs, n_seeds[, n_draws]), got shape {table.shape}")
    table = table[np.isfinite(table).reshape(len(table), -1).all(axis=1)]
    if min(table.shape) < 2:
        raise StudyError(
            f"variance components: expected at least 2 of each of architectures, seeds (and draws), got {table.shape}"
        )
    cells = table if table.ndim == 2 else table.mean(axis=2)
    a, s = cells.shape
    d = 1 if table.ndim == 2 else table.shape[2]
    by_arch, by_seed, mean = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    ms_arch = d * s * ((by_arch - mean) ** 2).sum() / (a - 1)
    ms_seed = d * a * ((by_seed - mean) ** 2).sum() / (s - 1)
    rest = cells - by_arch[:, None] - by_seed[None, :] + mean
    ms_both = d * (rest**2).sum() / ((a - 1) * (s - 1))
    variances = {
        "architecture": (ms_arch - ms_both) / (d * s),
        "seed": (ms_seed - ms_both) / (d * a),
        "architecture x seed": ms_both,
    }
    if d > 1:
        ms_draw = ((table - cells[:, :, None]) ** 2).sum() / (a * s * (d - 1))
        variances["architecture x seed"] = (ms_both - ms_draw) / d
        variances["draw"] = ms_draw
    total = sum(max(float(v), 0.0) for v in variances.values())
    return [
        Component(name, float(v), max(float(v), 0.0) / total if total > 0 else math.nan)
        for name, v in variances.items()
    ]
