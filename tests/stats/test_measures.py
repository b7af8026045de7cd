"""Rank statistics beyond the three plain ones: against scipy, scikit-learn and plain Python; resampled too."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.stats import (
    Resamples,
    best_rank_at_k,
    get_statistic,
    kendall_tau,
    ndcg,
    partial_kendall,
    partial_spearman,
    precision_at_k,
    regret_at_k,
    sparse_kendall_tau,
    spearman_rho,
    weighted_tau,
)
from nasanalysis.stats.topk import chance_of_top, expected_best

few = st.integers(0, 3).map(float)
many = st.integers(-(10**4), 10**4).map(lambda i: i / 8)
pairs = st.lists(st.tuples(few, few) | st.tuples(many, many), min_size=3, max_size=25)
triples = st.lists(st.tuples(few, few, few) | st.tuples(many, many, many), min_size=5, max_size=25)
small = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6)


def columns(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, dtype=float).T


def random_orders(rows: list[tuple[int, int]], k: int):
    """The k best for every way to break ties of the score."""
    for order in itertools.permutations(range(len(rows))):
        yield sorted(order, key=lambda i: -rows[i][0])[:k]


# ---- Kendall with rounding and weights


@given(pairs)
def test_sparse_tau_is_tau_of_rounded_truth(rows) -> None:
    x, y = columns(rows)
    assert sparse_kendall_tau(x, y) == pytest.approx(kendall_tau(x, [round(v, 1) for v in y]), nan_ok=True)
    assert sparse_kendall_tau(x, y, rounded="score") == pytest.approx(
        kendall_tau([round(v, 1) for v in x], y), nan_ok=True
    )


def test_sparse_tau_makes_ties_of_small_differences() -> None:
    truth, score = [90.01, 90.02, 91.0, 92.0], [2.0, 1.0, 3.0, 4.0]
    assert kendall_tau(score, truth) < sparse_kendall_tau(score, truth) == pytest.approx(5 / math.sqrt(6 * 5))
    assert sparse_kendall_tau(score, truth, rounded="score") == kendall_tau(score, truth)
    assert math.isnan(sparse_kendall_tau(score, [90.01, 90.02, 90.03, 90.04]))
    with pytest.raises(ValueError, match="rounded: expected 'truth' or 'score', got 'both'"):
        sparse_kendall_tau(score, truth, rounded="both")  # type: ignore[arg-type]


def slow_weighted_tau(x: np.ndarray, y: np.ndarray) -> float:
    """Vigna's definition pair by pair, ranks by (x, y) and by (y, x), weights 1 / (rank + 1) added."""

    def once(order: list[int]) -> float:
        rank = {i: r for r, i in enumerate(order)}
        top = left = right = 0.0
        for i, j in itertools.permutations(range(len(x)), 2):
            w = 1 / (rank[i] + 1) + 1 / (rank[j] + 1)
            sx, sy = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
            top, left, right = top + w * sx * sy, left + w * sx * sx, right + w * sy * sy
        return top / math.sqrt(left * right)

    n = range(len(x))
    return (once(sorted(n, key=lambda i: (-x[i], -y[i]))) + once(sorted(n, key=lambda i: (-y[i], -x[i])))) / 2


@given(pairs)
def test_weighted_tau(rows) -> None:
    x, y = columns(rows)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert math.isnan(weighted_tau(x, y))
        return
    assert weighted_tau(x, y) == pytest.approx(slow_weighted_tau(x, y), abs=1e-9)
    assert weighted_tau(x**3, y) == pytest.approx(weighted_tau(x, y), abs=1e-9)


# ---- partial correlation


def slow_partial(rank, x, y, covariates) -> float:
    """Regress the ranks on the ranks of the covariates; correlate what is left."""
    design = np.column_stack([np.ones(len(x)), *(rank(c) for c in covariates)])
    left = [rank(v) - design @ np.linalg.lstsq(design, rank(v), rcond=None)[0] for v in (x, y)]
    if min(v @ v for v in left) < 1e-8:
        return math.nan
    return float(left[0] @ left[1] / math.sqrt((left[0] @ left[0]) * (left[1] @ left[1])))


@given(triples)
def test_partial_spearman_is_the_correlation_of_residual_ranks(rows) -> None:
    x, y, z = columns(rows)
    assert partial_spearman(x, y, z) == pytest.approx(
        slow_partial(scipy_stats.rankdata, x, y, [z]), abs=1e-6, nan_ok=True
    )
    w = np.arange(len(x)) % 3.0
    assert partial_spearman(x, y, z, w) == pytest.approx(
        slow_partial(scipy_stats.rankdata, x, y, [z, w]), abs=1e-6, nan_ok=True
    )


