"""One way in for truth and scores: mean or seeds for each architecture, exact means, infinite is missing."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from nasanalysis.core.errors import StudyError
from nasanalysis.core.means import exact_means
from nasanalysis.loaders import load_benchmark
from nasanalysis.stats import (
    MixedSeedsWarning,
    Resampling,
    aggregate,
    combine,
    compare_proxies,
    correlate,
    correlate_seeds,
    crossover,
    difference_by_step,
    first_step_reaching,
    isomorph_spread,
    mean_scores,
    mean_truth,
    neighbour_concordance,
    proxy_matrix,
    reliability_table,
    repeated_samples,
    seeds_against_baseline,
)
from nasanalysis.stats.combine import Term, held_out_weight

DATA = Path(__file__).parents[3] / "shared" / "data"
N = 12
ARCHS = [f"nb201:|nor_conv_{k}~0|+|none~0|none~1|+|{op}~0|none~1|none~2|" for k in ("1x1", "3x3") for op in (
    "none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")]  # fmt: skip
ARCHS += [a.replace("|none~1|none~2|", "|none~1|skip_connect~2|") for a in ARCHS[:2]]
RISING = [float(10 * i) for i in range(1, 10)] + [92.0, 94.0, 96.0]


def truth_rows(values: Sequence[float], seed: int | None = 0, archs: list[str] = ARCHS, **more: Any) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "split": "test", "schedule": 200, "origin": "trained", **more}
    return pl.DataFrame({"arch": archs[: len(values)], "accuracy": values}).with_columns(
        *(pl.lit(v).alias(k) for k, v in row.items()), pl.lit(seed, pl.Int64).alias("seed")
    )


def score_rows(
    values: Sequence[float | None], proxy: str = "p", seed: int | None = 0, step: int | None = 1
) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "method": "m", "setting": "", "proxy": proxy}
    table = pl.DataFrame({"arch": ARCHS[: len(values)], "value": values}, schema_overrides={"value": pl.Float64()})
    unit = None if step is None else "epoch"
    return table.with_columns(
        *(pl.lit(v).alias(k) for k, v in row.items()),
        pl.lit(seed, pl.Int64).alias("seed"),
        pl.lit(unit, pl.String).alias("unit"),
        pl.lit(step, pl.Int64).alias("step"),
    )


def shuffled(seed: int) -> list[float]:
    return list(map(float, np.random.default_rng(seed).permutation(N)))


#: Every function that takes truth and scores; each answers numbers of proxies p (and q).
TWO = [
    lambda t, s: correlate(t, s, n_boot=20)["estimate"].to_list(),
    lambda t, s: compare_proxies(t, s, n_boot=20, n_permutations=19).select("first", "second", "p").rows(),
    lambda t, s: difference_by_step(t, s, "p", "q", n_boot=20).select("first", "second", "ci_low").rows(),
    lambda t, s: first_step_reaching(t, s, 0.2, n_boot=20).drop("benchmark").rows(),
    lambda t, s: crossover(t, s, "p", "q", n_boot=20).drop("benchmark").rows(),
    lambda t, s: neighbour_concordance(t, s, n_boot=20)["concordance"].to_list(),
    lambda t, s: repeated_samples(t, s, n_archs=8, n_samples=2)["estimate"].to_list(),
    lambda t, s: held_out_weight(t, s, Term("p"), Term("q"), n_splits=2).rows(),
    lambda t, s: correlate_seeds(t, s.with_columns(seed=0), over="archs", n_boot=20)["estimate"].to_list(),
    lambda t, s: seeds_against_baseline(
        t, s.filter(proxy="p").with_columns(seed=0), s.filter(proxy="q"), over="archs", n_boot=20
    )["difference"].to_list(),
]  # fmt: skip
SCORES = [
    lambda s: proxy_matrix(s)["estimate"].to_list(),
    lambda s: isomorph_spread(s).rows(),
    lambda s: combine(s, [Term("p"), Term("q")], "sum")["value"].to_list(),
]


@pytest.mark.parametrize("ask", TWO)
def test_means_are_the_truth_and_not_mixed_with_seeds_that_differ(ask: Callable[..., Any]) -> None:
    """`difference_by_step` used to average null-seed means with seed rows: rho 0.095 where the others said 1."""
    means = truth_rows(RISING, seed=None)
    both = pl.concat([means, truth_rows(RISING[::-1], seed=1), truth_rows(RISING[::-1], seed=2)])
    scores = pl.concat([score_rows(RISING), score_rows(shuffled(0), "q")])
    assert ask(both, scores) == ask(means, scores)


def test_difference_by_step_agrees_with_correlate() -> None:
    both = pl.concat([truth_rows(RISING, seed=None), truth_rows(RISING[::-1], seed=1), truth_rows(shuffled(1), seed=2)])
    row = difference_by_step(both, pl.concat([score_rows(RISING), score_rows(shuffled(0), "q")]), "p", "q", n_boot=0)
    assert row["first"][0] == 1.0


@pytest.mark.parametrize("ask", TWO[:8])
def test_means_of_a_score_are_not_mixed_with_its_seeds(ask: Callable[..., Any]) -> None:
    means = pl.concat([score_rows(RISING, seed=None), score_rows(shuffled(0), "q", seed=None)])
    both = pl.concat([means, score_rows(RISING[::-1]), score_rows(RISING, "q")])
    assert ask(truth_rows(RISING), both) == ask(truth_rows(RISING), means)


@pytest.mark.parametrize("ask", SCORES[:2])
def test_nor_where_there_is_no_truth(ask: Callable[..., Any]) -> None:
    """`isomorph_spread` used to average means with seeds."""
    means = pl.concat([score_rows(RISING, seed=None), score_rows(shuffled(0), "q", seed=None)])
    assert ask(pl.concat([means, score_rows(RISING[::-1]), score_rows(RISING, "q")])) == ask(means)


@pytest.mark.parametrize("infinite", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("ask", TWO)
def test_an_infinite_score_or_truth_is_missing(ask: Callable[..., Any], infinite: float) -> None:
    first, second = [*RISING[:-1], infinite], shuffled(0)
    missing = pl.concat([score_rows([*RISING[:-1], None]), score_rows(second, "q")])
    assert ask(truth_rows(RISING), pl.concat([score_rows(first), score_rows(second, "q")])) == ask(
        truth_rows(RISING), missing
    )
    whole = pl.concat([score_rows(RISING), score_rows(second, "q")])
    undefined = truth_rows(RISING).with_columns(accuracy=pl.when(pl.col("arch") != ARCHS[-1]).then(pl.col("accuracy")))
    assert ask(truth_rows(first), whole) == ask(undefined, whole)


@pytest.mark.parametrize("ask", SCORES)
def test_an_infinite_score_is_missing_without_truth(ask: Callable[..., Any]) -> None:
    q = score_rows(shuffled(0), "q")
    infinite, missing = ([*RISING[:-1], v] for v in (math.inf, None))
    assert ask(pl.concat([score_rows(infinite), q])) == ask(pl.concat([score_rows(missing), q]))


def test_an_infinite_run_has_no_reliability_and_no_aggregate() -> None:
    runs = [truth_rows(RISING, seed=0), truth_rows([*shuffled(1)[:-1], math.inf], seed=1)]
    assert reliability_table(pl.concat(runs), n_boot=0)["n_archs"][0] == N - 1
    table = pl.DataFrame({"benchmark": "b", "dataset": "d", "proxy": "p", "value": [0.1, 0.2, math.inf]})
    row = aggregate(table, n_boot=0).row(0, named=True)
    assert (row["mean"], row["n_runs"]) == (pytest.approx(0.15), 2)


def test_mean_or_seeds_is_decided_for_each_architecture() -> None:
    """Four rows of empty seed and eight architectures of two seeds: 12 architectures count, not 4."""
    seeds = [truth_rows(RISING[4:], seed=s, archs=ARCHS[4:]) for s in (0, 1)]
    partly = pl.concat([truth_rows(RISING[:4], seed=None), *seeds])
    with pytest.warns(MixedSeedsWarning, match="truth: b/d: 4 of 12 architectures have a row of null seed") as said:
        row = correlate(partly, score_rows(RISING), n_boot=0).row(0, named=True)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert (row["n_archs"], row["n_missing"], row["estimate"]) == (12, 0, 1.0)
    assert row["truth_seeds"] == "mean (4 architectures), mean of 2 seeds (8 architectures)"


def test_the_same_for_scores() -> None:
    whole = pl.concat([score_rows(RISING, seed=s) for s in (0, 1)])
    partly = pl.concat([whole.filter(~pl.col("arch").is_in(ARCHS[:4])), score_rows(RISING[:4], seed=None)])
    with pytest.warns(MixedSeedsWarning, match="scores: b/d/m/p/epoch/1: 4 of 12"):
        row = correlate(truth_rows(RISING), partly, n_boot=0).row(0, named=True)
    assert (row["n_archs"], row["estimate"]) == (12, 1.0)


def test_whole_tables_of_means_and_seeds_say_nothing() -> None:
    table = pl.concat([truth_rows(RISING, seed=s) for s in (None, 0, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert correlate(table, score_rows(RISING), n_boot=0)["truth_seeds"].unique().to_list() == ["mean"]


def test_means_over_seeds_keep_ties() -> None:
    """Scores .1 (three seeds), .1, .2, .3 against a rising truth: tau .913, not .667."""
    scores = pl.concat([score_rows([0.1], seed=0), score_rows([0.1], seed=1), score_rows([0.1, 0.1, 0.2, 0.3], seed=2)])
    tau = correlate(truth_rows(RISING[:4]), scores, statistics=["kendall_tau"], n_boot=0)["estimate"][0]
    assert tau == pytest.approx(scipy_stats.kendalltau([0.1, 0.1, 0.2, 0.3], RISING[:4]).statistic)
    assert tau == pytest.approx(0.9129, abs=1e-4)


def test_mean_frames_have_one_row_for_each_architecture() -> None:
    truth = pl.concat([truth_rows(RISING, seed=s) for s in (None, 0)])
    assert mean_truth(truth)["truth"].to_list() == [RISING[ARCHS.index(a)] for a in sorted(ARCHS)]
    assert len(mean_scores(pl.concat([score_rows(RISING, seed=s) for s in (0, 1)]))) == N


def test_a_truth_of_which_less_is_better_is_turned() -> None:
    loss = truth_rows(RISING[::-1]).rename({"accuracy": "value"})
    loss = loss.with_columns(quantity=pl.lit("loss"), quantity_unit=pl.lit("nats"), quantity_direction=-1)
    assert correlate(loss, score_rows(RISING), n_boot=0)["estimate"].to_list() == pytest.approx([1.0, 1.0])
    with pytest.raises(StudyError, match=r"got \(test, 200, accuracy\), \(test, 200, loss\)"):
        correlate(pl.concat([loss, truth_rows(RISING)], how="diagonal"), score_rows(RISING))


def test_a_score_without_steps_stands_at_every_step_whichever_comes_first() -> None:
    """The first of the two used to need steps."""
    scores = pl.concat([score_rows(shuffled(i), step=i) for i in (1, 2)] + [score_rows(RISING, "params", step=None)])
    one = difference_by_step(truth_rows(RISING), scores, "p", "params", n_boot=20)
    other = difference_by_step(truth_rows(RISING), scores, "params", "p", n_boot=20)
    assert one["step"].to_list() == other["step"].to_list() == [1, 2]
    assert other["difference"].to_list() == (-one["difference"]).to_list()


def test_resampling_takes_the_place_of_its_parts() -> None:
    truth, scores = truth_rows(RISING), pl.concat([score_rows(shuffled(0)), score_rows(shuffled(1), "q")])
    chosen = Resampling(50, seed=3, level=0.8, interval="percentile")
    assert correlate(truth, scores, resampling=chosen).equals(
        correlate(truth, scores, n_boot=50, seed=3, level=0.8, interval="percentile")
    )
    for ask in (compare_proxies, first_step_reaching, neighbour_concordance):
        more: dict[str, Any] = {"threshold": 0.1} if ask is first_step_reaching else {}
        plain = Resampling(50, seed=3, level=0.8)
        assert ask(truth, scores, **more, resampling=plain).equals(
            ask(truth, scores, **more, n_boot=50, seed=3, level=0.8)
        )
    with pytest.raises(ValueError, match="either resampling= or n_boot="):
        correlate(truth, scores, n_boot=50, resampling=chosen)
    with pytest.raises(StudyError, match="expected unit 'arch' or 'class' here, got 'nested'"):
        correlate(truth, scores, resampling=Resampling(unit="nested"))
    with pytest.raises(ValueError, match="unit: expected one of class, arch, seed, nested"):
        Resampling(unit="archs")  # type: ignore[arg-type]


def test_a_row_says_what_was_resampled_and_the_direction() -> None:
    truth = truth_rows(RISING)
    seeds = pl.concat([score_rows(shuffled(i), "sotl", seed=i) for i in range(3)])
    row = correlate(truth, seeds, n_boot=20, unit="arch").row(0, named=True)
    assert (row["resampled"], row["direction"]) == ("arch", -1)
    assert correlate(truth, seeds, n_boot=0)["resampled"][0] is None
    for over, unit in (("archs", "arch"), ("classes", "class"), ("seeds", "seed"), ("nested", "nested")):
        named = correlate_seeds(truth, seeds, over=over, n_boot=20)
        assert named["resampled"].unique().to_list() == [unit]
        assert named.equals(correlate_seeds(truth, seeds, resampling=Resampling(20, unit=unit)))  # type: ignore[arg-type]


def test_ties_of_digits_are_those_of_the_images() -> None:
    """Runs that are right on equally many images in all have one mean; a plain mean told many of them apart."""
    truth = load_benchmark("digits").truth(split="valid")
    means, runs = truth.filter(pl.col("seed").is_null()), truth.filter(pl.col("seed").is_not_null())
    right = runs.group_by("arch").agg((pl.col("accuracy") * 11.88).round().cast(pl.Int64).sum().alias("right"))
    joined = means.join(right, on="arch")
    assert joined["accuracy"].n_unique() == joined["right"].n_unique() < len(joined)
    from_seeds = mean_truth(runs).join(means, on="arch")
    assert from_seeds["truth"].equals(from_seeds["accuracy"], check_names=False)


@pytest.mark.skipif(not DATA.exists(), reason="no data")
def test_ties_of_nas_bench_201_are_those_of_the_recorded_digits() -> None:
    runs = pickle.loads((DATA / "nb201" / "test_accuracy_per_seed_cifar10.p").read_bytes())
    rows = [(i, v) for i, values in enumerate(runs.values()) for v in values if len(values) == 3]
    table = pl.DataFrame(rows, schema={"arch": pl.Int64(), "value": pl.Float64()}, orient="row")
    hundredths = table.group_by("arch").agg((pl.col("value") * 100).round().cast(pl.Int64).sum().alias("sum"))
    plain = table.group_by("arch").agg(pl.col("value").mean())["value"].n_unique()
    exact = exact_means(table, ["arch"], "value")["value"].n_unique()
    assert exact == hundredths["sum"].n_unique() < plain


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_scores_of_which_none_is_finite_are_called_so(value: float | None) -> None:
    """The advice was to check how architectures are spelt, which was not the fault."""
    scores = score_rows([1.0] * N).with_columns(value=pl.lit(value, pl.Float64))
    with pytest.raises(StudyError, match=r"none of the 12 scores .* finite number \(all are empty, NaN or infinite\)"):
        correlate(truth_rows(RISING), scores)
