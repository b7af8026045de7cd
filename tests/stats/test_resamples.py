"""Many resamples at once equal the statistic on each explicit resample; intervals are seeded."""

from __future__ import annotations

import math
import random
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from nasanalysis.stats import (
    Resamples,
    bootstrap,
    fast,
    get_statistic,
    kendall_tau_counts,
    pearson_r_counts,
    random_halves,
    resamples,
    spearman_rho_counts,
    topk_mean,
)
from nasanalysis.stats.bootstrap import BOOTSTRAP, HALVES, Interval, bootstrap_counts, half_counts, percentile_interval

needs_numba = pytest.mark.skipif(not fast.is_available(), reason="needs numba (extra fast)")

FAST = {
    "spearman_rho": (spearman_rho_counts, scipy_stats.spearmanr),
    "kendall_tau": (kendall_tau_counts, scipy_stats.kendalltau),
    "pearson_r": (pearson_r_counts, scipy_stats.pearsonr),
}


def explicit(name: str, x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """scipy on every resample, written out draw by draw."""
    values = []
    for row in counts:
        drawn = np.repeat(np.arange(len(x)), row)
        if len(set(x[drawn])) < 2 or len(set(y[drawn])) < 2:
            values.append(math.nan)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values.append(FAST[name][1](x[drawn], y[drawn]).statistic)
    return np.array(values)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, seed = draw(st.integers(1, 70)), draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, draw(st.sampled_from([1, 2, 5, 10**6])), size=n).astype(float) for _ in range(2))
    counts = rng.integers(0, draw(st.sampled_from([2, 4, 50])), size=(7, n))
    return x, y, counts


@pytest.mark.parametrize("name", FAST)
@given(cases())
def test_equals_scipy_on_the_explicit_resample(name: str, case) -> None:
    np.testing.assert_allclose(FAST[name][0](*case), explicit(name, *case), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("decimals", [8, 1])
def test_equals_scipy_in_several_blocks(name: str, decimals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resamples, "BLOCK", 1000 * 20)
    rng = np.random.default_rng(1)
    x = rng.normal(size=1000).round(decimals)
    y = (x + rng.normal(size=1000)).round(decimals)
    counts = bootstrap_counts(1000, 50, rng)
    np.testing.assert_allclose(FAST[name][0](x, y, counts), explicit(name, x, y, counts), rtol=0, atol=1e-12)


@given(cases(), st.integers(1, 12))
def test_topk_equals_the_explicit_resample(case, k: int) -> None:
    x, y, counts = case
    found = Resamples(y, counts).topk_mean(x, k)
    for row, value in zip(counts, found, strict=True):
        drawn = np.repeat(np.arange(len(x)), row)
        expected = topk_mean(x[drawn], y[drawn], k) if k <= len(drawn) else math.nan
        assert value == pytest.approx(expected, nan_ok=True)


def test_pearson_of_a_resample_without_the_outlier() -> None:
    """An outlier that is not drawn must not cost the others their precision."""
    x, y = np.array([1e9, 1.0, 2.0, 4.0, 3.0]), np.array([50.0, 10.0, 20.0, 25.0, 40.0])
    counts = np.array([[0, 1, 1, 2, 1], [0, 0, 5, 0, 0], [1, 1, 1, 1, 1]])
    np.testing.assert_allclose(pearson_r_counts(x, y, counts), explicit("pearson_r", x, y, counts), atol=1e-6)


def test_scores_share_what_belongs_to_the_truth() -> None:
    rng = np.random.default_rng(2)
    y, scores = rng.normal(size=40), rng.normal(size=(3, 40))
    counts = bootstrap_counts(40, 20, rng)
    shared = Resamples(y, counts)
    for x in scores:
        np.testing.assert_array_equal(shared.spearman_rho(x), Resamples(y, counts).spearman_rho(x))
        np.testing.assert_array_equal(shared.kendall_tau(x), Resamples(y, counts).kendall_tau(x))


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_numba)])
def test_memory_stays_below_one_gigabyte_for_all_of_nas_bench_201(compiled: bool) -> None:
    Resamples([1.0, 2.0], [[1, 1]], compiled=compiled)  # the import is not what is measured
    rng = np.random.default_rng(3)
    y = rng.normal(size=15_625)
    tracemalloc.start()
    try:
        shared = Resamples(y, np.ones((1000, 15_625), dtype=np.int8), compiled=compiled)
        tau, rho = shared.kendall_tau(y), shared.spearman_rho(-y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tau == 1).all()
    assert (rho == -1).all()
    assert peak < 600e6


