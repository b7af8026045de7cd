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

_ROWS = 500  # beyond, a matrix of all pairs is slower


def influence(statistic: str, score: Floats, truth: Floats) -> Floats:
    """(n_archs,), mean about 0: of ``kendall_tau``, ``spearman_rho`` or ``pearson_r``; score and truth (n_archs,)."""
    if statistic not in INFLUENCES:
        raise UnknownNameError("statistic with a known influence", statistic, INFLUENCES)
    return INFLUENCES[statistic](score, truth)


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
    if n > _ROWS:
        agree = _dominated(score, truth) + _dominated(-score, -truth)
        return (agree - _dominated(score, -truth) - _dominated(-score, truth)) / (n - 1)
    total = np.sign(score[:, None] - score[None, :]) * np.sign(truth[:, None] - truth[None, :])
    return np.asarray(total.sum(axis=1) / (n - 1))


def _dominated(x: Floats, y: Floats) -> Floats:
    """How many others are below in both: (n,) -> (n,), in n log^2 n steps.

    Two ranks of x differ in a highest bit: for each bit, among those whose higher bits agree, every one of bit 1 counts
    those of bit 0 with a smaller y.
    """
    order = np.argsort(y, kind="stable")
    groups = np.unique(x, return_inverse=True)[1][order]
    _, levels = np.unique(y[order], return_inverse=True)
    below = np.zeros(len(x))
    for bit in range(int(groups.max(initial=0)).bit_length()):
        higher = groups >> (bit + 1)
        by = np.argsort(higher, kind="stable")  # by the higher bits, then by y
        zero = (groups[by] >> bit & 1) == 0
        before = np.concatenate([[0], np.cumsum(zero)])
        new_part = np.concatenate([[True], np.diff(higher[by]) > 0])
        new_level = new_part | np.concatenate([[True], np.diff(levels[by]) > 0])
        place = np.arange(len(by))
        part, level = (np.maximum.accumulate(np.where(new, place, 0)) for new in (new_part, new_level))
        below[by] += np.where(zero, 0, before[level] - before[part])
    counts = np.empty(len(x))
    counts[order] = below
    return counts


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


#: Statistic -> influences of (score, truth).
INFLUENCES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "kendall_tau": _kendall,
    "spearman_rho": _spearman,
    "pearson_r": _pearson,
}
