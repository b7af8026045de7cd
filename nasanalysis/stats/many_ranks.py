"""Spearman's rho of many scores with many truths on the same resamples: every column is ranked once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rank import Floats
from .resamples import Sorted

_NUMBERS = 1 << 22  # in the working array of ranks of all columns: 32 MB


def spearman_of_all(scores: ArrayLike, truths: ArrayLike, counts: NDArray[np.integer]) -> Floats:
    """Spearman's rho of each score with each truth, on each resample: (n_scores, n_truths, n_resamples).

    Parameters
    ----------
    scores: (n_scores, n_archs), truths: (n_truths, n_archs), finite.
    counts: (n_resamples, n_archs), whole numbers >= 0: how often each resample holds each architecture.

    The numbers are those of `Resamples.spearman_rho`, NaN where a side does not vary. What is shared is the ranking: k
    scores and t truths are k + t rankings of each resample and not 2 k t. One object given for both is
    ranked once.
    """
    sides = [np.atleast_2d(np.asarray(v, dtype=np.float64)) for v in (scores, truths)]
    n_scores, first = len(sides[0]), 0 if truths is scores else len(sides[0])
    columns = sides[0] if truths is scores else np.concatenate(sides)
    table = np.asarray(counts)
    sorts = [Sorted.of(column) for column in columns]
    answer = np.empty((n_scores, len(columns) - first, len(table)))
    width = max(1, _NUMBERS // max(1, columns.size))
    for start in range(0, len(table), width):
        part = slice(start, min(start + width, len(table)))
        answer[:, :, part] = _block(sorts, n_scores, first, table[part].T.astype(np.float64))
    return answer


def _block(sorts: list[Sorted], n_scores: int, first: int, drawn: Floats) -> Floats:
    """drawn: (n_archs, B) -> (n_scores, n_truths, B); truths begin at column `first`."""
    sizes = drawn.sum(axis=0)
    ranks = np.empty((drawn.shape[1], len(sorts), len(drawn)))  # (B, columns, n_archs): one product for each resample
    spread = np.empty((len(sorts), drawn.shape[1]))
    for k, by in enumerate(sorts):
        weights = by.group_sums(drawn)
        twice = 2 * np.cumsum(weights, axis=0) - weights - sizes  # twice the centred average rank, a whole number
        ranks[:, k, :] = twice[by.group].T
        spread[k] = (sizes**3 - np.einsum("ij,ij,ij->j", weights, weights, weights)) / 3
    truths = ranks[:, first:, :] * drawn.T[:, None, :]
    products = np.moveaxis(ranks[:, :n_scores, :] @ np.swapaxes(truths, 1, 2), 0, 2)
    left, right = spread[:n_scores, None, :], spread[None, first:, :]
    varies = (left > 0) & (right > 0)
    scale = np.sqrt(np.where(varies, left, 1.0)) * np.sqrt(np.where(varies, right, 1.0))
    return np.where(varies, np.clip(products / scale, -1.0, 1.0), np.nan)