@given(triples)
def test_partial_kendall_is_kendalls_formula(rows) -> None:
    x, y, z = columns(rows)
    xy, xz, yz = kendall_tau(x, y), kendall_tau(x, z), kendall_tau(y, z)
    found = partial_kendall(x, y, z)
    if len(set(z)) < 2:
        assert found == pytest.approx(xy, nan_ok=True)  # nothing is controlled
    elif math.isnan(xy) or min(1 - xz**2, 1 - yz**2) < 1e-8:
        assert math.isnan(found)
    else:
        assert found == pytest.approx((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)), abs=1e-9)


def test_partial_kendall_of_several_is_the_regression_of_pair_signs() -> None:
    rng = np.random.default_rng(0)
    x, y, z, w = rng.normal(size=(4, 30)) + rng.normal(size=30)
    i, j = np.triu_indices(30, 1)
    a, b, c, d = (np.sign(v[i] - v[j]) for v in (x, y, z, w))
    design = np.column_stack([c, d])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (a, b)]
    expected = left[0] @ left[1] / math.sqrt((left[0] @ left[0]) * (left[1] @ left[1]))
    assert partial_kendall(x, y, z, w) == pytest.approx(expected)


@pytest.mark.parametrize("partial", [partial_spearman, partial_kendall])
def test_partial_limits(partial) -> None:
    rng = np.random.default_rng(1)
    x, y, z = rng.normal(size=(3, 40))
    plain = {partial_spearman: spearman_rho, partial_kendall: kendall_tau}[partial]
    assert partial(x, y) == pytest.approx(plain(x, y))
    assert math.isnan(partial(x, y, x))  # nothing of the score is left
    assert math.isnan(partial(x, y, np.exp(y)))
    assert partial(x, y, z) == pytest.approx(partial(x, y, -z))  # the sign of a covariate does not matter
    assert partial(x, y, z, z) == pytest.approx(partial(x, y, z))  # twice the same changes nothing
    gap = z.copy()
    gap[3] = math.nan
    keep = np.arange(40) != 3
    assert partial(x, y, gap) == pytest.approx(partial(x[keep], y[keep], z[keep]))
    assert math.isnan(partial([1, 2], [1, 2], [2, 1]))
    with pytest.raises(ValueError, match=r"arrays \(n_archs,\) of one length, got shapes \(40,\), \(40,\), \(39,\)"):
        partial(x, y, z[1:])


# ---- the best few


@given(small, st.data())
def test_top_k_are_means_over_all_ways_to_break_ties(rows, data) -> None:
    k = data.draw(st.integers(1, len(rows)))
    x, y = columns(rows)
    picks = list(random_orders(rows, k))
    rank = [1 + sum(other > value for other in y) for value in y]
    best = [max(y[i] for i in pick) for pick in picks]
    assert best_rank_at_k(x, y, k) == pytest.approx(np.mean([min(rank[i] for i in pick) for pick in picks]))
    assert regret_at_k(x, y, k) == pytest.approx(y.max() - np.mean(best))
    chance = [np.mean([i in pick for pick in picks]) for i in range(len(rows))]
    assert chance_of_top(x, k) == pytest.approx(chance)
    swapped = [(b, a) for a, b in rows]
    true_chance = [np.mean([i in pick for pick in random_orders(swapped, k)]) for i in range(len(rows))]
    assert precision_at_k(x, y, k) == pytest.approx(np.dot(chance, true_chance) / k)


def test_top_k_by_hand() -> None:
    score, truth = [5, 4, 3, 2, 1], [90, 94, 80, 95, 70]
    assert best_rank_at_k(score, truth, 1) == 3
    assert best_rank_at_k(score, truth, 2) == 2
    assert regret_at_k(score, truth, 2) == 1
    assert precision_at_k(score, truth, 2) == 0.5
    assert precision_at_k(truth, truth, 3) == 1
    assert regret_at_k(truth, truth, 1) == 0
    assert expected_best(np.ones(10_000), np.arange(10_000.0), 1) == pytest.approx(9999 / 2)
    for function, name in ((best_rank_at_k, "best_rank"), (precision_at_k, "precision"), (regret_at_k, "regret")):
        with pytest.raises(StudyError, match=f"{name}@6: expected at least 6 architectures .* got 5"):
            function(score, truth, 6)
        with pytest.raises(ValueError, match=f"{name}: k: expected a positive integer, got 0"):
            function(score, truth, 0)


