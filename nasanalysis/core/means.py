"""Means over seeds that keep ties: equal sums of what was recorded give equal means, to the last bit.

A plain mean of floats does not: ``(.1 + .1 + .1) / 3`` is above ``.1``, and rank statistics see that. Values that are
fractions of few digits (accuracies: so many of so many images, or two decimals) are added as whole numbers and
divided once. Others are added in twice the precision, so that the order of the seeds does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LARGEST = 10**6  # denominator: beyond, any number would soon look like a fraction
_LARGEST_OF_SINGLES = 10**4  # the same for numbers recorded in 32 bits
_DECIMALS = (10**7, 10**8, 10**9)  # recorded digits that are no fractions, such as 73.43333335
_EXACT = 2.0**53  # whole numbers up to here are exact in float64
_SPLITTER = 2.0**27 + 1  # cuts a float64 into halves whose products with a count are exact (Dekker 1971)


def exact_means(table: pl.DataFrame, keys: Sequence[str], value: str) -> pl.DataFrame:
    """One row for each of `keys`, in the order they come: the mean of the defined `value`, null where none is.

    The mean is rounded once from the exact one; of a single value it is that value.
    """
    lists = table.group_by(keys, maintain_order=True).agg(pl.col(value).cast(pl.Float64).drop_nulls())
    counts = lists[value].list.len().to_numpy().astype(np.int64)
    means = _means_of_runs(lists[value].explode(empty_as_null=False).to_numpy(), counts)
    return lists.with_columns(pl.Series(value, means).fill_nan(None))


def exact_row_means(values: Floats) -> Floats:
    """Means of the rows of a table without gaps, each rounded once from the exact one: (n, k) -> (n,)."""
    return _means_of_runs(values.ravel(), np.full(len(values), values.shape[1]))


def common_denominator(values: Floats, dtype: type[np.floating[Any]] = np.float64) -> int | None:
    """The whole number d for which every value is k / d with a whole k; None if there is no small one.

    values: (n,), finite. dtype: the precision in which they were recorded: k / d counts as equal to a value if the
    nearest number of that precision does.
    """
    limit = _LARGEST if dtype is np.float64 else _LARGEST_OF_SINGLES
    denominator = 1
    while (misfits := _misfits(values, denominator, dtype)).any():
        simplest = _simplest(float(values[np.argmax(misfits)]), limit, dtype)
        denominator = math.lcm(denominator, simplest or limit + 1)
        if denominator > limit:
            return _decimals(values) if dtype is np.float64 else None
    return denominator


def _simplest(value: float, limit: int, dtype: type[np.floating[Any]]) -> int | None:
    """Denominator of the simplest fraction that is recorded as `value`; the nearest of all may be another."""
    limits = [10**i for i in range(1, 7) if 10**i <= limit]
    fractions = (Fraction(value).limit_denominator(most) for most in limits)
    return next((f.denominator for f in fractions if dtype(float(f)) == dtype(value)), None)


def _decimals(values: Floats) -> int | None:
    return next((d for d in _DECIMALS if not _misfits(values, d, np.float64).any()), None)


def _misfits(values: Floats, denominator: int, dtype: type[np.floating[Any]]) -> NDArray[np.bool_]:
    with np.errstate(over="ignore"):  # a value beyond 1e308 / d is no fraction of d
        nearest = np.rint(values * denominator) / denominator
        return np.asarray(nearest.astype(dtype, copy=False) != values.astype(dtype, copy=False))


def _means_of_runs(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Means of the first ``counts[0]`` values, of the next ``counts[1]`` ...: (len(counts),), NaN where 0."""
    filled = counts > 0
    result = np.full(len(counts), np.nan)
    if len(values):
        starts = (np.cumsum(counts) - counts)[filled]
        result[filled] = _of_filled(values, starts, counts[filled])
    return result


def _of_filled(values: Floats, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    if counts.max() == 1:
        return values
    denominator = common_denominator(values)
    if denominator is not None and np.abs(values).max() < _EXACT / (denominator * counts.max()):
        return np.asarray(np.add.reduceat(np.rint(values * denominator), starts) / (counts * float(denominator)))
    high, low = np.zeros(len(counts)), np.zeros(len(counts))
    for nth in range(int(counts.max())):
        at = np.flatnonzero(counts > nth)
        high[at], low[at] = _plus(high[at], low[at], values[starts[at] + nth])
    return _over(high, low, counts.astype(np.float64))


def _plus(high: Floats, low: Floats, term: Floats) -> tuple[Floats, Floats]:
    """``(high + low) + term`` as a pair of float64 (Knuth's exact sum, then renormalised)."""
    total = high + term
    back = total - high
    low = low + ((high - (total - back)) + (term - back))
    rounded = total + low
    return rounded, low - (rounded - total)


def _over(high: Floats, low: Floats, count: Floats) -> Floats:
    """``(high + low) / count``, rounded once; plain division where a half of the split would overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        quotient = high / count
        top = _SPLITTER * quotient - (_SPLITTER * quotient - quotient)
        remainder = (high - top * count) - (quotient - top) * count
        exact = quotient + (remainder + low) / count
    return np.where(np.isfinite(exact), exact, quotient)
