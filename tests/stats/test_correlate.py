"""TRUTH x SCORES -> STATS: what is used, what is counted, what is refused; and that seeds decide everything."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats as scipy_stats

from nasanalysis.core.errors import FrameError, StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS, check, to_pandas
from nasanalysis.stats import MismatchWarning, MixedSeedsWarning, correlate, topk_mean

ACCURACY = [10.0, 50.0, 60.0, 70.0, 80.0, 90.0]
SCORE = [1.0, 3.0, 2.0, 4.0, 6.0, 5.0]


def arch(i: int) -> str:
    return f"nb201:arch{i:04d}"


def truth_frame(accuracy=ACCURACY, seed: int | None = 0, **changes) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "split": "test", "schedule": 200, "seed": seed, "origin": "trained"}
    rows = [{**row, **changes, "arch": arch(i), "accuracy": a} for i, a in enumerate(accuracy)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def score_frame(values=SCORE, seed: int | None = 0, **changes) -> pl.DataFrame:
    row = {
        "benchmark": "b", "dataset": "d", "method": "scratch", "setting": "s", "proxy": "p", "seed": seed,
        "unit": "epoch", "step": 1,
    }  # fmt: skip
    rows = [{**row, **changes, "arch": arch(i), "value": v} for i, v in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def one(truth: pl.DataFrame, scores: pl.DataFrame, statistic: str = "spearman_rho", **options) -> dict:
    table = correlate(truth, scores, statistics=(statistic,), **{"n_boot": 20, **options})
    assert len(table) == 1
    return table.row(0, named=True)


def test_one_row_in_full() -> None:
    row = one(truth_frame(), score_frame(), n_boot=200)
    low, high = row.pop("ci_low"), row.pop("ci_high")
    assert row == {
        "benchmark": "b", "dataset": "d", "method": "scratch", "setting": "s", "proxy": "p", "truth_split": "test",
        "truth_schedule": 200, "truth_seeds": "seed 0", "sample": "all", "statistic": "spearman_rho", "unit": "epoch",
        "step": 1, "direction": 1, "direction_source": "assumed", "resampled": "arch",
        "estimate": pytest.approx(scipy_stats.spearmanr(SCORE, ACCURACY).statistic),
        "interval": "Fisher z bootstrap over architectures", "n_archs": 6, "n_missing": 0,
    }  # fmt: skip
    assert -1 <= low < row["estimate"] <= high <= 1


def test_statistics_and_series_are_rows_in_order() -> None:
    scores = pl.concat([score_frame(step=s, proxy=p) for s in (2, 1) for p in ("q", "p")])
    table = correlate(truth_frame(), scores, statistics=("kendall_tau", "pearson_r", "topk_mean@1"), n_boot=0)
    assert table.select("proxy", "step", "statistic").rows() == [
        (p, s, name) for p in "pq" for s in (1, 2) for name in ("kendall_tau", "pearson_r", "topk_mean@1")
    ]
    assert table["ci_low"].null_count() == table["interval"].null_count() == 12
    assert check(table, "STATS").equals(table)
    assert table.columns == list(SCHEMAS["STATS"].columns)


def test_scores_without_a_step() -> None:
    row = one(truth_frame(), score_frame(unit=None, step=None))
    assert row["unit"] is None
    assert row["step"] is None


def test_same_seed_same_table_in_any_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    truth = pl.concat([truth_frame(rng.uniform(0, 100, 50), seed=s) for s in (0, 1)])
    scores = pl.concat([score_frame(rng.normal(size=50), seed=s, step=t) for s in (0, 1, 2) for t in (1, 2)])
    names = ("spearman_rho", "kendall_tau", "pearson_r", "topk_mean@5")
    np.random.seed(1)  # noqa: NPY002
    first = correlate(truth, scores, statistics=names, n_boot=50, seed=3)
    np.random.seed(2)  # noqa: NPY002
    again = correlate(truth.sample(fraction=1, shuffle=True, seed=1), scores.sample(fraction=1, shuffle=True, seed=2),
                      statistics=names, n_boot=50, seed=3)  # fmt: skip
    other = correlate(truth, scores, statistics=names, n_boot=50, seed=4)
    assert first.equals(again)
    assert first["estimate"].equals(other["estimate"])
    assert not first["ci_low"].equals(other["ci_low"])


def test_global_generators_are_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    correlate(truth_frame(), score_frame(), statistics=("spearman_rho", "topk_mean@1"), n_boot=10)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_series_of_the_same_architectures_share_resamples() -> None:
    """A monotone twin of a score has the very same interval: comparisons are paired."""
    scores = pl.concat([score_frame(proxy="p"), score_frame([v**3 for v in SCORE], proxy="twin")])
    table = correlate(truth_frame(), scores, n_boot=100)
    p, twin = (table.filter(proxy=name).select("estimate", "ci_low", "ci_high", "interval") for name in ("p", "twin"))
    assert p.equals(twin)


def test_undefined_scores_and_truths_are_left_out_and_counted() -> None:
    scores = score_frame([1.0, math.nan, None, math.inf, 6.0, 5.0])
    row = one(truth_frame(), scores)
    assert (row["n_archs"], row["n_missing"]) == (3, 3)
    assert row["estimate"] == pytest.approx(scipy_stats.spearmanr([1, 6, 5], [10, 80, 90]).statistic)
    row = one(truth_frame([None, 50, math.nan, 70, 80, 90]), score_frame())
    assert (row["n_archs"], row["n_missing"]) == (4, 2)
    row = one(truth_frame(), score_frame(SCORE[:4]))
    assert (row["n_archs"], row["n_missing"]) == (4, 2)


def test_each_series_counts_its_own() -> None:
    scores = pl.concat([score_frame(SCORE[:4], step=1), score_frame(step=2)])
    table = correlate(truth_frame(), scores, statistics=("kendall_tau",), n_boot=10)
    assert table["n_archs"].to_list() == [4, 6]
    assert table["estimate"][0] == pytest.approx(scipy_stats.kendalltau(SCORE[:4], ACCURACY[:4]).statistic)


def test_truth_is_the_mean_over_seeds() -> None:
    shifted = [a + d for a, d in zip(ACCURACY, (4, 2, -50, 2, -30, 2), strict=True)]
    truth = pl.concat([truth_frame(seed=777), truth_frame(shifted, seed=888)])
    row = one(truth, score_frame())
    mean = (np.array(ACCURACY) + np.array(shifted)) / 2
    assert row["estimate"] == pytest.approx(scipy_stats.spearmanr(SCORE, mean).statistic)
    assert row["truth_seeds"] == "mean of 2 seeds"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([(ACCURACY, 5)], "seed 5"),
        ([(ACCURACY, None)], "mean"),
        ([(ACCURACY, 1), (ACCURACY, 2), (ACCURACY, 3)], "mean of 3 seeds"),
        ([(ACCURACY, 1), (ACCURACY[:3], 2)], "mean of 1 to 2 seeds"),
        ([(ACCURACY[:3], 1), ([None] * 3 + ACCURACY[3:], 2)], "one of 2 seeds"),
    ],
)
def test_truth_seeds_say_what_the_truth_is(parts: list, said: str) -> None:
    truth = pl.concat([truth_frame(accuracy, seed=seed) for accuracy, seed in parts])
    if said == "one of 2 seeds":
        truth = truth.drop_nulls("accuracy")
    assert one(truth, score_frame())["truth_seeds"] == said


def test_rows_of_null_seed_win() -> None:
    truth = pl.concat([truth_frame(seed=None), truth_frame(ACCURACY[::-1], seed=1)])
    row = one(truth, score_frame())
    assert row["estimate"] == pytest.approx(scipy_stats.spearmanr(SCORE, ACCURACY).statistic)
    assert row["truth_seeds"] == "mean"
    partly = pl.concat([truth_frame(ACCURACY[:4], seed=None), truth_frame(seed=1)])
    with pytest.warns(MixedSeedsWarning, match="truth: b/d: 4 of 6 architectures have a row of null seed"):
        row = one(partly, score_frame())
    assert (row["n_archs"], row["n_missing"]) == (6, 0)  # decided for each architecture
    assert row["truth_seeds"] == "mean (4 architectures), seed 1 (2 architectures)"


def test_seeds_of_a_score_are_averaged() -> None:
    scores = pl.concat([score_frame(seed=0), score_frame([20.0, 0, 0, 0, None, 0], seed=1)])
    row = one(truth_frame(), scores)
    assert row["estimate"] == pytest.approx(scipy_stats.spearmanr([10.5, 1.5, 1, 2, 6, 2.5], ACCURACY).statistic)


def test_directions_apply_to_every_statistic() -> None:
    names = ("spearman_rho", "kendall_tau", "pearson_r", "topk_mean@2")
    up = correlate(truth_frame(), score_frame(), statistics=names, n_boot=30)
    down = correlate(truth_frame(), score_frame([-v for v in SCORE]), statistics=names, n_boot=30, directions={"p": -1})
    assert up.drop("direction", "direction_source").equals(down.drop("direction", "direction_source"))
    assert (*up["direction"].unique(), *down["direction"].unique()) == (1, -1)
    raw = correlate(truth_frame(), score_frame(), statistics=names, n_boot=0, directions={"other": -1})
    assert raw["estimate"].equals(up["estimate"])
    flipped = correlate(truth_frame(), score_frame(), statistics=names, n_boot=0, directions={"p": -1})
    assert flipped["estimate"][:3].to_list() == pytest.approx((-up["estimate"][:3]).to_list())
    assert flipped["estimate"][3] == topk_mean([-v for v in SCORE], ACCURACY, 2)
    for bad in (0, 2, True, "low"):
        with pytest.raises(StudyError, match=r"directions: 'p': expected 'higher'"):
            correlate(truth_frame(), score_frame(), directions={"p": bad})  # type: ignore[dict-item]


def test_topk_is_labelled_as_halves() -> None:
    row = one(truth_frame(), score_frame(), "topk_mean@2", n_boot=100)
    assert row["estimate"] == topk_mean(SCORE, ACCURACY, 2) == 85
    assert row["interval"] == "random halves of the architectures"
    row = one(truth_frame(), score_frame(), "topk_mean@5", n_boot=10)  # a half has three
    assert row["estimate"] == topk_mean(SCORE, ACCURACY, 5)
    assert row["ci_low"] is None
    assert row["interval"] == "random halves of the architectures (10 of 10 resamples undefined, left out)"
    with pytest.raises(StudyError, match=r"topk_mean@7: expected at least 7 architectures .* got 6"):
        correlate(truth_frame(), score_frame(), statistics=("topk_mean@7",))


@pytest.mark.parametrize("statistic", ["spearman_rho", "kendall_tau", "pearson_r"])
def test_constant_scores_are_a_row_of_nulls(statistic: str) -> None:
    row = one(truth_frame(), score_frame([2.0] * 6), statistic)
    assert row["estimate"] is row["ci_low"] is row["ci_high"] is row["interval"] is None
    assert row["n_archs"] == 6


def test_undefined_resamples_are_counted_in_the_text() -> None:
    row = one(truth_frame(ACCURACY[:3]), score_frame([1.0, 1.0, 2.0]), n_boot=200)
    assert row["interval"].startswith("Fisher z bootstrap over architectures (")
    assert row["interval"].endswith(" of 200 resamples undefined, left out)")


def test_sample_restricts_both_sides() -> None:
    chosen = [arch(i) for i in (0, 2, 3, 5, 5)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scored architectures outside the sample are no mismatch
        row = one(truth_frame(), score_frame([1.0, 3.0, 2.0, 4.0, 6.0, None]), sample=chosen, sample_name="four")
    assert (row["sample"], row["n_archs"], row["n_missing"]) == ("four", 3, 1)
    assert row["estimate"] == pytest.approx(1.0)
    with pytest.warns(MismatchWarning, match="sample 'all': 1 of 4 architectures have no truth, for example 'nb201:x'"):
        one(truth_frame(), score_frame(), sample=[*chosen[:3], "nb201:x"])
    with pytest.raises(StudyError, match="expected several architectures"):
        correlate(truth_frame(), score_frame(), sample="nb201:x")
    with pytest.raises(StudyError, match="expected 'space:key' texts, got 'x'"):
        correlate(truth_frame(), score_frame(), sample=["x"])


def test_scores_of_strangers_warn_once_and_are_not_missing() -> None:
    scores = pl.concat([score_frame([*SCORE, 1.0, 2.0], step=s) for s in (1, 2)])
    message = "4 of 16 rows are of 2 architectures that the truth lacks, for example 'nb201:arch0006' of b/d"
    with pytest.warns(MismatchWarning, match=message) as caught:
        table = correlate(truth_frame(), scores, n_boot=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert table["n_missing"].to_list() == [0] * 4


def test_fewer_than_three_say_why() -> None:
    with pytest.raises(StudyError, match=r"proxy 'p'.*at least 3 .* got 2: 4 of the 6 .* no defined score"):
        correlate(truth_frame(), score_frame([1.0, 2.0]))
    with pytest.raises(StudyError, match=r"got 2: .* 4 have no defined truth"):
        correlate(truth_frame([1.0, 2.0, None, None, None, None]), score_frame())
    renamed = score_frame().with_columns(pl.col("arch").str.replace("arch", "net"))
    with (
        pytest.warns(MismatchWarning),
        pytest.raises(StudyError, match=r"got 0: .* scores have 'nb201:net0000', truth has 'nb201:arch0000'"),
    ):
        correlate(truth_frame(), renamed)
    with pytest.raises(StudyError, match="got 2"), pytest.warns(MismatchWarning):
        correlate(truth_frame(), score_frame(), sample=[arch(0), arch(1), arch(99)])


def test_other_datasets() -> None:
    truth = pl.concat([truth_frame(dataset="d"), truth_frame(ACCURACY[::-1], dataset="e", schedule=12, split="valid")])
    scores = pl.concat([score_frame(dataset="d"), score_frame(dataset="e")])
    table = correlate(truth, scores, statistics=("kendall_tau",), n_boot=10)
    assert table.select("dataset", "truth_split", "truth_schedule").rows() == [("d", "test", 200), ("e", "valid", 12)]
    assert table["estimate"][0] == -table["estimate"][1]
    with pytest.warns(MismatchWarning, match="that the truth lacks"):
        assert len(correlate(truth_frame(), scores, n_boot=0)) == 2
    with pytest.warns(MismatchWarning, match="scores: none for b/e") as caught:
        assert len(correlate(truth, score_frame(), n_boot=0)) == 2
    assert [w.filename for w in caught] == [__file__]
    with (
        pytest.warns(MismatchWarning),
        pytest.raises(StudyError, match=r"share no .*truth has b/d, scores have b/z"),
    ):
        correlate(truth_frame(), score_frame(dataset="z"))


def test_truth_that_is_not_narrowed_is_refused() -> None:
    both = pl.concat([truth_frame(), truth_frame(schedule=12)])
    with pytest.raises(StudyError, match=r"truth of b/d: expected one split and one schedule, got \(test, 12\), "):
        correlate(both, score_frame())


def test_other_bad_input() -> None:
    with pytest.raises(StudyError, match="empty TRUTH frame"):
        correlate(SCHEMAS["TRUTH"].empty(), score_frame())
    with pytest.raises(StudyError, match="empty SCORES frame"):
        correlate(truth_frame(), SCHEMAS["SCORES"].empty())
    with pytest.raises(FrameError, match=r"SCORES: missing column\(s\) value"):
        correlate(truth_frame(), score_frame().drop("value"))
    with pytest.raises(FrameError, match="duplicate rows"):
        correlate(truth_frame(), pl.concat([score_frame(), score_frame()]))
    with pytest.raises(FrameError, match="expected a table"):
        correlate([1, 2], score_frame())
    with pytest.raises(UnknownNameError, match="Did you mean 'kendall_tau'"):
        correlate(truth_frame(), score_frame(), statistics=("kendal_tau",))
    with pytest.raises(StudyError, match="expected several names"):
        correlate(truth_frame(), score_frame(), statistics="kendall_tau")
    with pytest.raises(ValueError, match="n_boot"):
        correlate(truth_frame(), score_frame(), n_boot=-1)
    with pytest.raises(ValueError, match="level"):
        correlate(truth_frame(), score_frame(), level=95)
    with pytest.raises(ValueError, match="seed: expected a non-negative integer"):
        correlate(truth_frame(), score_frame(), seed=-1)


def test_pandas_in_pandas_out() -> None:
    scores = score_frame([1.0, 3.0, None, 4.0, 6.0, 5.0])
    expected = correlate(truth_frame(), scores, n_boot=30)
    for truth_kind, score_kind in ((to_pandas, to_pandas), (to_pandas, lambda f: f), (lambda f: f, to_pandas)):
        found = correlate(truth_kind(truth_frame()), score_kind(scores), n_boot=30)
        assert isinstance(found, pd.DataFrame)
        pd.testing.assert_frame_equal(found, to_pandas(expected))


def test_many_steps_are_quick() -> None:
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(10, 90, 1000)
    scores = pl.concat(
        [score_frame(accuracy + 30 * rng.normal(size=1000), proxy=f"p{p}", step=s) for p in range(5) for s in range(6)]
    )
    start = time.process_time()
    table = correlate(truth_frame(accuracy), scores, statistics=("spearman_rho",))
    assert time.process_time() - start < 15  # about 1 s; an explicit bootstrap takes a minute
    assert len(table) == 30
    assert table["ci_low"].null_count() == 0
