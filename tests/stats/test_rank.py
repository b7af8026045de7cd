"""Correlations and top-k means of one set of architectures: against scipy, plain Python and their laws."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.stats import STATISTICS, TopKMean, get_statistic, kendall_tau, pearson_r, spearman_rho, topk_mean

CORRELATIONS = {
    "spearman_rho": (spearman_rho, scipy_stats.spearmanr),
    "kendall_tau": (kendall_tau, scipy_stats.kendalltau),
    "pearson_r": (pearson_r, scipy_stats.pearsonr),
}
RANKS = [spearman_rho, kendall_tau]

few_values = st.integers(-4, 4).map(float)  # many ties
any_values = st.integers(-(10**6), 10**6).map(lambda i: i / 8)
pairs = st.lists(st.tuples(few_values, few_values) | st.tuples(any_values, any_values), min_size=2, max_size=30)


def columns(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(rows, dtype=float)
    return table[:, 0], table[:, 1]


def constant(values: np.ndarray) -> bool:
    return len(set(values.tolist())) < 2


def slow_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    agree = disagree = tied_x = tied_y = 0
    for i, j in itertools.combinations(range(len(x)), 2):
        product = (x[i] - x[j]) * (y[i] - y[j])
        agree += product > 0
        disagree += product < 0
        tied_x += x[i] == x[j]
        tied_y += y[i] == y[j]
    total = len(x) * (len(x) - 1) // 2
    scale = math.sqrt((total - tied_x) * (total - tied_y))
    return (agree - disagree) / scale if scale else math.nan


def slow_rho(x: np.ndarray, y: np.ndarray) -> float:
    def rank(values: np.ndarray) -> list[float]:
        return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]

    a, b = rank(x), rank(y)
    middle = (len(x) + 1) / 2
    top = sum((p - middle) * (q - middle) for p, q in zip(a, b, strict=True))
    scale = math.sqrt(sum((p - middle) ** 2 for p in a) * sum((q - middle) ** 2 for q in b))
    return top / scale if scale else math.nan


@pytest.mark.parametrize("name", CORRELATIONS)
@given(pairs)
def test_equals_scipy(name: str, rows: list[tuple[float, float]]) -> None:
    ours, theirs = CORRELATIONS[name]
    x, y = columns(rows)
    if constant(x) or constant(y):
        assert math.isnan(ours(x, y))
    else:
        assert ours(x, y) == pytest.approx(theirs(x, y).statistic, abs=1e-9)


@given(pairs)
def test_equals_plain_python(rows: list[tuple[float, float]]) -> None:
    x, y = columns(rows)
    assert kendall_tau(x, y) == pytest.approx(slow_tau_b(x, y), abs=1e-12, nan_ok=True)
    assert spearman_rho(x, y) == pytest.approx(slow_rho(x, y), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("statistic", RANKS)
@given(pairs)
def test_only_ranks_matter(statistic, rows: list[tuple[float, float]]) -> None:
    x, y = columns(rows)
    bent = np.sign(x) * x**2 * 3 + 7  # strictly increasing, exact on these numbers
    assert statistic(bent, y) == pytest.approx(statistic(x, y), abs=1e-12, nan_ok=True)
    assert statistic(x, np.arcsinh(y)) == pytest.approx(statistic(x, y), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", CORRELATIONS)
@given(pairs, st.randoms(use_true_random=False))
def test_laws(name: str, rows: list[tuple[float, float]], random) -> None:
    statistic = CORRELATIONS[name][0]
    x, y = columns(rows)
    value = statistic(x, y)
    assert math.isnan(value) == (constant(x) or constant(y))
    if math.isnan(value):
        return
    assert -1 <= value <= 1
    assert statistic(-x, y) == pytest.approx(-value, abs=1e-9)
    assert statistic(y, x) == pytest.approx(value, abs=1e-9)
    assert statistic(x, x) == pytest.approx(1)
    order = list(range(len(x)))
    random.shuffle(order)
    assert statistic(x[order], y[order]) == pytest.approx(value, abs=1e-9)


@given(pairs)
def test_twice_every_architecture_leaves_rho_and_r(rows: list[tuple[float, float]]) -> None:
    x, y = columns(rows)
    for statistic in (spearman_rho, pearson_r, kendall_tau):
        twice = statistic(np.tile(x, 2), np.tile(y, 2))
        assert twice == pytest.approx(statistic(x, y), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("statistic", [spearman_rho, kendall_tau, pearson_r])
def test_undefined_is_nan_never_zero(statistic) -> None:
    assert math.isnan(statistic([1, 1, 1], [1, 2, 3]))
    assert math.isnan(statistic([1, 2, 3], [0.1 + 0.2] * 3))
    assert math.isnan(statistic([], []))
    assert math.isnan(statistic([1], [2]))


@pytest.mark.parametrize("statistic", [spearman_rho, kendall_tau, pearson_r])
@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
def test_undefined_values_are_left_out(statistic, gap: float) -> None:
    assert statistic([1, gap, 2, 4, 3], [5, 6, 7, gap, 9]) == statistic([1, 2, 3], [5, 7, 9])


def test_pearson_survives_huge_and_tiny_scores() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 3.0]), np.array([10.0, 20.0, 25.0, 40.0])
    for scale in (1e-300, 1e300):
        assert pearson_r(x * scale, y) == pytest.approx(pearson_r(x, y), abs=1e-12)


@pytest.mark.parametrize("statistic", [spearman_rho, kendall_tau, pearson_r, TopKMean(1)])
@pytest.mark.parametrize(("score", "truth"), [([1, 2, 3], [1, 2]), ([[1, 2]], [[1, 2]])])
def test_shapes_are_named(statistic, score: list, truth: list) -> None:
    with pytest.raises(ValueError, match=r"expected two arrays \(n_archs,\) of one length, got shapes"):
        statistic(score, truth)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 100)), min_size=1, max_size=6), st.data())
def test_topk_is_the_mean_over_all_ways_to_break_ties(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(rows)))
    values = []
    for order in itertools.permutations(range(len(rows))):  # a random order, then a stable sort: a random tie-break
        best = sorted(order, key=lambda i: -rows[i][0])[:k]
        values.append(sum(rows[i][1] for i in best) / k)
    x, y = columns(rows)
    assert topk_mean(x, y, k) == pytest.approx(sum(values) / len(values))


def test_topk_higher_is_better_and_order_does_not_matter() -> None:
    assert topk_mean([3, 1, 2], [90, 10, 50], 1) == 90
    assert topk_mean([3, 1, 2], [90, 10, 50], 2) == 70
    assert topk_mean([1, 1, 1], [90, 10, 50], 1) == topk_mean([1, 1, 1], [10, 50, 90], 1) == 50


def test_topk_refuses_more_than_there_are() -> None:
    with pytest.raises(StudyError, match=r"topk_mean@4: expected at least 4 architectures .* got 2"):
        topk_mean([1, 2, math.nan, 3], [1, 2, 3, math.nan], 4)
    for k in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="expected a positive integer"):
            TopKMean(k)  # type: ignore[arg-type]


def test_names() -> None:
    x, y = [1.0, 2.0, 3.0, 5.0, 4.0] * 4, list(np.arange(20.0))
    units = {"topk_mean": "percent", "best_rank": "rank", "precision": "share", "regret": "points", "ndcg": "share"}
    for name in STATISTICS:
        statistic = get_statistic(name)
        assert statistic.name == name
        assert statistic.unit == units.get(name.partition("@")[0], "correlation")
        extreme = name.partition("@")[0] in ("topk_mean", "best_rank", "precision", "regret")
        assert statistic.interval == ("halves" if extreme else "bootstrap")
    assert get_statistic("kendall_tau")(x, y) == kendall_tau(x, y)
    assert get_statistic("topk_mean@7")(x, y) == topk_mean(x, y, 7)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("spearman", "spearman_rho"), ("kendal_tau", "kendall_tau"), ("topk_mean@0", "topk_mean@"),
     ("topk_mean", "topk_mean@"), ("topk_mean@-1", "topk_mean@1"), ("topk_mean@05", "topk_mean@5"),
     ("topk_mean@5\n", "topk_mean@5")],
)  # fmt: skip
def test_unknown_names_get_a_hint(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown statistic .*Did you mean") as error:
        get_statistic(name)
    assert f"Did you mean '{meant}" in str(error.value)
