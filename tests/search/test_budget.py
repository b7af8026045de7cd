"""The budget simulator: the exact expectation against enumeration, simulation and the real tables."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import SearchError
from nasanalysis.search import (
    TableFitness,
    budget_curve,
    chance_of_pick,
    expected_pick,
    filtered_budget_curve,
)


def enumerated(score: list[float], truth: list[float], drawn: int) -> tuple[float, float]:
    """Mean and standard deviation of the pick over every draw and every way to break its ties, one by one."""
    first, second, count = 0.0, 0.0, 0
    for draw in itertools.combinations(range(len(score)), drawn):
        values = [-math.inf if math.isnan(score[i]) else score[i] for i in draw]
        winners = [truth[i] for i, v in zip(draw, values, strict=True) if v == max(values)]
        first += sum(winners) / len(winners)
        second += sum(w * w for w in winners) / len(winners)
        count += 1
    mean = first / count
    return mean, math.sqrt(max(0.0, second / count - mean * mean))


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan]), st.floats(10, 95, width=16)), min_size=1, max_size=9
    ),
    st.data(),
)
def test_the_exact_expectation_is_that_of_all_draws(table: list[tuple[float, float]], data: st.DataObject) -> None:
    score, truth = [a for a, _ in table], [b for _, b in table]
    drawn = data.draw(st.integers(1, len(table)))
    mean, sd = expected_pick(score, truth, drawn)
    true_mean, true_sd = enumerated(score, truth, drawn)
    assert mean == pytest.approx(true_mean, rel=1e-9)
    assert sd == pytest.approx(true_sd, abs=1e-4)


@pytest.mark.parametrize(("total", "drawn"), [(1, 1), (15_625, 1), (15_625, 300), (15_625, 15_625), (423_624, 1000)])
def test_chances_are_a_distribution_and_exact(total: int, drawn: int) -> None:
    chance = chance_of_pick(total, drawn)
    assert chance.sum() == pytest.approx(1, abs=1e-9)
    assert chance[0] == pytest.approx(drawn / total, rel=1e-8)
    if 1 < drawn < total:  # the exact ratio of neighbours: C(N-2-i, n-1) / C(N-1-i, n-1)
        i = np.arange(50)
        np.testing.assert_allclose(chance[1:51] / chance[:50], (total - drawn - i) / (total - 1 - i), rtol=1e-7)


def table(n: int, seed: int = 0) -> tuple[TableFitness, dict[str, float]]:
    rng = np.random.default_rng(seed)
    truth = dict(zip([f"nb201:{i}" for i in range(n)], rng.uniform(50, 95, n).tolist(), strict=True))
    noisy = {a: round(y / 10 + rng.normal(), 1) for a, y in truth.items()}
    return TableFitness("noisy", "nb201", noisy, {a: 1.0 + i % 3 for i, a in enumerate(truth)}), truth


def test_exact_agrees_with_monte_carlo() -> None:
    fitness, truth = table(60)
    exact = budget_curve(fitness, truth, n_scored=[1, 5, 20, 60], fixed_seconds=100.0)
    free = TableFitness("none", "nb201", dict.fromkeys(truth, 0.0))
    drawn = filtered_budget_curve(  # a filter that keeps all is no filter
        free, fitness, truth, np.random.default_rng(0), keep=1.0, n_scored=[1, 5, 20, 60], draws=4000, fixed_seconds=100
    )
    for a, b in zip(exact.to_dicts(), drawn.to_dicts(), strict=True):
        assert abs(a["expected_accuracy"] - b["expected_accuracy"]) < 4.5 * b["standard_error"] + 1e-9
        assert a["accuracy_sd"] == pytest.approx(b["accuracy_sd"], rel=0.12, abs=1e-9)
        assert a["seconds"] == pytest.approx(b["seconds"], rel=0.01)
    assert exact["seconds"].to_list() == [100 + 2.0 * n for n in (1, 5, 20, 60)]
    assert exact["standard_error"].to_list() == [0.0] * 4


def test_a_filter_against_a_plain_simulation() -> None:
    fitness, truth = table(40)
    filter_, _ = table(40, seed=5)
    filter_ = TableFitness("filter", "nb201", filter_.values, 0.5)
    found = filtered_budget_curve(
        filter_, fitness, truth, np.random.default_rng(1), keep=0.3, n_scored=[20], draws=3000
    )
    rng, picks, costs = np.random.default_rng(2), [], []
    for _ in range(3000):
        drawn = rng.permutation(list(truth))[:20].tolist()
        kept = sorted(drawn, key=lambda a: -filter_.values[a])[:6]
        rng.shuffle(kept)
        picks.append(truth[max(kept, key=lambda a: fitness.values[a])])
        costs.append(20 * 0.5 + float(fitness(kept).seconds.sum()))
    row = found.row(0, named=True)
    assert (row["n_scored"], row["n_ranked"], row["n_archs"]) == (20, 6, 40)
    assert abs(row["expected_accuracy"] - np.mean(picks)) < 4.5 * 2**0.5 * row["standard_error"]
    assert row["seconds"] == pytest.approx(np.mean(costs), rel=0.01)
    assert row["best_possible"] == max(truth.values())


def test_the_seed_is_honoured() -> None:
    fitness, truth = table(30)
    one, two = (
        filtered_budget_curve(fitness, fitness, truth, np.random.default_rng(3), n_scored=[10], draws=20)
        for _ in range(2)
    )
    assert one.equals(two)


def test_malformed_input() -> None:
    fitness, truth = table(5)
    with pytest.raises(SearchError, match="expected to draw 1 to 5 architectures, got 6"):
        expected_pick([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 6)
    with pytest.raises(SearchError, match=r"expected \(N,\) scores and accuracies, got \(2,\) and \(1,\)"):
        expected_pick([1, 2], [1], 1)
    with pytest.raises(SearchError, match="expected a true accuracy of every architecture"):
        expected_pick([1, 2], [1, math.nan], 1)
    with pytest.raises(SearchError, match=r"n_scored: expected 1 to 5 architectures, got \[9\]"):
        budget_curve(fitness, truth, n_scored=[1, 9])
    with pytest.raises(SearchError, match="have a score and a true accuracy, got none"):
        budget_curve(fitness, {"nb201:x": 1.0})
    with pytest.raises(SearchError, match=r"expected keep in \(0, 1\] and at least 2 draws, got 0 and 1000"):
        filtered_budget_curve(fitness, fitness, truth, np.random.default_rng(0), keep=0)


def test_nb201_one_draw_is_the_mean_and_all_are_the_argmax(data_dir: Path) -> None:
    import nasanalysis as na

    bench = na.load_benchmark("nb201", data_dir)
    truth = TableFitness.from_truth(bench.truth("cifar10", split="test", schedule=200))
    params = TableFitness.from_scores(na.score(bench, "params", dataset="cifar10"))
    curve = budget_curve(params, truth, n_scored=[1, 100, 15_625])
    y = np.array(list(truth.values.values()))
    largest = "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    accuracy = curve["expected_accuracy"].to_list()
    assert accuracy[0] == pytest.approx(y.mean(), abs=1e-9)
    assert accuracy[2] == pytest.approx(truth.values[largest], abs=1e-9)  # one architecture has the most parameters
    assert accuracy[0] < accuracy[1] < accuracy[2] < curve["best_possible"][0] == y.max()
    assert curve["seconds"].to_list() == [0.0, 0.0, 0.0]
