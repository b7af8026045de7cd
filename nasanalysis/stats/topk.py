"""How good the architectures are that a score puts first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import StudyError
from .rank import defined_pairs


@dataclass(frozen=True)
class TopKMean:
    """Mean true accuracy of the `k` architectures scored best.

    Called on `score` (n_archs,), higher is better, and `truth` (n_archs,), percent; gives percent.
    Where several architectures share the score at the k-th place, the value is the expectation over
    breaking that tie at random, so it does not depend on the order of the rows. Pairs in which either
    value is not finite are left out. `StudyError` where fewer than `k` architectures are left.
    """

    k: int

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, (int, np.integer)) or self.k < 1:
            raise ValueError(f"topk_mean: k: expected a positive integer, got {self.k!r}")

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        x, y = defined_pairs(score, truth)
        if self.k > len(x):
            raise StudyError(
                f"topk_mean@{self.k}: expected at least {self.k} architectures with a score and a truth, "
                f"got {len(x)}; ask for a smaller k or score more architectures"
            )
        threshold = np.partition(x, len(x) - self.k)[len(x) - self.k]
        above, tied = x > threshold, x == threshold
        places = self.k - int(above.sum())  # left for the architectures that share the k-th score
        return float((y[above].sum() + places * y[tied].mean()) / self.k)


def topk_mean(score: ArrayLike, truth: ArrayLike, k: int) -> float:
    """`TopKMean` as a function: mean true accuracy (percent) of the `k` architectures scored best."""
    return TopKMean(k)(score, truth)
