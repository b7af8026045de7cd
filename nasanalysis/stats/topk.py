"""How good the architectures are that a score puts first.

Where several architectures share the score at the k-th place, every value is the expectation over breaking
that tie at random, so it does not depend on the order of the rows. Pairs in which either value is not finite
are left out. `StudyError` where fewer than `k` architectures are left.

These are statistics of extremes: no bootstrap of them is valid. Their interval is that of random halves, so of samples
of half the size with the same `k`: it says how much the answer depends on which architectures were looked at, not how
far the estimate is from that of all (`precision@10` of 100 was within it in 88 % of simulated samples). Repeated
samples of a stated size (`repeated_samples`) or seeds are the other honest way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import StudyError
from .rank import Floats, defined_pairs, lowest_ranks
from .resamples import Resamples


@dataclass(frozen=True)
class _TopK:
    k: int
    _name = "top_k"

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, (int, np.integer)) or self.k < 1:
            raise ValueError(f"{self._name}: k: expected a positive integer, got {self.k!r}")

    def _pairs(self, score: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
        x, y = defined_pairs(score, truth)
        if self.k > len(x):
            raise StudyError(
                f"{self._name}@{self.k}: expected at least {self.k} architectures with a score and a truth, "
                f"got {len(x)}; ask for a smaller k or score more architectures"
            )
        return x, y


@dataclass(frozen=True)
class TopKMean(_TopK):
    """Mean true accuracy of the `k` architectures scored best.

    Called on `score` (n_archs,), higher is better, and `truth` (n_archs,), percent; gives percent.
    """

    _name = "topk_mean"

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        x, y = self._pairs(score, truth)
        return float(chance_of_top(x, self.k) @ y / self.k)

    def on_resamples(self, resamples: Resamples, score: Floats) -> Floats:
        """Per resample: `Resamples.topk_mean`."""
        return resamples.topk_mean(score, self.k)


@dataclass(frozen=True)
class BestRankAtK(_TopK):
    """True rank (1 is the best architecture) of the best among the `k` scored best; equal truths share the rank
    of the first of them. Called as `TopKMean`; lower is better.
    """

    _name = "best_rank"

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        x, y = self._pairs(score, truth)
        return -expected_best(x, -competition_rank(y), self.k)

    def on_resamples(self, resamples: Resamples, score: Floats) -> Floats:
        """Per resample; the rank stays that among all architectures, whatever the resample holds."""
        ranks = competition_rank(resamples.truth)
        return -resamples.each(lambda x, v: expected_best(x, -v, self.k), score, ranks)


@dataclass(frozen=True)
class RegretAtK(_TopK):
    """Percentage points by which the best among the `k` scored best lies below the best architecture of all.

    Called as `TopKMean`; lower is better, 0 where the best is found.
    """

    _name = "regret"

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        x, y = self._pairs(score, truth)
        return max(float(y.max() - expected_best(x, y, self.k)), 0.0)

    def on_resamples(self, resamples: Resamples, score: Floats) -> Floats:
        """Per resample, below the best of *all* architectures."""
        best = resamples.each(lambda x, y: expected_best(x, y, self.k), score, resamples.truth)
        return np.asarray(np.maximum(resamples.truth.max() - best, 0.0))  # a sum of chances may round above the best


@dataclass(frozen=True)
class PrecisionAtK(_TopK):
    """Share of the `k` architectures scored best that are among the `k` truly best; ties of truth at its k-th
    place are broken at random too. Called as `TopKMean`; within [0, 1], higher is better.
    """

    _name = "precision"

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        x, y = self._pairs(score, truth)
        return float(chance_of_top(x, self.k) @ chance_of_top(y, self.k) / self.k)

    def on_resamples(self, resamples: Resamples, score: Floats) -> Floats:
        """Per resample, against the `k` best of the resample."""
        return resamples.each(self, score, resamples.truth)


def topk_mean(score: ArrayLike, truth: ArrayLike, k: int) -> float:
    """`TopKMean` as a function: mean true accuracy (percent) of the `k` architectures scored best."""
    return TopKMean(k)(score, truth)


def best_rank_at_k(score: ArrayLike, truth: ArrayLike, k: int) -> float:
    """`BestRankAtK` as a function: true rank of the best among the `k` architectures scored best."""
    return BestRankAtK(k)(score, truth)


def precision_at_k(score: ArrayLike, truth: ArrayLike, k: int) -> float:
    """`PrecisionAtK` as a function: share of the `k` scored best that are among the `k` truly best."""
    return PrecisionAtK(k)(score, truth)


def regret_at_k(score: ArrayLike, truth: ArrayLike, k: int) -> float:
    """`RegretAtK` as a function: percentage points between the best of all and the best of the `k` scored best."""
    return RegretAtK(k)(score, truth)


def chance_of_top(score: Floats, k: int) -> Floats:
    """Probability of each architecture to be among the `k` scored best, ties broken at random: (n_archs,)."""
    threshold = np.partition(score, len(score) - k)[len(score) - k]
    above, tied = score > threshold, score == threshold
    places = k - int(above.sum())  # left for the architectures that share the k-th score
    return np.asarray(above + tied * (places / tied.sum()))


def expected_best(score: Floats, value: Floats, k: int) -> float:
    """Largest `value` among the `k` scored best, in expectation over random ties at the k-th place."""
    if k > len(score):
        raise StudyError(f"expected at least {k} architectures, got {len(score)}; ask for a smaller k")
    threshold = np.partition(score, len(score) - k)[len(score) - k]
    above = value[score > threshold]
    tied = -np.sort(-value[score == threshold])
    places, group = k - len(above), len(tied)
    floor = above.max() if len(above) else -np.inf
    if places == group:
        return float(max(floor, tied[0]))
    # the best of `places` drawn from `group` is the i-th best of the group with chance C(group-i-1, places-1)/C
    left = np.arange(group)[: group - places + 1]
    from scipy.stats import nhypergeom  # here, not above: importing scipy.stats takes seconds

    chance = nhypergeom.pmf(left, group, group - places, 1)
    return float(np.maximum(tied[: len(left)], floor) @ chance)


def competition_rank(truth: Floats) -> Floats:
    """1 for the best, equal values share the rank of the first of them: (n_archs,)."""
    return lowest_ranks(-truth)