@given(pairs, st.integers(1, 25))
def test_ndcg_equals_scikit_learn(rows, k: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    x, y = columns(rows)
    k = min(k, len(x))
    if len(set(y)) < 2:
        assert math.isnan(ndcg(x, y))
        return
    gain = y - y.min()
    assert ndcg(x, y) == pytest.approx(sklearn.ndcg_score([gain], [x]), abs=1e-9)
    assert ndcg(x, y, k) == pytest.approx(sklearn.ndcg_score([gain], [x], k=k), abs=1e-9)
    assert ndcg(y, y, k) == pytest.approx(1)


def test_ndcg_refuses_more_than_there_are() -> None:
    with pytest.raises(StudyError, match="ndcg@4: expected k from 1 to 3"):
        ndcg([1, 2, 3], [1, 2, 3], 4)


def test_top_fraction_keeps_the_best_of_truth_and_its_ties() -> None:
    rng = np.random.default_rng(0)
    truth, score = rng.permutation(50).astype(float), rng.normal(size=50)
    best = truth >= 40
    assert get_statistic("kendall_tau@top20%")(score, truth) == kendall_tau(score[best], truth[best])
    assert get_statistic("spearman_rho@top100%")(score, truth) == spearman_rho(score, truth)
    tied = np.array([1.0, 2, 3, 3, 3])
    assert get_statistic("spearman_rho@top40%")([1, 2, 3, 4, 5], tied) != 0  # nan: three tied truths are kept
    assert math.isnan(get_statistic("spearman_rho@top40%")([1, 2, 3, 4, 5], tied))


# ---- all of them on resamples

RESAMPLED = [
    "sparse_kendall_tau", "sparse_kendall_tau@score", "weighted_tau", "ndcg", "ndcg@3", "best_rank@3", "precision@3",
    "regret@3", "topk_mean@3", "spearman_rho@top30%", "kendall_tau@top30%", "pearson_r@top50%",
]  # fmt: skip


@pytest.mark.parametrize("name", RESAMPLED)
@given(pairs, st.integers(0, 2**32 - 1))
def test_resamples_equal_the_explicit_resample(name: str, rows, seed: int) -> None:
    x, y = columns(rows)
    statistic = get_statistic(name)
    counts = np.random.default_rng(seed).integers(0, 3, size=(6, len(x)))
    found = statistic.on_resamples(Resamples(y, counts), x)
    for row, value in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(len(x)), row)
        target = y[drawn]
        try:
            if name.startswith("best_rank"):  # the rank among all architectures
                rank = scipy_stats.rankdata(-y, method="min")
                expected = -expected_best(x[drawn], -rank[drawn], 3)
            elif name.startswith("regret"):
                expected = y.max() - expected_best(x[drawn], target, 3)
            else:
                expected = statistic(x[drawn], target)
        except StudyError:
            expected = math.nan
        assert value == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", ["partial_spearman@z", "partial_kendall@z", "partial_spearman@z+w", "spearman_with@z"])
@given(triples, st.integers(0, 2**32 - 1))
def test_partials_on_resamples_equal_the_explicit_resample(name: str, rows, seed: int) -> None:
    x, y, z = columns(rows)
    statistic = get_statistic(name)
    others = [z, np.arange(len(x)) % 4.0][: len(statistic.covariates)]
    counts = np.random.default_rng(seed).integers(0, 3, size=(6, len(x)))
    resamples = Resamples(y, counts)
    for _ in range(2):  # what is kept must not change the answer
        found = statistic.on_resamples(resamples, x, *others)
        for row, value in zip(counts, found, strict=True):
            drawn = np.repeat(np.arange(len(x)), row)
            expected = statistic(x[drawn], y[drawn], *(o[drawn] for o in others))
            assert value == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_names_with_parameters() -> None:
    assert get_statistic("partial_spearman@params+flops").covariates == ("params", "flops")
    assert get_statistic("regret@7").smallest == 7
    assert not get_statistic("best_rank@1").higher_is_better
    for bad in ("partial_spearman", "partial_spearman@", "partial_spearman@a++b", "spearman_with@a+b", "regret@0",
                "kendall_tau@top0%", "kendall_tau@top101%", "kendall_tau@top10", "sparse_kendall_tau@truth",
                "weighted_tau@3", "ndcg@", None):  # fmt: skip
        with pytest.raises(UnknownNameError, match="unknown statistic"):
            get_statistic(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*RESAMPLED, "partial_spearman@z", "partial_kendall@z", "kendall_with@z"])
def test_only_ranks_and_pairs_matter(name: str) -> None:
    """A monotone map of the score, and the order of the rows, change nothing."""
    rng = np.random.default_rng(3)
    score, truth, z = rng.normal(size=(3, 40))
    truth = (truth + score).round(1)
    statistic = get_statistic(name)
    others = [z] if statistic.covariates else []
    value = statistic(score, truth, *others)
    order = rng.permutation(40)
    assert statistic(score[order], truth[order], *(o[order] for o in others)) == pytest.approx(value)
    if name not in ("pearson_r@top50%", "sparse_kendall_tau@score"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert statistic(np.exp(score), truth, *others) == pytest.approx(value)
