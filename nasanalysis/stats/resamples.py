"""The statistics on many resamples of one set of architectures at once, exactly.

A resample is a column of counts: how often each architecture was drawn. Truth and scores are sorted once;
each resample then only re-weights the sorted order, and every sum below is a sum of whole numbers that
float64 holds exactly (up to about 100,000 architectures), so the results equal scipy's on the explicit
resample up to the final division and root.

=========== ==========================================================================================
Spearman    average ranks from cumulative counts over the groups of equal values
Kendall     tau-b: halves in score order, merged by truth; blocks of `LEAF` by products with a sign matrix
Pearson     weighted moments, centred per resample
top-k mean  places filled group by group from the best score down
=========== ==========================================================================================
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import StudyError
from . import fast
from .rank import Floats

LEAF = 16  # architectures: few enough that BLAS starts no threads, which cost more than they bring here
BLOCK = 1 << 21  # numbers in one working array: bounds memory whatever the number of resamples


@dataclass(frozen=True)
class Sorted:
    """Values in ascending order, with the groups of equal values.

    Attributes
    ----------
    order: (n,), index of the values from lowest to highest.
    starts: (n_groups,), where in `order` each group of equal values begins.
    group: (n,), the group of each value, in the order the values came.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    group: NDArray[np.intp]

    @classmethod
    def of(cls, values: Floats) -> Sorted:
        order = np.argsort(values, kind="stable")
        ascending = values[order]
        is_new = np.concatenate([[True], ascending[1:] != ascending[:-1]])
        group = np.empty(len(values), dtype=np.intp)
        group[order] = np.cumsum(is_new) - 1
        return cls(order, np.flatnonzero(is_new), group)

    @property
    def has_ties(self) -> bool:
        return len(self.starts) < len(self.order)

    def group_sums(self, rows: Floats) -> Floats:
        """(n, B), in the order the values came -> (n_groups, B), summed within groups, lowest first."""
        ascending = rows[self.order]
        if not self.has_ties:
            return ascending
        return np.asarray(np.add.reduceat(ascending, self.starts, axis=0))


