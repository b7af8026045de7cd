"""Compiled kernels behind `Resamples`: imported only where numba is there and pays (see `nasanalysis.stats.fast`).

Each walks the architectures once for `LANES` resamples side by side, so the inner loops are vector
instructions. All sums are of whole numbers that float64 holds exactly, as in the numpy path, so the results
are equal to it bit by bit (Pearson's, whose sums are not whole, to rounding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES = 64  # resamples side by side


@njit(cache=True, nogil=True)
def agreement(counts: Any, order: Any, starts: Any, truth_group: Any, n_truth_groups: int) -> NDArray[np.float64]:
    """(2, B): concordant minus discordant pairs, and the sum of squared sizes of the score's groups of ties.

    A Fenwick tree over the truth holds what was drawn of lower scores.
    counts: (n, B) float32; order, starts: of the score, ascending; truth_group: (n,), lowest truth first.
    """
    n, n_resamples = counts.shape
    total = np.zeros((2, n_resamples))
    tree = np.zeros((n_truth_groups + 1, LANES), dtype=np.int32)
    drawn = np.zeros((n, LANES), dtype=np.int32)
    below = np.zeros(LANES, dtype=np.int32)
    inserted = np.zeros(LANES, dtype=np.int32)
    before = np.zeros(LANES, dtype=np.int32)
    sums = np.zeros((2, LANES))
    truth_ties = n_truth_groups < n
    for first in range(0, n_resamples, LANES):
        width = min(LANES, n_resamples - first)
        for at in range(n):
            for lane in range(width):
                drawn[at, lane] = np.int32(counts[order[at], first + lane])
            for lane in range(width, LANES):
                drawn[at, lane] = 0
        tree[:] = 0
        inserted[:] = 0
        sums[:] = 0
        for g in range(len(starts)):
            stop = starts[g + 1] if g + 1 < len(starts) else n
            for at in range(starts[g], stop):
                group = truth_group[order[at]]
                below[:] = 0
                node = group
                while node > 0:
                    for lane in range(LANES):
                        below[lane] += tree[node, lane]
                    node &= node - 1
                if truth_ties:
                    node = group + 1
                    while node > 0:
                        for lane in range(LANES):
                            below[lane] += tree[node, lane]
                        node &= node - 1
                else:
                    for lane in range(LANES):
                        below[lane] *= 2
                for lane in range(LANES):
                    sums[0, lane] += np.float64(below[lane] - inserted[lane]) * np.float64(drawn[at, lane])
            before[:] = inserted
            for at in range(starts[g], stop):
                for lane in range(LANES):
                    inserted[lane] += drawn[at, lane]
                node = truth_group[order[at]] + 1
                while node <= n_truth_groups:
                    for lane in range(LANES):
                        tree[node, lane] += drawn[at, lane]
                    node += node & -node
            for lane in range(LANES):
                size = np.float64(inserted[lane] - before[lane])
                sums[1, lane] += size * size
        for lane in range(width):
            total[0, first + lane] = sums[0, lane]
            total[1, first + lane] = sums[1, lane]
    return total


@njit(cache=True, nogil=True)
def rank_products(
    counts: Any, sizes: Any, order: Any, starts: Any, truth_order: Any, truth_starts: Any
) -> NDArray[np.float64]:
    """(2, B): sums of (2 rank - N - 1) of score times that of truth, and of cubed sizes of the score's groups.

    Arguments as in `agreement`; sizes: (B,), draws of each resample.
    """
    n, n_resamples = counts.shape
    total = np.zeros((2, n_resamples))
    weights = np.zeros((n, LANES))
    ranked = np.zeros((n, LANES))
    drawn = np.zeros(LANES)
    centre = np.zeros(LANES)
    product = np.zeros(LANES)
    sums = np.zeros((2, LANES))
    for first in range(0, n_resamples, LANES):
        width = min(LANES, n_resamples - first)
        for row in range(n):
            for lane in range(width):
                weights[row, lane] = counts[row, first + lane]
            for lane in range(width, LANES):
                weights[row, lane] = 0
        for lane in range(LANES):
            centre[lane] = -sizes[first + lane] if lane < width else 0.0
        for g in range(len(truth_starts)):
            start, stop = truth_starts[g], truth_starts[g + 1] if g + 1 < len(truth_starts) else n
            drawn[:] = 0
            for at in range(start, stop):
                row = truth_order[at]
                for lane in range(LANES):
                    drawn[lane] += weights[row, lane]
            for lane in range(LANES):
                centre[lane] += drawn[lane]  # twice the centred average rank of this group
            for at in range(start, stop):
                row = truth_order[at]
                for lane in range(LANES):
                    ranked[row, lane] = centre[lane] * weights[row, lane]
            for lane in range(LANES):
                centre[lane] += drawn[lane]
        for lane in range(LANES):
            centre[lane] = -sizes[first + lane] if lane < width else 0.0
        sums[:] = 0
        for g in range(len(starts)):
            start, stop = starts[g], starts[g + 1] if g + 1 < len(starts) else n
            drawn[:] = 0
            product[:] = 0
            for at in range(start, stop):
                row = order[at]
                for lane in range(LANES):
                    drawn[lane] += weights[row, lane]
                    product[lane] += ranked[row, lane]
            for lane in range(LANES):
                centre[lane] += drawn[lane]
                sums[0, lane] += centre[lane] * product[lane]
                sums[1, lane] += drawn[lane] * drawn[lane] * drawn[lane]
                centre[lane] += drawn[lane]
        for lane in range(width):
            total[0, first + lane] = sums[0, lane]
            total[1, first + lane] = sums[1, lane]
    return total


@njit(cache=True, nogil=True)
def group_powers(counts: Any, order: Any, starts: Any) -> NDArray[np.float64]:
    """(2, B): sums over the groups of ties of their squared and cubed sizes, per resample."""
    n, n_resamples = counts.shape
    powers = np.zeros((2, n_resamples))
    drawn = np.zeros(LANES)
    for first in range(0, n_resamples, LANES):
        width = min(LANES, n_resamples - first)
        for g in range(len(starts)):
            stop = starts[g + 1] if g + 1 < len(starts) else n
            drawn[:] = 0
            for at in range(starts[g], stop):
                row = order[at]
                for lane in range(width):
                    drawn[lane] += counts[row, first + lane]
            for lane in range(width):
                square = drawn[lane] * drawn[lane]
                powers[0, first + lane] += square
                powers[1, first + lane] += square * drawn[lane]
    return powers


@njit(cache=True, nogil=True)
def moments(counts: Any, sizes: Any, x: Any, y: Any) -> NDArray[np.float64]:
    """(3, B): weighted sums of dx dy, dx dx and dy dy, centred per resample."""
    n, n_resamples = counts.shape
    sums = np.zeros((3, n_resamples))
    mean_x, mean_y = np.zeros(n_resamples), np.zeros(n_resamples)
    for i in range(n):
        for b in range(n_resamples):
            mean_x[b] += x[i] * counts[i, b]
            mean_y[b] += y[i] * counts[i, b]
    for b in range(n_resamples):
        if sizes[b] > 0:
            mean_x[b] /= sizes[b]
            mean_y[b] /= sizes[b]
    for i in range(n):
        for b in range(n_resamples):
            dx, dy = x[i] - mean_x[b], y[i] - mean_y[b]
            weighted = counts[i, b] * dx
            sums[0, b] += weighted * dy
            sums[1, b] += weighted * dx
            sums[2, b] += counts[i, b] * dy * dy
    return sums
