"""Intervals over architectures: which architectures were looked at is the randomness that is measured.

Where a sample holds one network twice, its functional classes are what is drawn, members and all (a cluster
bootstrap); see `nasanalysis.stats.resampling`.

=============== ======================================================================================
``fisher_z``    default for correlations: estimate and spread on the scale atanh; see `fisher_z_interval`
``percentile``  the central part of the resamples (Efron 1979)
``bca``         the same, corrected for bias and skewness (Efron 1987)
random halves   for statistics of the best few, which a bootstrap cannot resample
=============== ======================================================================================

``nasanalysis simulate coverage`` simulates how often each holds the truth (`reports/results/coverage.csv`): the
percentile bootstrap of Spearman's rho falls to 90 % where the true tau is 0.9, that of Kendall's tau is too wide
there; Fisher's z stays within 2 points of 95 % from 50 architectures on. What it takes off the variance of Kendall's
tau holds without ties; with them `nasanalysis.stats.intervals` takes BCa.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from .rank import Floats
from .resamples import Resamples

BOOTSTRAP = "percentile bootstrap over architectures"
FISHER_Z = "Fisher z bootstrap over architectures"
BCA = "BCa bootstrap over architectures"
HALVES = "random halves of the architectures"

#: How a bootstrap becomes an interval.
IntervalKind = Literal["fisher_z", "percentile", "bca"]

JACKKNIFE = 500  # sets left out in turn: single architectures up to here, equal blocks of them beyond

#: Resamples, a score and any covariates -> the statistic of each resample.
OnResamples = Callable[..., Floats]


@dataclass(frozen=True)
class Interval:
    """An interval and how it was made.

    Attributes
    ----------
    low, high: its ends, in the unit of the statistic; NaN where no resample defined the statistic.
    method: `FISHER_Z`, `BOOTSTRAP`, `BCA` or `HALVES`.
    n_resamples: resamples drawn.
    n_undefined: those of them on which the statistic is undefined; they were left out.
    """

    low: float
    high: float
    method: str
    n_resamples: int = 0
    n_undefined: int = 0

    def __str__(self) -> str:
        """The method, with the count of undefined resamples where there are any."""
        if not self.n_undefined:
            return self.method
        return f"{self.method} ({self.n_undefined} of {self.n_resamples} resamples undefined, left out)"


def bootstrap_counts(n_archs: int, n_boot: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """(n_boot, n_archs): how often each architecture is drawn when `n_archs` are drawn with replacement."""
    _check_draw(n_archs, n_boot)
    counts = np.empty((n_boot, n_archs), dtype=np.int32)
    for row in counts:
        row[:] = np.bincount(rng.integers(0, n_archs, size=n_archs), minlength=n_archs)
    return counts


def half_counts(n_archs: int, n_boot: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """(n_boot, n_archs) of 0 and 1: random halves (``n_archs // 2``) drawn without replacement."""
    _check_draw(n_archs, n_boot)
    counts = np.zeros((n_boot, n_archs), dtype=np.int32)
    for row in counts:
        row[rng.permutation(n_archs)[: n_archs // 2]] = 1
    return counts


def percentile_interval(values: ArrayLike, method: str, *, level: float = 0.95) -> Interval:
    """The central `level` of `values` (n_resamples,), those that are NaN left out and counted."""
    check_level(level)
    estimates = np.asarray(values, dtype=np.float64)
    defined = estimates[np.isfinite(estimates)]
    undefined = len(estimates) - len(defined)
    if not len(defined):
        return Interval(float("nan"), float("nan"), method, len(estimates), undefined)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), method, len(estimates), undefined)


def fisher_z_interval(
    values: ArrayLike,
    estimate: float,
    n_archs: int,
    *,
    excess: float = 0.0,
    method: str = FISHER_Z,
    at_one: str = BOOTSTRAP,
    level: float = 0.95,
) -> Interval:
    """``tanh(atanh(estimate) +- q sd)``, with `sd` the standard deviation of atanh over the resamples.

    n_archs: architectures, or what was drawn in their place (functional classes).
    values: (n_resamples,) of a correlation, NaN left out and counted; those within 1/n^2 of 1 are taken as
    1 - 1/n^2, since atanh has no value at 1. excess: how far the bootstrap variance of the statistic is too
    large, in units of (1 - estimate^2) / n^2. It is for Kendall's tau, because a resample pairs copies of one
    architecture: its second-order term counts three times (4 in the limit; 3 fits n = 20 to 200). It is taken off,
    no further than to the second-order term itself, and Student's t with n - 2 degrees of freedom takes the place
    of the normal. An estimate within 1/n^2 of 1 has a percentile interval, and says so (`at_one`).
    """
    check_level(level)
    estimates = np.asarray(values, dtype=np.float64)
    defined = estimates[np.isfinite(estimates)]
    undefined = len(estimates) - len(defined)
    if len(defined) < 2 or not np.isfinite(estimate):
        return Interval(float("nan"), float("nan"), method, len(estimates), undefined)
    limit = 1 - 1 / n_archs**2
    if abs(estimate) >= limit:
        return percentile_interval(estimates, at_one, level=level)
    variance = float(np.arctanh(np.clip(defined, -limit, limit)).var(ddof=1))
    quantile = float(ndtri((1 + level) / 2))
    if excess:
        second = 1 / ((1 - estimate**2) * n_archs**2)
        variance = max(variance - excess * second, 2 * second)
        quantile = float(stdtrit(max(n_archs - 2, 1), (1 + level) / 2))
    half = quantile * np.sqrt(variance)
    low, high = np.tanh(np.arctanh(estimate) + np.array([-half, half]))
    return Interval(float(low), float(high), method, len(estimates), undefined)


def bca_interval(
    values: ArrayLike, estimate: float, jackknife: ArrayLike, method: str = BCA, *, level: float = 0.95
) -> Interval:
    """Bias-corrected and accelerated interval (Efron 1987).

    values: (n_resamples,), NaN left out and counted. jackknife: the statistic without each architecture (or each
    block of them) in turn. The bias is taken from the share of resamples below `estimate` (those equal count
    half), the acceleration from the skewness of the jackknife; without a defined jackknife it is 0.
    """
    check_level(level)
    estimates = np.asarray(values, dtype=np.float64)
    defined = estimates[np.isfinite(estimates)]
    undefined = len(estimates) - len(defined)
    if not len(defined) or not np.isfinite(estimate):
        return Interval(float("nan"), float("nan"), method, len(estimates), undefined)
    below = ((defined < estimate).sum() + 0.5 * (defined == estimate).sum()) / len(defined)
    z0 = ndtri(np.clip(below, 0.5 / len(defined), 1 - 0.5 / len(defined)))
    left_out = np.asarray(jackknife, dtype=np.float64)
    left_out = left_out[np.isfinite(left_out)]
    shift = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    square = float((shift**2).sum())
    a = float((shift**3).sum()) / (6 * square**1.5) if square > 0 else 0.0
    z = z0 + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(defined, ndtr(z0 + z / np.maximum(1 - a * z, 1e-6)))
    return Interval(float(low), float(high), method, len(estimates), undefined)


def jackknife_counts(n_archs: int) -> NDArray[np.int8]:
    """(n_sets, n_archs) of 0 and 1: all architectures but one, or but one of `JACKKNIFE` blocks, in turn.

    Blocks are every `JACKKNIFE`-th architecture; they leave the skewness of the influence as it is, up to noise.
    """
    sets = min(n_archs, JACKKNIFE)
    kept = np.arange(n_archs)[None, :] % sets != np.arange(sets)[:, None]
    return np.asarray(kept, dtype=np.int8)


def check_interval(kind: str) -> None:
    """`ValueError` unless `kind` is an `IntervalKind`."""
    if kind not in get_args(IntervalKind):
        raise ValueError(f"interval: expected one of {', '.join(get_args(IntervalKind))}, got {kind!r}")


def bootstrap(
    statistic: OnResamples,
    score: ArrayLike,
    truth: ArrayLike,
    *,
    rng: np.random.Generator,
    n_boot: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap over architectures (Efron 1979): for statistics of the whole set, such as correlations.

    Parameters
    ----------
    statistic: for example ``Resamples.spearman_rho``, or ``get_statistic(name).on_resamples``.
    score, truth: (n_archs,), finite, both oriented so that higher is better.
    rng: the only source of randomness.
    """
    y = np.asarray(truth, dtype=np.float64)
    drawn = Resamples(y, bootstrap_counts(len(y), n_boot, rng))
    return percentile_interval(statistic(drawn, np.asarray(score, dtype=np.float64)), BOOTSTRAP, level=level)


def random_halves(
    statistic: OnResamples,
    score: ArrayLike,
    truth: ArrayLike,
    *,
    rng: np.random.Generator,
    n_boot: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentiles over random halves of the architectures: for statistics of the best few.

    A bootstrap draws the best architecture of a set again or leaves it out, and nothing in between, so it
    is not valid for extremes. Halves show how the statistic varies between samples of half the size; the
    best of a half is seldom the best of all, so the interval may lie below the estimate.
    Parameters as in `bootstrap`.
    """
    y = np.asarray(truth, dtype=np.float64)
    drawn = Resamples(y, half_counts(len(y), n_boot, rng))
    return percentile_interval(statistic(drawn, np.asarray(score, dtype=np.float64)), HALVES, level=level)


def check_level(level: float) -> None:
    """`ValueError` unless 0 < `level` < 1."""
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, for example 0.95, got {level!r}")


def _check_draw(n_archs: int, n_boot: int) -> None:
    if n_archs < 1 or n_boot < 1:
        raise ValueError(f"resamples: expected at least 1 architecture and 1 resample, got {n_archs} and {n_boot}")