class Resamples:
    """Resamples of one set of architectures, beside their truth; scores are passed to the methods.

    Parameters
    ----------
    truth: (n_archs,), finite.
    counts: (n_resamples, n_archs), whole numbers >= 0: how often each resample holds each architecture.
    compiled: use the compiled kernels (extra ``fast``); by default where they are there and pay. The results
        are the same, to the last bit for ranks.

    Every method takes `score` (n_archs,), finite and oriented so that higher is better, and answers
    (n_resamples,), NaN where the statistic of a resample is undefined. What concerns only the truth is
    computed once and kept, so many scores cost little more than their sorting.
    """

    def __init__(self, truth: ArrayLike, counts: ArrayLike, *, compiled: bool | None = None) -> None:
        self.truth = _finite("truth", truth)
        table = np.asarray(counts)
        if table.ndim != 2 or table.shape[1] != len(self.truth):
            raise ValueError(
                f"counts: expected (n_resamples, {len(self.truth)}), one column per architecture, got {table.shape}"
            )
        if (table < 0).any() or (table.dtype.kind == "f" and (table != np.floor(table)).any()):
            raise ValueError("counts: expected whole numbers >= 0")
        self.counts: NDArray[np.float32] = np.ascontiguousarray(table.T, dtype=np.float32)  # (n, B)
        self.n_archs, self.n_resamples = self.counts.shape
        self.sizes: Floats = self.counts.sum(axis=0, dtype=np.float64)  # (B,)
        if self.sizes.max(initial=0.0) >= 2**23:
            raise ValueError("counts: expected resamples of fewer than 2^23 draws, beyond which sums are not exact")
        self._best: dict[float, Resamples] = {}
        self._against: dict[bytes, Resamples] = {}
        self._remembered: dict[tuple[object, bytes], Floats] = {}
        self._kernels = fast.kernels(self.counts.size, compiled)

    def spearman_rho(self, score: ArrayLike) -> Floats:
        """Spearman's rho with average ranks, per resample."""
        by = self._sorted(score)
        if self._kernels:
            truth = self._by_truth
            total = self._kernels.rank_products(self.counts, self.sizes, by.order, by.starts, truth.order, truth.starts)
            return ratio(total[0], (self.sizes**3 - total[1]) / 3, self._truth_spread)
        products = np.empty(self.n_resamples)
        spread = np.empty(self.n_resamples)
        for columns in self._blocks():
            weights = by.group_sums(self._block(columns))
            ranked = by.group_sums(self._truth_ranks[:, columns])
            rank = 2 * np.cumsum(weights, axis=0) - weights - self.sizes[columns]  # twice the rank, centred
            products[columns] = np.einsum("ij,ij->j", rank, ranked)
            spread[columns] = _rank_spread(weights, self.sizes[columns])
        return ratio(products, spread, self._truth_spread)

    def kendall_tau(self, score: ArrayLike) -> Floats:
        """Kendall's tau-b, per resample."""
        by = self._sorted(score)
        if self._kernels:
            truth = self._by_truth
            total = self._kernels.agreement(self.counts, by.order, by.starts, truth.group, len(truth.starts))
            return ratio(2 * total[0], self.sizes**2 - total[1], self._truth_untied)
        plan = _kendall_plan(by, self._by_truth.group)
        agreement = np.empty(self.n_resamples)
        untied = np.empty(self.n_resamples)
        for columns in self._blocks():
            ascending = self.counts[:, columns][by.order]
            agreement[columns] = _agreement(plan, ascending)
            weights = ascending if not by.has_ties else np.add.reduceat(ascending, by.starts, axis=0)
            untied[columns] = _untied_pairs(weights, self.sizes[columns])
        return ratio(2 * agreement, untied, self._truth_untied)

    def pearson_r(self, score: ArrayLike) -> Floats:
        """Pearson's r, per resample."""
        by = self._sorted(score)
        x = _unit_scale(np.asarray(score, dtype=np.float64))
        y = _unit_scale(self.truth)
        if self._kernels:
            sums = self._kernels.moments(self.counts, self.sizes, x, y)
            sums[1, self._kernels.group_powers(self.counts, by.order, by.starts)[1] >= self.sizes**3] = 0.0
            return ratio(sums[0], sums[1], np.where(self._truth_spread <= 0, 0.0, sums[2]))
        sums = np.full((3, self.n_resamples), np.nan)
        for columns in self._blocks():
            weights = self._block(columns)
            with np.errstate(invalid="ignore", divide="ignore"):
                dx = x[:, None] - (x @ weights) / self.sizes[columns]
                dy = y[:, None] - (y @ weights) / self.sizes[columns]
            weighted = weights * dx
            sums[0, columns] = np.einsum("ij,ij->j", weighted, dy)
            sums[1, columns] = np.einsum("ij,ij->j", weighted, dx)
            weights *= dy
            sums[2, columns] = np.einsum("ij,ij->j", weights, dy)
            constant = _rank_spread(by.group_sums(self._block(columns)), self.sizes[columns]) <= 0
            sums[1, columns] = np.where(constant, 0.0, sums[1, columns])
        return ratio(sums[0], sums[1], np.where(self._truth_spread <= 0, 0.0, sums[2]))

    def topk_mean(self, score: ArrayLike, k: int) -> Floats:
        """Mean truth of the `k` best-scored draws; NaN for a resample of fewer than `k`."""
        by = Sorted.of(-self._aligned(score))
        result = np.full(self.n_resamples, np.nan)
        for columns in self._blocks():
            result[columns] = self._topk_block(by, columns, k)
        return result

    def _topk_block(self, by: Sorted, columns: slice, k: int) -> Floats:
        top = 4 * k + 64  # the best architectures, enough of them to fill k places in every resample
        while True:
            n_groups = min(top, len(by.starts))
            stop = by.starts[n_groups] if n_groups < len(by.starts) else self.n_archs
            rows, starts = by.order[:stop], by.starts[:n_groups]
            drawn = self.counts[rows][:, columns].astype(np.float64)
            weights = np.add.reduceat(drawn, starts, axis=0)
            filled = np.cumsum(weights, axis=0)
            if n_groups == len(by.starts) or filled[-1].min() >= k:
                break
            top *= 4
        places = np.clip(k - (filled - weights), 0, weights)
        totals = np.add.reduceat(drawn * self.truth[rows, None], starts, axis=0)
        means = np.divide(totals, weights, out=np.zeros_like(totals), where=weights > 0)
        best = np.einsum("ij,ij->j", places, means) / k
        return np.where(filled[-1] >= k, best, np.nan)

    @cached_property
    def _by_truth(self) -> Sorted:
        return Sorted.of(self.truth)

    @cached_property
    def _truth_ranks(self) -> Floats:
        """(n, B): count times twice the centred average rank of the truth, a whole number."""
        by, ranks = self._by_truth, np.empty(self.counts.shape)
        for columns in self._blocks():
            counts = self._block(columns)
            weights = by.group_sums(counts)
            rank = 2 * np.cumsum(weights, axis=0) - weights - self.sizes[columns]
            ranks[:, columns] = counts * rank[by.group]
        return ranks

    @cached_property
    def _truth_spread(self) -> Floats:
        if self._kernels:
            return np.asarray((self.sizes**3 - self._truth_powers[1]) / 3)
        spread = np.empty(self.n_resamples)
        for columns in self._blocks():
            spread[columns] = _rank_spread(self._by_truth.group_sums(self._block(columns)), self.sizes[columns])
        return spread

    @cached_property
    def _truth_untied(self) -> Floats:
        if self._kernels:
            return np.asarray(self.sizes**2 - self._truth_powers[0])
        untied = np.empty(self.n_resamples)
        for columns in self._blocks():
            untied[columns] = _untied_pairs(self._by_truth.group_sums(self._block(columns)), self.sizes[columns])
        return untied

    @cached_property
    def _truth_powers(self) -> Floats:
        assert self._kernels is not None
        powers: Floats = self._kernels.group_powers(self.counts, self._by_truth.order, self._by_truth.starts)
        return powers

    def best(self, fraction: float) -> Resamples:
        """The same resamples, each cut to its share `fraction` of the best truth (those tied with the last too)."""
        if fraction not in self._best:
            order = self._by_truth.order[::-1]
            wanted = np.ceil(fraction * self.sizes - 1e-9)
            filled = np.cumsum(self.counts[order], axis=0, dtype=np.float64)
            last = (filled < wanted).sum(axis=0).clip(max=self.n_archs - 1)  # the draw that fills the share
            kept = self.truth[:, None] >= self.truth[order][last]
            self._best[fraction] = Resamples(self.truth, (self.counts * kept).T, compiled=self._kernels is not None)
        return self._best[fraction]

    def against(self, other: ArrayLike) -> Resamples:
        """The same resamples with `other` (n_archs,), finite, in the place of the truth."""
        values = self._aligned(other)
        key = values.tobytes()
        if key not in self._against:
            twin = copy.copy(self)
            for name in ("_by_truth", "_truth_ranks", "_truth_spread", "_truth_untied", "_truth_powers"):
                twin.__dict__.pop(name, None)
            twin.truth, twin._best, twin._against, twin._remembered = values, {}, {}, {}
            self._against[key] = twin
        return self._against[key]

    def remembered(self, method: Callable[[Resamples, Floats], Floats], score: Floats) -> Floats:
        """``method(self, score)``, kept: for pairs of columns that many scores share (truth and a covariate)."""
        key = (method, score.tobytes())
        if key not in self._remembered:
            self._remembered[key] = method(self, score)
        return self._remembered[key]

    def each(self, statistic: Callable[[Floats, Floats], float], *columns: ArrayLike) -> Floats:
        """A statistic that has no faster way, on every resample written out draw by draw.

        `statistic` takes the drawn values of each of `columns` (n_archs,); a resample on which it raises
        `StudyError` (too few architectures) is NaN.
        """
        values = [self._aligned(column) for column in columns]
        values_of = np.full(self.n_resamples, np.nan)
        for b in range(self.n_resamples):
            drawn = np.repeat(np.arange(self.n_archs), self.counts[:, b].astype(np.intp))
            with contextlib.suppress(StudyError):
                values_of[b] = statistic(*(v[drawn] for v in values))
        return values_of

    def _blocks(self) -> list[slice]:
        width = max(16, min(self.n_resamples, BLOCK // max(1, self.n_archs)))
        return [slice(i, min(i + width, self.n_resamples)) for i in range(0, self.n_resamples, width)]

    def _block(self, columns: slice) -> Floats:
        return self.counts[:, columns].astype(np.float64)

    def _aligned(self, score: ArrayLike) -> Floats:
        values = _finite("score", score)
        if len(values) != self.n_archs:
            raise ValueError(f"score: expected {self.n_archs} values, one per architecture of truth, got {len(values)}")
        return values

    def _sorted(self, score: ArrayLike) -> Sorted:
        return Sorted.of(self._aligned(score))


def spearman_rho_counts(score: ArrayLike, truth: ArrayLike, counts: ArrayLike) -> Floats:
    """Spearman's rho of each resample: `counts` (n_resamples, n_archs) -> (n_resamples,)."""
    return Resamples(truth, counts).spearman_rho(score)


def kendall_tau_counts(score: ArrayLike, truth: ArrayLike, counts: ArrayLike) -> Floats:
    """Kendall's tau-b of each resample: `counts` (n_resamples, n_archs) -> (n_resamples,)."""
    return Resamples(truth, counts).kendall_tau(score)


def pearson_r_counts(score: ArrayLike, truth: ArrayLike, counts: ArrayLike) -> Floats:
    """Pearson's r of each resample: `counts` (n_resamples, n_archs) -> (n_resamples,)."""
    return Resamples(truth, counts).pearson_r(score)


def _finite(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers (n_archs,); leave undefined architectures out first")
    return array


def _unit_scale(values: Floats) -> Floats:
    largest = np.abs(values).max(initial=0.0)
    scaled = values / largest if largest > 0 else values
    return np.asarray(scaled - (scaled.mean() if len(scaled) else 0.0))


def _rank_spread(weights: Floats, sizes: Floats) -> Floats:
    """Sum of (2 rank - N - 1)^2 over a resample whose groups of ties hold `weights` (n_groups, B)."""
    cubes = np.einsum("ij,ij,ij->j", weights, weights, weights)
    return np.asarray((sizes**3 - cubes) / 3)


def _untied_pairs(weights: NDArray[np.floating], sizes: Floats) -> Floats:
    """Ordered pairs of different value in a resample whose groups of ties hold `weights` (n_groups, B)."""
    squares = np.einsum("ij,ij->j", weights, weights, dtype=np.float64)
    return np.asarray(sizes**2 - squares)


def ratio(top: Floats, left: Floats, right: Floats) -> Floats:
    """top / sqrt(left * right), NaN where one side does not vary."""
    varies = (left > 0) & (right > 0)
    scale = np.sqrt(np.where(varies, left, 1.0)) * np.sqrt(np.where(varies, right, 1.0))
    return np.where(varies, np.clip(top / scale, -1.0, 1.0), np.nan)


@dataclass(frozen=True)
class _Leaf:
    """Architectures `start` to `stop` in score order, with the signs of all their pairs (n, n)."""

    start: int
    stop: int
    signs: NDArray[np.float32]


@dataclass(frozen=True)
class _Merge:
    """Pairs of one architecture from the lower scores and one from the higher.

    left: rows of the lower scores in the order of their truth; right: slice of the higher scores.
    below, upto: for each of the higher ones, how many of `left` have lower, and lower or equal, truth.
    """

    left: NDArray[np.intp]
    right: slice
    below: NDArray[np.intp]
    upto: NDArray[np.intp] | None


def _kendall_plan(by: Sorted, truth_group: NDArray[np.intp]) -> list[_Leaf | _Merge]:
    """What to add up for one score: it does not depend on the resample."""
    truth, groups = truth_group[by.order], by.group[by.order]
    bounds = np.append(by.starts, len(by.order))
    truth_ties = len(np.unique(truth)) < len(truth)
    steps: list[_Leaf | _Merge] = []
    pending = [(0, len(by.starts))]  # ranges of groups of equal score: a pair inside a group counts nothing
    while pending:
        first, last = pending.pop()
        start, stop = int(bounds[first]), int(bounds[last])
        if last - first < 2:
            continue
        if stop - start <= LEAF:
            signs = np.sign(groups[start:stop, None] - groups[None, start:stop]) * np.sign(
                truth[start:stop, None] - truth[None, start:stop]
            )
            steps.append(_Leaf(start, stop, signs.astype(np.float32)))
            continue
        middle = int(np.searchsorted(bounds[first : last + 1], (start + stop) / 2)) + first
        middle = min(max(middle, first + 1), last - 1)
        cut = int(bounds[middle])
        left = np.argsort(truth[start:cut], kind="stable") + start
        below = np.searchsorted(truth[left], truth[cut:stop], side="left")
        upto = np.searchsorted(truth[left], truth[cut:stop], side="right") if truth_ties else None
        steps.append(_Merge(left, slice(cut, stop), below, upto))
        pending += [(first, middle), (middle, last)]
    return steps


def _agreement(plan: list[_Leaf | _Merge], ascending: NDArray[np.float32]) -> Floats:
    """Concordant minus discordant pairs of each resample; `ascending` (n, B) in score order.

    Twice the sums of counts stay below 2^24 and are exact in float32; products are added up in float64.
    """
    total = np.zeros(ascending.shape[1])
    for step in plan:
        if isinstance(step, _Leaf):
            rows = ascending[step.start : step.stop]
            total += np.einsum("ij,ij->j", step.signs @ rows, rows, dtype=np.float64) / 2
            continue
        lower = np.zeros((len(step.left) + 1, ascending.shape[1]), dtype=np.float32)
        np.cumsum(ascending[step.left], axis=0, out=lower[1:])
        net = 2 * lower[step.below] if step.upto is None else lower[step.below] + lower[step.upto]
        net -= lower[-1]
        total += np.einsum("ij,ij->j", net, ascending[step.right], dtype=np.float64)
    return total
