"""Means over seeds keep ties: the oracle is Python's own exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.means import common_denominator, exact_means, exact_row_means


def exact(values: list[float]) -> float:
    """The mean rounded once, the slow way."""
    return float(sum(map(Fraction, values)) / len(values))


def means(groups: list[list[float | None]]) -> list[float | None]:
    rows = [(i, v) for i, values in enumerate(groups) for v in values]
    table = pl.DataFrame(rows, schema={"key": pl.Int64(), "value": pl.Float64()}, orient="row")
    return exact_means(table, ["key"], "value")["value"].to_list()


def test_a_mean_of_equal_values_is_that_value() -> None:
    assert (0.1 + 0.1 + 0.1) / 3 != 0.1  # what a plain mean says
    assert means([[0.1, 0.1, 0.1], [0.1], [0.2]]) == [0.1, 0.1, 0.2]
    assert means([[math.pi] * 7, [math.e]]) == [math.pi, math.e]


def test_equal_sums_of_recorded_digits_are_one_mean() -> None:
    assert len(set(means([[93.63, 93.65, 93.64], [93.64, 93.64, 93.64], [93.6, 93.68, 93.64]]))) == 1


def test_equal_counts_of_images_are_one_mean() -> None:
    """Percent of 3,000 images has no end in decimals, and still ties."""
    splits = [(700 - i, 700, 703 + i) for i in range(20)]
    percent = [[100 * k / 3000 for k in ks] for ks in splits]
    assert len({(a + b + c) / 3 for a, b, c in percent}) > 1  # what a plain mean says
    assert set(means(percent)) == {100 * 2103 / 9000}


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), min_size=1, max_size=5))
def test_any_numbers_agree_with_fractions(groups: list[list[float]]) -> None:
    assert means(groups) == pytest.approx([exact(g) for g in groups], rel=1e-15, abs=1e-300)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=4))
def test_the_order_of_the_seeds_does_not_matter(values: list[float]) -> None:
    orders = [list(p) for p in permutations(values)]
    assert len(set(means(orders))) == 1
    assert set(exact_row_means(np.array(orders)).tolist()) == set(means(orders))


def test_undefined_values_are_left_out_and_an_empty_group_is_null() -> None:
    assert means([[None, 0.1, 0.1, 0.1], [None], [2.0]]) == [0.1, None, 2.0]
    assert means([[None, math.pi, math.pi], [None], [2.0]]) == [math.pi, None, 2.0]
    assert means([[None], [2.0]]) == [None, 2.0]
    assert means([]) == []


def test_huge_numbers_do_not_overflow() -> None:
    assert means([[1e308, 1e307], [3.0]]) == [pytest.approx(5.5e307), 3.0]
    assert means([[2.0**53, 1.0, 1.0], [0.0]]) == [exact([2.0**53, 1.0, 1.0]), 0.0]


def test_the_denominator_of_what_was_recorded() -> None:
    assert common_denominator(np.array([1.0, 2.0])) == 1
    assert common_denominator(np.array([93.63, 10.5])) == 100
    assert common_denominator(100 * np.arange(3000) / 3000) == 30
    assert common_denominator(np.array([73.43333335, 76.35000001])) == 10**8
    assert common_denominator(np.random.default_rng(0).normal(size=3)) is None
    single = (100 * np.arange(297) / 297).astype(np.float32)
    assert common_denominator(single.astype(np.float64), np.float32) == 297
