"""Two architectures, all ties, all NaN, wrong dtypes, a million rows: an error that says why, or a stated result."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nasanalysis.core.errors import FrameError, StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS, to_pandas
from nasanalysis.stats import (
    STATISTICS,
    MismatchWarning,
    Resamples,
    compare_proxies,
    correlate,
    correlate_seeds,
    crossover,
    first_step_reaching,
    get_statistic,
    kendall_tau,
    spearman_rho,
)

PLACE = {"benchmark": "b", "dataset": "d"}
CORRELATIONS = [name for name in STATISTICS if get_statistic(name).unit == "correlation"]


def truth_frame(accuracy) -> pl.DataFrame:
    row = {**PLACE, "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, "arch": f"nb201:a{i:04d}", "accuracy": a} for i, a in enumerate(accuracy)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def score_frame(values, proxy: str = "p") -> pl.DataFrame:
    row = {**PLACE, "method": "m", "setting": "s", "proxy": proxy, "seed": 0, "unit": "epoch", "step": 1}
    rows = [{**row, "arch": f"nb201:a{i:04d}", "value": v} for i, v in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def call(name: str, score, truth) -> float:
    statistic = get_statistic(name)
    return statistic(score, truth, *([np.arange(len(score)) % 3.0] if statistic.covariates else []))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("gap", [math.nan, math.inf])
def test_one_undefined_value_is_left_out(name: str, gap: float) -> None:
    rng = np.random.default_rng(0)
    score, truth, other = rng.normal(size=(3, 30))
    statistic = get_statistic(name)
    others = [other] if statistic.covariates else []
    whole = statistic(score, truth, *others)
    with_gap = statistic(np.append(score, gap), np.append(truth, 1.0), *(np.append(o, 0.5) for o in others))
    assert with_gap == pytest.approx(whole)
    if name not in ("spearman_with@params", "kendall_with@params"):  # they do not look at the truth
        with_gap = statistic(np.append(score, 1.0), np.append(truth, gap), *(np.append(o, 0.5) for o in others))
        assert with_gap == pytest.approx(whole)


@pytest.mark.parametrize("name", CORRELATIONS)
def test_no_variation_is_nan_never_zero(name: str) -> None:
    assert math.isnan(call(name, np.ones(30), np.arange(30.0)))
    assert math.isnan(call(name, np.full(30, math.nan), np.arange(30.0)))
    if "_with" not in name:
        assert math.isnan(call(name, np.arange(30.0), np.ones(30)))


@pytest.mark.parametrize("name", CORRELATIONS)
def test_two_architectures_in_arrays(name: str) -> None:
    found = call(name, [1.0, 2.0], [10.0, 20.0])
    assert math.isnan(found) or found == pytest.approx(1)


def test_two_architectures_in_frames_are_refused() -> None:
    with pytest.raises(StudyError, match="expected at least 3 architectures with a score and a truth, got 2"):
        correlate(truth_frame([10.0, 20.0]), score_frame([1.0, 2.0]))
    three = correlate(truth_frame([10.0, 20.0, 30.0]), score_frame([1.0, 3.0, 2.0]), n_boot=100)
    assert (three["ci_low"] >= -1).all()
    assert (three["ci_high"] <= 1).all()


def test_every_statistic_of_all_ties_is_a_row() -> None:
    names = [n for n in STATISTICS if not get_statistic(n).covariates]
    table = correlate(truth_frame(np.arange(20.0)), score_frame([1.0] * 20), statistics=names, n_boot=20)
    assert table["statistic"].to_list() == names
    nothing = table.filter(pl.col("statistic").is_in(CORRELATIONS))
    assert nothing["estimate"].null_count() == len(nothing)
    assert table.filter(statistic="topk_mean@5")["estimate"][0] == pytest.approx(9.5)  # any five


def test_all_undefined_scores_are_refused() -> None:
    with pytest.raises(StudyError, match="none of the 4 scores of its architectures is a finite number"):
        correlate(truth_frame([1.0, 2, 3, 4]), score_frame([math.nan] * 4))


def test_infinite_truth_is_left_out_and_counted() -> None:
    table = correlate(truth_frame([1.0, 2, 3, math.inf, 5]), score_frame([1.0, 2, 3, 4, 5]), n_boot=0)
    assert table.select("n_archs", "n_missing").row(0) == (4, 1)


def test_k_larger_than_n() -> None:
    for base in ("topk_mean", "best_rank", "precision", "regret", "ndcg"):
        with pytest.raises(StudyError, match=rf"{base}@6: expected at least 6 architectures .* got 4"):
            correlate(truth_frame([1.0, 2, 3, 4]), score_frame([1.0, 2, 3, 4]), statistics=(f"{base}@6",))


def test_mismatched_architectures_are_counted_and_said() -> None:
    scores = score_frame(np.arange(8.0))
    with pytest.warns(MismatchWarning, match="2 of 14 rows are of 2 architectures that the truth lacks") as caught:
        compare_proxies(
            truth_frame(np.arange(6.0)),
            pl.concat([scores, score_frame(np.arange(6.0)[::-1], "q")]),
            n_boot=10,
            n_permutations=20,
        )
    assert caught[0].filename == __file__
    with pytest.warns(MismatchWarning) as caught:
        first_step_reaching(truth_frame(np.arange(6.0)), scores, 0.5, n_boot=10)
    assert caught[0].filename == __file__
    with pytest.warns(MismatchWarning) as caught:
        correlate_seeds(truth_frame(np.arange(6.0)), scores, over="archs", n_boot=10)
    assert caught[0].filename == __file__
    with pytest.warns(MismatchWarning) as caught:
        correlate(truth_frame(np.arange(6.0)), scores, n_boot=0)
    assert caught[0].filename == __file__


def test_unknown_covariate() -> None:
    with pytest.raises(UnknownNameError, match="unknown covariate in these scores 'parms'. Did you mean 'params'"):
        scores = pl.concat([score_frame([1.0, 2, 3, 4]), score_frame([1.0, 2, 4, 3], "params")])
        correlate(truth_frame([1.0, 2, 3, 4]), scores, statistics=("partial_spearman@parms",))


def test_a_million_architectures_do_not_overflow() -> None:
    """n (n - 1) is 10^12 and the sum of cubed ranks 10^18: beyond what 32 bits, and whole sums in doubles, hold."""
    rng = np.random.default_rng(0)
    n = 1_000_000
    truth = rng.normal(size=n).astype(np.float32)
    score = np.argsort(np.argsort(truth)).astype(np.int64)
    assert kendall_tau(score, truth) == pytest.approx(1, abs=1e-6)
    assert spearman_rho(score, truth) == pytest.approx(1, abs=1e-9)
    counts = np.ones((1, n), dtype=np.int8)
    resamples = Resamples(truth.astype(float), counts, compiled=False)
    assert resamples.spearman_rho(score)[0] == pytest.approx(1, abs=1e-6)
    assert resamples.kendall_tau(-score)[0] == pytest.approx(-1, abs=1e-6)


def test_pandas_and_polars_dtypes_of_every_kind() -> None:
    truth, scores = truth_frame([1.0, 2, 3, 4, 5]), score_frame([1.0, 3, 2, None, 5])
    expected = correlate(truth, scores, n_boot=20)
    categorical = scores.with_columns(pl.col("arch", "proxy").cast(pl.Categorical), pl.col("step").cast(pl.UInt8))
    assert correlate(truth, categorical, n_boot=20).equals(expected)
    small = scores.with_columns(pl.col("value").cast(pl.Int16), pl.col("seed").cast(pl.Float32))
    assert correlate(truth.with_columns(pl.col("accuracy").cast(pl.Float32)), small, n_boot=20).equals(expected)
    panda = to_pandas(scores)
    panda["arch"] = panda["arch"].astype("category")
    panda["value"] = pd.array([1, 3, 2, None, 5], dtype="Int64")
    found = correlate(to_pandas(truth), panda, n_boot=20)
    pd.testing.assert_frame_equal(found, to_pandas(expected))
    for bad, said in (
        (scores.with_columns(value=pl.lit("high")), "column 'value': expected Float64, got String"),
        (scores.with_columns(value=pl.lit(True)), "column 'value': expected numbers, got true/false"),
        (scores.with_columns(step=pl.lit(1.5)), "column 'step': expected whole numbers"),
    ):
        with pytest.raises(FrameError, match=said):
            correlate(truth, bad)


def test_pandas_goes_through_the_other_frames_too() -> None:
    truth = truth_frame(np.arange(10.0))
    scores = pl.concat([score_frame(np.arange(10.0)), score_frame(np.arange(10.0)[::-1], "q")])
    found = compare_proxies(to_pandas(truth), to_pandas(scores), n_boot=20, n_permutations=20)
    assert isinstance(found, pd.DataFrame)
    assert found["difference"][0] == pytest.approx(2)
    crossed = crossover(to_pandas(truth), to_pandas(scores), "p", "q", n_boot=20)
    assert crossed["step"][0] == 1
