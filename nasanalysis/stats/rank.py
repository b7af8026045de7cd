"""Rank and linear correlation of a score with the truth: one number for one set of architectures.

Pairs in which either value is not finite are left out: an undefined score has no rank. What is left
undefined by its formula (fewer than two architectures, or all scores or all truths equal) is NaN, never 0.
The same statistics on many bootstrap resamples at once are in `nasanalysis.stats.resamples`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_FEW = 300  # architectures


def spearman_rho(score: ArrayLike, truth: ArrayLike) -> float:
    """Spearman's rho with average ranks for ties.

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return _correlation(average_ranks(x), average_ranks(y))


def kendall_tau(score: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau-b (corrected for ties on both sides).

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return _tau_b(x, y)


def pearson_r(score: ArrayLike, truth: ArrayLike) -> float:
    """Pearson's product-moment correlation.

    `score`, `truth`: (n_archs,), both oriented so that higher is better. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    return _correlation(_to_unit_scale(x), _to_unit_scale(y))


def average_ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share the mean of theirs: (n,) -> (n,)."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[group])


def lowest_ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share the lowest of theirs: (n,) -> (n,)."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - sizes + 1.0)[group])


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


def _tau_b(x: Floats, y: Floats) -> float:
    """Kendall's tau-b as `scipy.stats.kendalltau` has it, without the seconds that importing scipy.stats takes."""
    by_x, by_y = (np.unique(v, return_inverse=True)[1].astype(np.int64) for v in (x, y))
    pairs = len(x) * (len(x) - 1) // 2
    untied = pairs - _tied_pairs(by_x), pairs - _tied_pairs(by_y)
    tau = _agreement(by_x, by_y, pairs, untied) / np.sqrt(untied[0]) / np.sqrt(untied[1])
    return float(np.clip(tau, -1.0, 1.0))


def _agreement(by_x: NDArray[np.int64], by_y: NDArray[np.int64], pairs: int, untied: tuple[int, int]) -> int:
    """Concordant less discordant pairs."""
    if len(by_x) <= _FEW:  # all pairs at once: less work than sorting by parts
        below = by_x[:, None] < by_x
        return int((below & (by_y[:, None] < by_y)).sum()) - int((below & (by_y[:, None] > by_y)).sum())
    both = by_x * (by_y.max() + 1) + by_y
    return sum(untied) - pairs + _tied_pairs(both) - 2 * _inversions(by_y[np.argsort(both)])


def _tied_pairs(values: NDArray[np.int64]) -> int:
    sizes = np.bincount(values) if values.max() < 2 * len(values) else np.unique(values, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _inversions(values: NDArray[np.int64]) -> int:
    """Pairs of which the earlier is the larger; `values` are whole numbers >= 0.

    Bit by bit from the highest: within numbers alike so far, every 1 before a 0 is such a pair.
    """
    total = 0
    for bit in reversed(range(int(values.max()).bit_length())):
        digit, alike = (values >> bit) & 1, values >> (bit + 1)  # numbers alike so far stand together
        ones = np.cumsum(digit)
        starts = np.flatnonzero(np.concatenate([[True], alike[1:] != alike[:-1]]))
        before = np.repeat(ones[starts] - digit[starts], np.diff(np.append(starts, len(values))))
        total += int(((ones - before) * (1 - digit)).sum())
        values = values[np.argsort(values >> bit, kind="stable")]
    return total
