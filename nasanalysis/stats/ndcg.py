"""Normalised discounted cumulative gain: is what the score puts first really good?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import StudyError
from .rank import Floats, defined_pairs, is_constant


def ndcg(score: ArrayLike, truth: ArrayLike, k: int | None = None) -> float:
    """NDCG of the ranking by score, over the first `k` places (default: all) (Järvelin and Kekäläinen 2002).

    `score`, `truth`: (n_archs,), higher is better. The gain of an architecture is its accuracy above the worst
    one (linear; with raw accuracies all rankings of good networks would look alike), the discount of place i is
    1 / log2(i + 1); architectures of equal score share the mean gain of their group. Range [0, 1]; NaN where
    all truths are equal. `StudyError` where fewer than `k` architectures are left.
    """
    x, y = defined_pairs(score, truth)
    if k is not None and not 1 <= k <= len(x):
        raise StudyError(f"ndcg@{k}: expected k from 1 to {len(x)}, the architectures with a score and a truth")
    if is_constant(y):
        return float("nan")
    gain = y - y.min()
    discount = 1 / np.log2(np.arange(2, len(x) + 2))
    if k is not None:
        discount[k:] = 0
    return float(_discounted(x, gain, discount) / _discounted(y, gain, discount))


def _discounted(by: Floats, gain: Floats, discount: Floats) -> float:
    order = np.argsort(-by, kind="stable")
    descending = by[order]
    starts = np.flatnonzero(np.concatenate([[True], descending[1:] != descending[:-1]]))
    sizes = np.diff(np.append(starts, len(by)))
    means = np.add.reduceat(gain[order], starts) / sizes
    return float(means @ np.add.reduceat(discount, starts))
