"""Do two scores rank one set of architectures equally well? Exchanges of their ranks, or the law of large samples.

The permutation test exchanges the ranks of two scores architecture by architecture, which is exact where the two are
exchangeable: where it would not change their joint distribution with the truth to swap their names. Two proxies of one
correlation whose shapes differ (one follows the truth everywhere a little, the other half of the time exactly) are
not; the plain test need not hold its level there, and the studentised one does in large samples (Janssen 1997; DiCiccio
and Romano 2017). `reports/results/coverage.csv` has both. From `LARGE` architectures on the studentised difference
follows the normal law so closely that drawing exchanges tells nothing more (`large_sample_test`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .classes import Labels
from .influence import standard_error
from .rank import Floats, average_ranks
from .registry import Statistic
from .resamples import Resamples

BLOCK = 2_000_000  # numbers in one working array
LARGE = 2_000  # architectures (or classes, where these are exchanged)


def permutation_test(
    statistic: Statistic,
    first: ArrayLike,
    second: ArrayLike,
    truth: ArrayLike,
    *,
    rng: np.random.Generator,
    n_permutations: int = 1000,
    studentised: bool = False,
    labels: Labels | None = None,
) -> float:
    """Two-sided p-value of "the two scores rank equally well", by exchanging them architecture by architecture.

    The null of the plain test is that the two are exchangeable: neither the correlation nor the shape of their joint
    distribution with the truth changes if they swap names. `studentised` divides each difference by its standard error
    (by the influence of each architecture), whose null is, in large samples, equal correlation alone; for
    ``spearman_rho``, ``kendall_tau`` and ``pearson_r``.

    labels: (n_archs,), the class of each architecture from 0 on: members of one class are exchanged together, because
    they are one network and not so many independent ones. By default each architecture by itself.

    first, second, truth: (n_archs,), finite, higher is better. Scores are turned into ranks, so that they can be
    exchanged; under the hypothesis it does not matter which rank came from which score. The value is
    (1 + as large a difference) / (1 + n_permutations), so never 0. NaN where the difference is undefined. For
    ``spearman_rho`` exchanged ranks are correlated as they are, not ranked anew: many times faster, as valid a test.
    """
    a, b = (average_ranks(np.asarray(v, dtype=np.float64)) for v in (first, second))
    y = np.asarray(truth, dtype=np.float64)
    observed = abs(statistic(a, y) - statistic(b, y))
    if not np.isfinite(observed):
        return float("nan")
    swaps = _Swaps(rng, len(y), labels)
    if studentised:
        return _studentised(statistic, a, b, y, swaps, n_permutations)
    if statistic.name == "spearman_rho":
        gaps = _rank_gaps(a, b, average_ranks(y), swaps, n_permutations)
        return float((1 + (np.abs(gaps) >= observed - 1e-12).sum()) / (1 + n_permutations))
    gaps = _resampled_gaps(statistic, a, b, y, swaps, n_permutations)
    return float((1 + (np.abs(gaps) >= observed - 1e-12).sum()) / (1 + n_permutations))


def large_sample_test(
    statistic: Statistic, first: ArrayLike, second: ArrayLike, truth: ArrayLike, *, labels: Labels | None = None
) -> float:
    """Two-sided p-value of equal correlation, by the normal law of the difference over its standard error.

    Parameters as in `permutation_test`, of which this is the studentised form in large samples: from `LARGE`
    architectures on the two agree within the noise of the exchanges. NaN where the difference is undefined.
    """
    a, b = (average_ranks(np.asarray(v, dtype=np.float64)) for v in (first, second))
    y = np.asarray(truth, dtype=np.float64)
    gap = abs(statistic(a, y) - statistic(b, y))
    if not np.isfinite(gap):
        return float("nan")
    error = standard_error(statistic.name, a, b, y, labels)
    if not error > 0:
        return 1.0 if gap == 0 else 0.0
    return math.erfc(gap / error / math.sqrt(2))


@dataclass(frozen=True)
class _Swaps:
    """Which architectures exchange their two scores: draws of 0 and 1."""

    rng: np.random.Generator
    n_archs: int
    labels: Labels | None

    def __call__(self, n: int) -> NDArray[np.int64]:
        """(n, n_archs)."""
        if self.labels is None:
            return self.rng.integers(0, 2, size=(n, self.n_archs))
        return self.rng.integers(0, 2, size=(n, int(self.labels.max()) + 1))[:, self.labels]


def _studentised(statistic: Statistic, a: Floats, b: Floats, y: Floats, swaps: _Swaps, n_permutations: int) -> float:
    error_of = partial(standard_error, statistic.name, labels=swaps.labels)

    def size(first: Floats, second: Floats) -> float:
        gap, error = abs(statistic(first, y) - statistic(second, y)), error_of(first, second, y)
        return gap / error if error > 0 else (np.inf if gap > 0 else 0.0)

    observed, as_large = size(a, b), 0
    for _ in range(n_permutations):
        swap = swaps(1)[0].astype(bool)
        as_large += bool(size(np.where(swap, b, a), np.where(swap, a, b)) >= observed - 1e-12)
    return (1 + as_large) / (1 + n_permutations)


def _resampled_gaps(
    statistic: Statistic, a: Floats, b: Floats, y: Floats, swaps: _Swaps, n_permutations: int
) -> Floats:
    """Difference of the statistic after each exchange of `a` and `b`: (n_permutations,).

    Beside one another, the scores are 2 n values of which an exchange draws one for each architecture, and the other
    score the rest: resamples, which know ties and are many times faster than one statistic after the other.
    """
    both, twice = np.concatenate([a, b]), np.concatenate([y, y])
    gaps = np.empty(n_permutations)
    width = max(1, BLOCK // len(both))
    for start in range(0, n_permutations, width):
        swapped = swaps(min(width, n_permutations - start)).astype(np.int32)
        drawn = np.concatenate([1 - swapped, swapped], axis=1)
        first, second = (statistic.on_resamples(Resamples(twice, counts), both) for counts in (drawn, 1 - drawn))
        gaps[start : start + len(drawn)] = first - second
    return gaps


def _rank_gaps(a: Floats, b: Floats, y: Floats, swaps: _Swaps, n_permutations: int) -> Floats:
    """Difference of the correlations with `y` after each exchange of `a` and `b`: (n_permutations,)."""
    a, b, y = (v - v.mean() for v in (a, b, y))
    middle, half = (a + b) / 2, (a - b) / 2  # an exchange turns the sign of `half`
    gaps = np.empty(n_permutations)
    width = max(1, BLOCK // len(y))
    for first in range(0, n_permutations, width):
        signs = swaps(min(width, n_permutations - first)) * 2.0 - 1
        rows = slice(first, first + len(signs))
        moved, total = signs @ half, signs @ (half * y)
        cross = 2 * (signs @ (middle * half))
        square = float(middle @ middle + half @ half) - moved**2 / len(y)
        one = (middle @ y + total) / np.sqrt(np.maximum(square + cross, 1e-300))
        other = (middle @ y - total) / np.sqrt(np.maximum(square - cross, 1e-300))
        gaps[rows] = (one - other) / np.sqrt(y @ y)
    return gaps
