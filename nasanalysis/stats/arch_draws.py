"""The same statistic in several draws of architectures from one pool (SoTL thesis, Figures 4.4, 4.5).

Draws from a pool share architectures: their spread alone says how much a draw decides, given the pool. For what another
pool of the same space would give, `interval_of_draws` adds the pool's own part. With sigma^2 / n the variance of a
statistic of n independent architectures, draws of a share f = n / N of a pool of N vary by sigma^2 / n (1 - f), and the
pool's own value by sigma^2 / N: that is f / (1 - f) times as much (for halves, the delete-half jackknife).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.seeding import generator
from .alignment import aligned_series
from .registry import get_statistic
from .rows import defined

#: Architectures without which a rank correlation says nothing.
FEWEST = 20


def draw_size(pool: int, wanted: int) -> int:
    """Architectures of a draw: as many as are wanted, or half of a pool that is not twice as large.

    A draw of nearly all there are would be the same each time.
    """
    if pool < 2 * FEWEST:
        raise StudyError(f"draws: expected at least {2 * FEWEST} architectures to draw from, got {pool}")
    return wanted if pool >= 2 * wanted else pool // 2


def correlations_of_draws(
    truth: pl.DataFrame, scores: pl.DataFrame, *, draws: int, size: int, seed: int, statistic: str = "spearman_rho"
) -> pl.DataFrame:
    """Columns draw, proxy, step, estimate, n_archs: every draw without replacement, independent of the others.

    truth: TRUTH of one dataset, split and schedule. scores: SCORES of the same dataset. Architectures are drawn from
    those that have a truth and every proxy of `scores`, whatever its steps.
    """
    pool = pool_of(truth, scores)
    size = draw_size(len(pool), size)
    measure = get_statistic(statistic)
    series = aligned_series(truth, scores, sample=pool, stacklevel=4)
    rows: list[tuple[int, str, int | None, float | None, int]] = []
    for number in range(draws):
        rng = generator(seed, "draw of architectures", number)
        chosen = {pool[i] for i in rng.choice(len(pool), size, replace=False)}
        for one in series:
            used = one.used & np.array([arch in chosen for arch in one.truth.archs])
            estimate = defined(measure(one.values[used], one.truth.values[used]))
            rows.append((number, str(one.key["proxy"]), one.key["step"], estimate, int(used.sum())))
    schema = {"draw": pl.Int32, "proxy": pl.String, "step": pl.Int64, "estimate": pl.Float64, "n_archs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def pool_of(truth: pl.DataFrame, scores: pl.DataFrame) -> list[str]:
    """Architectures with a truth and every proxy, sorted."""
    known = set(truth.drop_nulls("accuracy")["arch"])
    for _, rows in scores.drop_nulls("value").group_by("proxy"):
        known &= set(rows["arch"])
    return sorted(known)


class DrawsMean(NamedTuple):
    """Attributes
    ----------
    mean: over draws. low, high: of its interval.
    """

    mean: float
    low: float
    high: float


def interval_of_draws(values: object, share: float, level: float = 0.95) -> DrawsMean:
    """Mean of a statistic over draws, with an interval for what the space would give (see the module).

    values: one of each draw, two or more. share: of the pool that a draw holds, below 1. Student's quantile for the
    number of draws.
    """
    from scipy.special import stdtrit

    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2 or not 0 < share < 1:
        raise StudyError(
            f"draws: expected 2 or more, each of less than the pool, got {len(array)} of a share {share:g}"
        )
    error = float(array.std(ddof=1)) * math.sqrt(1 / len(array) + share / (1 - share))
    half, mean = float(stdtrit(len(array) - 1, (1 + level) / 2)) * error, float(array.mean())
    return DrawsMean(mean, mean - half, mean + half)