def test_bad_counts_and_scores() -> None:
    with pytest.raises(ValueError, match=r"counts: expected \(n_resamples, 3\)"):
        Resamples([1, 2, 3], np.ones((4, 2)))
    for bad in ([[1, -1, 0]], [[0.5, 1, 1]]):
        with pytest.raises(ValueError, match="whole numbers >= 0"):
            Resamples([1, 2, 3], bad)
    with pytest.raises(ValueError, match="truth: expected finite"):
        Resamples([1, 2, math.nan], [[1, 1, 1]])
    good = Resamples([1, 2, 3], [[1, 1, 1]])
    with pytest.raises(ValueError, match="score: expected finite"):
        good.spearman_rho([1, 2, math.inf])
    with pytest.raises(ValueError, match="score: expected 3 values"):
        good.kendall_tau([1, 2])
    with pytest.raises(ValueError, match="beyond which sums are not exact"):
        Resamples([1, 2], [[2**23, 1]])


def test_draws() -> None:
    counts = bootstrap_counts(11, 200, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 11).all()
    assert counts.max() > 1
    halves = half_counts(11, 200, np.random.default_rng(0))
    assert (halves.sum(axis=1) == 5).all()
    assert set(np.unique(halves)) == {0, 1}
    assert halves.mean(axis=0) == pytest.approx(np.full(11, 5 / 11), abs=0.15)
    with pytest.raises(ValueError, match="at least 1 architecture and 1 resample"):
        bootstrap_counts(0, 10, np.random.default_rng(0))


def test_interval_equals_a_plain_bootstrap() -> None:
    data = np.random.default_rng(4)
    x = data.normal(size=60)
    y = x + data.normal(size=60)
    rho = get_statistic("spearman_rho")
    made = bootstrap(rho.on_resamples, x, y, rng=np.random.default_rng(9), n_boot=200, level=0.9)
    rng, values = np.random.default_rng(9), []
    for _ in range(200):
        drawn = rng.integers(0, 60, size=60)
        values.append(scipy_stats.spearmanr(x[drawn], y[drawn]).statistic)
    assert (made.low, made.high) == pytest.approx(tuple(np.quantile(values, [0.05, 0.95])), abs=1e-12)
    assert made.method == BOOTSTRAP == str(made) == "percentile bootstrap over architectures"
    assert made.low < rho(x, y) < made.high


def test_interval_covers_about_as_often_as_it_says() -> None:
    """Pearson 0.6 between normals, 80 architectures: a 90 % interval should hold it in about 90 % of studies."""
    rng = np.random.default_rng(5)
    held, studies = 0, 300
    for _ in range(studies):
        x = rng.normal(size=80)
        y = 0.6 * x + 0.8 * rng.normal(size=80)
        made = bootstrap(Resamples.pearson_r, x, y, rng=rng, n_boot=200, level=0.9)
        held += made.low <= 0.6 <= made.high
    assert 0.83 <= held / studies <= 0.95


def test_halves_are_labelled() -> None:
    y = np.arange(20.0)
    top = get_statistic("topk_mean@1")
    made = random_halves(top.on_resamples, y, y, rng=np.random.default_rng(0), n_boot=300)
    assert made.method == HALVES == "random halves of the architectures"
    assert 10 <= made.low < made.high == 19


def test_undefined_resamples_are_dropped_and_counted() -> None:
    made = percentile_interval([0.0, math.nan, 1.0, math.nan], BOOTSTRAP, level=0.5)
    assert made == Interval(0.25, 0.75, BOOTSTRAP, 4, 2)
    assert str(made) == f"{BOOTSTRAP} (2 of 4 resamples undefined, left out)"
    none = percentile_interval([math.nan], HALVES)
    assert math.isnan(none.low)
    assert none.n_undefined == 1
    with pytest.raises(ValueError, match="share between 0 and 1"):
        percentile_interval([1.0], BOOTSTRAP, level=95)


def test_only_the_generator_passed_in_is_used() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    made = []
    for global_seed in (1, 2):
        np.random.seed(global_seed)  # noqa: NPY002
        random.seed(global_seed)
        before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
        made.append(bootstrap(Resamples.kendall_tau, x, y, rng=np.random.default_rng(7)))
        made.append(random_halves(Resamples.kendall_tau, x, y, rng=np.random.default_rng(7)))
        assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
        assert random.getstate() == before[1]
    assert made[:2] == made[2:]
    assert made[0] != bootstrap(Resamples.kendall_tau, x, y, rng=np.random.default_rng(8))
