"""Intervals over architectures: which architectures were looked at is the randomness that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rank import Floats
from .resamples import Resamples

BOOTSTRAP = "percentile bootstrap over architectures"
HALVES = "random halves of the architectures"

#: Resamples and a score -> the statistic of each resample.
OnResamples = Callable[[Resamples, Floats], Floats]


@dataclass(frozen=True)
class Interval:
    """An interval and how it was made.

    Attributes
    ----------
    low, high: its ends, in the unit of the statistic; NaN where no resample defined the statistic.
    method: `BOOTSTRAP` or `HALVES`.
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
    found = np.asarray(values, dtype=np.float64)
    defined = found[np.isfinite(found)]
    undefined = len(found) - len(defined)
    if not len(defined):
        return Interval(float("nan"), float("nan"), method, len(found), undefined)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), method, len(found), undefined)


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
