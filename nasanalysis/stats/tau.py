"""Kendall's tau where small differences of truth do not count, or where the best architectures count most."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rank import Floats, defined_pairs, is_constant, kendall_tau
from .resamples import BLOCK, Resamples, Sorted, ratio

Rounded = Literal["truth", "score"]


def sparse_kendall_tau(score: ArrayLike, truth: ArrayLike, *, rounded: Rounded = "truth", decimals: int = 1) -> float:
    """Kendall's tau-b after rounding accuracies to 0.1 percentage points (Yu et al. 2020).

    `score`, `truth`: (n_archs,), higher is better, `truth` in percent. Differences below the noise of training
    then are ties. `rounded`: what is rounded. Yu et al. round the truth; some code rounds the score, which
    says something only of scores that are accuracies in percent. Halves go to the even digit, as numpy rounds.
    NaN where undefined.
    """
    x, y = _rounded(np.asarray(score, np.float64), np.asarray(truth, np.float64), rounded, decimals)
    return kendall_tau(x, y)


def sparse_on_resamples(
    resamples: Resamples, score: Floats, *, rounded: Rounded = "truth", decimals: int = 1
) -> Floats:
    """`sparse_kendall_tau` of every resample: (n_resamples,)."""
    x, y = _rounded(score, resamples.truth, rounded, decimals)
    return resamples.against(y).kendall_tau(x)


def weighted_tau(score: ArrayLike, truth: ArrayLike) -> float:
    """Kendall's tau with hyperbolic weights: exchanges among the best count most (Vigna 2015).

    `score`, `truth`: (n_archs,), higher is better. The mean of the two values that weigh ranks by score and by
    truth, as `scipy.stats.weightedtau` has it by default. The few best weigh most, so its bootstrap is a little short:
    Fisher z held 92 to 93 % of simulated samples of 30 and 100 architectures. Range [-1, 1]; NaN where undefined.
    """
    x, y = defined_pairs(score, truth)
    if is_constant(x) or is_constant(y):
        return float("nan")
    from scipy.stats import weightedtau  # here, not above: importing scipy.stats takes seconds

    return float(weightedtau(x, y).statistic)


def weighted_on_resamples(resamples: Resamples, score: Floats) -> Floats:
    """`weighted_tau` of every resample: (n_resamples,), to rounding.

    With W_i the weights of the ranks that the copies of an architecture fill in a resample and c_i their number, the
    weighted pairs that agree less those that do not are sum_i W_i sum_j sign(x_i - x_j) sign(y_i - y_j) c_j; the inner
    sums, whole numbers, are one product of matrices, the same for both rankings.
    """
    x, y, counts = np.asarray(score, np.float64), resamples.truth, resamples.counts
    agreeing = _agreeing(x, y, counts)
    harmonic = np.concatenate(([0.0], np.cumsum(1 / np.arange(1.0, 1 + resamples.sizes.max(initial=0.0)))))
    untied = [resamples.sizes - _of_group(values, counts) for values in (x, y)]
    values = []
    for first, second in ((x, y), (y, x)):
        order = np.lexsort((second, first))[::-1]
        filled = np.cumsum(counts[order], axis=0, dtype=np.float64).astype(np.intp)
        weights = np.empty(counts.shape)
        weights[order] = harmonic[filled] - harmonic[filled - counts[order].astype(np.intp)]
        values.append(ratio(*(np.einsum("ij,ij->j", weights, pairs) for pairs in (agreeing, *untied))))
    return np.asarray(sum(values) / 2)


def _agreeing(x: Floats, y: Floats, counts: NDArray[np.float32]) -> Floats:
    """(n, B): of each architecture, the draws that x and y order alike against it, less those they do not.

    Sums of ones in single precision, exact below 2^24 draws.
    """
    sums = np.empty(counts.shape)
    step = max(1, BLOCK // len(x))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        signs = np.sign(x[rows, None] - x) * np.sign(y[rows, None] - y)
        sums[rows] = signs.astype(np.float32) @ counts
    return sums


def _of_group(values: Floats, counts: NDArray[np.float32]) -> Floats:
    """(n, B): the draws of the same value as each architecture's, its own copies too."""
    by = Sorted.of(values)
    return np.asarray(by.group_sums(counts.astype(np.float64))[by.group])


def _rounded(score: Floats, truth: Floats, rounded: str, decimals: int) -> tuple[Floats, Floats]:
    if rounded not in ("truth", "score"):
        raise ValueError(f"sparse_kendall_tau: rounded: expected 'truth' or 'score', got {rounded!r}")
    if rounded == "truth":
        return score, np.round(truth, decimals)
    return np.round(score, decimals), truth
