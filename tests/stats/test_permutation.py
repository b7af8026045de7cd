"""Exchanges of two scores: the numbers of a plain loop, and the law of large samples beside them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau
from small_frames import scores_frame, truth_frame

from nasanalysis.stats import compare_proxies, get_statistic, large_sample_test, permutation_test
from nasanalysis.stats.influence import concordance, standard_error
from nasanalysis.stats.permutation import LARGE
from nasanalysis.stats.rank import average_ranks

TAU = get_statistic("kendall_tau")


def drawn(n: int, seed: int, levels: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A truth and two scores that follow it differently well, in few levels or many."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    columns = truth + rng.normal(size=n), truth + 1.3 * rng.normal(size=n), truth
    return columns if levels is None else tuple(np.round(v * levels / 4) for v in columns)  # type: ignore[return-value]


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("labelled", [False, True])
def test_exchanges_are_those_of_a_plain_loop(levels: int | None, labelled: bool) -> None:
    a, b, y = drawn(40, 1, levels)
    labels = np.arange(40) // 2 if labelled else None
    p = permutation_test(TAU, a, b, y, rng=np.random.default_rng(4), n_permutations=300, labels=labels)
    first, second = average_ranks(a), average_ranks(b)
    observed = abs(kendalltau(first, y).statistic - kendalltau(second, y).statistic)
    rng = np.random.default_rng(4)
    swaps = rng.integers(0, 2, size=(300, 20))[:, labels] if labelled else rng.integers(0, 2, size=(300, 40))
    as_large = 0
    for swap in swaps.astype(bool):
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        as_large += abs(kendalltau(one, y).statistic - kendalltau(other, y).statistic) >= observed - 1e-12
    assert p == (1 + as_large) / 301


@pytest.mark.parametrize("levels", [None, 2, 30])
def test_concordance_of_many_is_that_of_all_pairs(levels: int | None) -> None:
    a, _, y = drawn(1300, 2, levels)
    plain = (np.sign(a[:, None] - a) * np.sign(y[:, None] - y)).sum(axis=1) / 1299
    assert concordance(a, y) == pytest.approx(plain, abs=1e-12)
    assert concordance(a[:60], y[:60]).mean() == pytest.approx(
        (np.sign(a[:60, None] - a[:60]) * np.sign(y[:60, None] - y[:60])).sum() / (60 * 59)
    )


@pytest.mark.slow
def test_the_law_of_large_samples_agrees_with_exchanges() -> None:
    for seed in range(1):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=LARGE)
        a, b = y + rng.normal(size=LARGE), y + 1.06 * rng.normal(size=LARGE)
        p = permutation_test(TAU, a, b, y, rng=rng, n_permutations=400, studentised=True)
        assert large_sample_test(TAU, a, b, y) == pytest.approx(p, abs=4 * np.sqrt(0.25 / 400))


def test_its_level_and_its_edges() -> None:
    small = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=300)
        labels = np.repeat(np.arange(100), 3)
        shared = rng.normal(size=(2, 100))[:, labels]  # members of a class go together
        y = y + 2 * rng.normal(size=100)[labels]
        p = large_sample_test(TAU, y + 2 * shared[0], y + 2 * shared[1], y, labels=labels)
        small += p <= 0.05
    assert small <= 20  # expected 10, and three standard errors
    a, _, y = drawn(50, 0)
    assert large_sample_test(TAU, a, a, y) == 1.0
    assert np.isnan(large_sample_test(TAU, np.ones(50), a, y))
    assert standard_error("kendall_tau", a, a, y) == 0


def test_many_architectures_need_no_exchanges_unless_asked() -> None:
    rng = np.random.default_rng(0)
    names = [f"x:{i}" for i in range(LARGE)]
    truth = dict(zip(names, (50 + rng.normal(size=LARGE)).tolist(), strict=True))
    scores = {
        name: {a: v + scale * rng.normal() for a, v in truth.items()} for name, scale in (("one", 1.0), ("two", 1.5))
    }
    frames = truth_frame(truth), scores_frame(scores)
    row = compare_proxies(*frames, statistic="kendall_tau", n_boot=20).row(0, named=True)
    assert row["permutations"] == 0
    assert row["p"] < 1e-6
    few = [frame.filter(pl.col("arch") != names[0]) for frame in frames]
    assert compare_proxies(*few, statistic="kendall_tau", n_boot=20)["permutations"].to_list() == [1000]
    asked = compare_proxies(*frames, statistic="kendall_tau", n_boot=20, n_permutations=99)
    assert asked["permutations"].to_list() == [99]
    assert compare_proxies(*frames, n_boot=20)["permutations"].to_list() == [1000]  # Spearman's are quick
