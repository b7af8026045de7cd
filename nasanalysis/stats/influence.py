"""What each architecture adds to a rank correlation: its influence, whose variance over n is that of the statistic.

``statistic - limit`` is, up to terms of order 1/n, the mean of the influences (Hoeffding 1948 for Kendall's tau; the
ranks that Spearman's rho is made of are estimated too, so each architecture also shifts the ranks of the others).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.errors import UnknownNameError
from .classes import Labels
from .rank import Floats, average_ranks, pearson_r

_ROWS = 500  # of the matrix of all pairs that are held at once


def influence(statistic: str, score: Floats, truth: Floats) -> Floats:
    """(n_archs,), mean about 0: of ``kendall_tau``, ``spearman_rho`` or ``pearson_r``; score and truth (n_archs,)."""
    if statistic not in _INFLUENCE:
        raise UnknownNameError("statistic with a known influence", statistic, _INFLUENCE)
    return _INFLUENCE[statistic](score, truth)


def standard_error(statistic: str, first: Floats, second: Floats, truth: Floats, labels: Labels | None = None) -> float:
    """Of the difference between the statistic of `first` and of `second`, on the same architectures.

    labels: (n_archs,), classes from 0 on whose members are not independent of each other; by default there are none.
    """
    gap = influence(statistic, first, truth) - influence(statistic, second, truth)
    sums = gap if labels is None else np.bincount(labels, gap)
    n = len(sums)
    return float(np.sqrt((sums**2).sum() * n / max(n - 1, 1)) / len(gap))


def concordance(score: Floats, truth: Floats) -> Floats:
    """Mean over the other architectures of +1 (concordant), -1 (discordant) or 0 (tied): (n_archs,)."""
    n = len(score)
    total = np.empty(n)
    for first in range(0, n, _ROWS):
        rows = slice(first, first + _ROWS)
        agree = np.sign(score[rows, None] - score[None, :]) * np.sign(truth[rows, None] - truth[None, :])
        total[rows] = agree.sum(axis=1)
    return total / (n - 1)


def _kendall(score: Floats, truth: Floats) -> Floats:
    """Of tau-a over the share of untied pairs; what ties of single architectures add to that share is left out."""
    each = concordance(score, truth)
    untied = np.sqrt(_untied(score) * _untied(truth))
    return np.asarray(2 * (each - each.mean()) / untied)


def _spearman(score: Floats, truth: Floats) -> Floats:
    x, y = (average_ranks(v) / len(v) - 0.5 - 0.5 / len(v) for v in (score, truth))
    scale = np.sqrt((x @ x) * (y @ y)) / len(x)
    each = x * y + _from(x, y) + _from(y, x)
    return np.asarray((each - each.mean()) / scale)


def _from(x: Floats, y: Floats) -> Floats:
    """Mean of `y` over those whose `x` is not below mine, a tie counted half: how my `x` shifts the ranks of others."""
    _, group = np.unique(x, return_inverse=True)
    sums = np.bincount(group, y)
    above = np.cumsum(sums[::-1])[::-1] - sums / 2
    return np.asarray(above[group] / len(x))


def _pearson(score: Floats, truth: Floats) -> Floats:
    x, y = ((v - v.mean()) / v.std() for v in (score, truth))
    return np.asarray(x * y - pearson_r(score, truth) * (x**2 + y**2) / 2)


def _untied(values: Floats) -> float:
    n, sizes = len(values), np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(1 - (sizes * (sizes - 1)).sum() / (n * (n - 1)))


_INFLUENCE: dict[str, Callable[[Floats, Floats], Floats]] = {
    "kendall_tau": _kendall,
    "spearman_rho": _spearman,
    "pearson_r": _pearson,
}
