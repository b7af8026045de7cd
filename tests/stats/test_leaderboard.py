"""A leaderboard says of each entry what the single functions say, on the architectures that all entries score."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import weightedtau
from small_frames import scores_frame, truth_frame

from nasanalysis import compare_proxies, correlate, leaderboard
from nasanalysis.core.errors import StudyError
from nasanalysis.stats import rank_sets

ARCHS = [f"user:{i:02d}" for i in range(50)]
RNG = np.random.default_rng(2)
ABILITY = RNG.normal(size=len(ARCHS))
SPREADS = {"a": 0.2, "b": 0.25, "params": 1.0, "c": 3.0}
TRUTH = truth_frame(dict(zip(ARCHS, (70 + ABILITY).tolist(), strict=True)))
SCORES = scores_frame(
    {p: dict(zip(ARCHS, (ABILITY + s * RNG.normal(size=50)).tolist(), strict=True)) for p, s in SPREADS.items()}
)
QUICK = {"n_boot": 200, "directions": dict.fromkeys("abc", "higher")}


def board(**changes: object) -> pl.DataFrame:
    return leaderboard(TRUTH, SCORES, **{**QUICK, "top": ("weighted_tau", "precision@10", "regret@10"), **changes})


def test_every_column_is_that_of_the_single_function() -> None:
    table = board()
    ranks = rank_sets(TRUTH, SCORES, **QUICK)
    for column in ("proxy", "estimate", "rank", "rank_low", "rank_high", "tier", "n_archs"):
        assert table[column].to_list() == ranks[column].to_list(), column
    gaps = compare_proxies(TRUTH, SCORES, baseline="params", n_permutations=0, **QUICK)
    for row in table.filter(pl.col("proxy") != "params").to_dicts():
        gap = gaps.filter(proxy=row["proxy"]).row(0, named=True)
        assert (row["minus_baseline"], row["minus_low"], row["minus_high"], row["verdict"]) == (
            gap["difference"],
            gap["ci_low"],
            gap["ci_high"],
            gap["verdict"],
        )
    alone = correlate(TRUTH, SCORES, statistics=["spearman_rho"], **QUICK)
    assert dict(table.select("proxy", "ci_low").iter_rows()) == dict(alone.select("proxy", "ci_low").iter_rows())
    assert table.filter(proxy="params").select("minus_baseline", "verdict").row(0) == (None, None)


def test_the_top_columns_are_scipys_and_honest() -> None:
    row = board().filter(proxy="a").row(0, named=True)
    score = SCORES.filter(proxy="a").sort("arch")["value"].to_numpy()
    truth = TRUTH.sort("arch")["accuracy"].to_numpy()
    assert row["weighted_tau"] == pytest.approx(weightedtau(score, truth).statistic)
    best = set(np.argsort(-truth)[:10].tolist())
    assert row["precision@10"] == len(best & set(np.argsort(-score)[:10].tolist())) / 10
    assert 0 <= row["regret@10_low"] <= row["regret@10_high"]
    assert row["precision@10_low"] <= row["precision@10_high"] <= 1


def test_steps_are_entries_and_costs_stand_beside() -> None:
    stepped = pl.concat(
        [
            SCORES.filter(proxy="a").with_columns(
                step=pl.lit(k, pl.Int64), unit=pl.lit("epoch"), value=-pl.col("value") * k
            )
            for k in (1, 2)
        ]
    )
    scores = pl.concat([stepped, SCORES.filter(proxy="params")])
    costs = pl.DataFrame({"proxy": ["a", "a", "params"], "step": [1, 2, None], "cost": [1.5, 3.0, 0.0]})
    table = leaderboard(TRUTH, scores, n_boot=50, top=(), costs=costs, directions={"a": "lower"})
    assert sorted(table.select("proxy", "step", "cost").rows(), key=str) == [
        ("a", 1, 1.5),
        ("a", 2, 3.0),
        ("params", None, 0.0),
    ]
    assert board()["cost"].is_null().all()


def test_only_architectures_that_all_score_count() -> None:
    fewer = SCORES.filter((pl.col("proxy") != "c") | pl.col("arch").is_in(ARCHS[:30]))
    table = leaderboard(TRUTH, fewer, top=("precision@10",), **QUICK)
    assert set(table["n_archs"]) == {30}
    few = correlate(
        TRUTH,
        fewer.filter(pl.col("arch").is_in(ARCHS[:30])),
        statistics=["precision@10"],
        n_boot=0,
        directions=QUICK["directions"],
    )
    assert dict(table.select("proxy", "precision@10").iter_rows()) == dict(few.select("proxy", "estimate").iter_rows())


def test_malformed() -> None:
    with pytest.raises(StudyError, match="expected at least 2 proxies"):
        leaderboard(TRUTH, SCORES.filter(proxy="a"), top=(), **QUICK)
    twice = pl.concat([SCORES, SCORES.filter(proxy="params").with_columns(setting=pl.lit("again"))])
    with pytest.raises(StudyError, match="expected 'params' once, got it 2 times"):
        leaderboard(TRUTH, twice, top=(), **QUICK)
    with pytest.raises(StudyError, match="expected a correlation, got 'topk_mean@5'"):
        board(statistic="topk_mean@5")
    tied = SCORES.with_columns(value=pl.when(pl.col("proxy") == "c").then(1.0).otherwise("value"))
    lost = leaderboard(TRUTH, tied, top=(), **QUICK).filter(proxy="c").row(0, named=True)
    assert (lost["estimate"], lost["rank"], lost["verdict"]) == (None, None, "not told apart")
