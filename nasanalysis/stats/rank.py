"""Rank and linear correlation of a score with the truth: one number for one set of architectures.

Pairs in which either value is not finite are left out: an undefined score has no rank. What is left
undefined by its formula (fewer than two architectures, or all scores or all truths equal) is NaN, never 0.
The same statistics on many bootstrap resamples at once are in `nasanalysis.stats.resamples`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats as scipy_stats

Floats = NDArray[np.float64]


def spearman_rho(score: ArrayLike, truth: ArrayLike) -> float:
    """Spearman's rho with average ranks for ties.

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return _correlation(scipy_stats.rankdata(x), scipy_stats.rankdata(y))


def kendall_tau(score: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau-b (corrected for ties on both sides).

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return float(scipy_stats.kendalltau(x, y, variant="b").statistic)


def pearson_r(score: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's product-moment correlation.

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return _correlation(_to_unit_scale(x), _to_unit_scale(y))


def defined_pairs(score: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    """The pairs in which both values are finite, as two float64 arrays of one length.

    Raises `ValueError` unless both are one-dimensional and of the same length.
    """
    x, y = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"score and truth: expected two arrays (n_archs,) of one length, got shapes {x.shape} and {y.shape}; "
            "align them by architecture first"
        )
    keep = np.isfinite(x) & np.isfinite(y)
    return x[keep], y[keep]


def is_constant(values: Floats) -> bool:
    """Whether there is nothing to rank: fewer than two values, or all equal."""
    return bool(len(values) < 2 or (values == values[0]).all())


def _to_unit_scale(values: Floats) -> Floats:
    """`values` shifted and scaled into [-1, 1], so that squares neither overflow nor vanish."""
    scaled = values / np.abs(values).max()
    shifted: Floats = scaled - scaled.mean()
    largest = np.abs(shifted).max()
    return shifted / largest if largest > 0 else shifted


def _correlation(x: Floats, y: Floats) -> float:
    dx, dy = x - x.mean(), y - y.mean()
    scale = np.sqrt((dx @ dx) * (dy @ dy))
    return float(np.clip((dx @ dy) / scale, -1.0, 1.0)) if scale > 0 else float("nan")
