"""Bold and dagger say what the paired comparison says: no table can call tied what a test tells apart."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from small_frames import scores_frame, truth_frame

from nasanalysis.report import Mark
from nasanalysis.report.tables import statistics_table
from nasanalysis.stats import (
    Resampling,
    beside_best,
    compare_proxies,
    correlate,
    emphasis_from_pairs,
    seeds_against_baseline,
    seeds_beside_best,
)
from nasanalysis.stats.verdicts import verdict

ARCHS = [f"user:{i:03d}" for i in range(80)]
QUICK = Resampling(200)


def frames(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Four proxies of which the best two share most of their noise."""
    rng = np.random.default_rng(seed)
    ability, common = rng.normal(size=(2, len(ARCHS)))
    shades = {"a": 0.05, "b": 0.25, "c": 0.8, "d": 2.0}
    scores = {
        name: dict(zip(ARCHS, (ability + 0.8 * common + s * rng.normal(size=len(ARCHS))).tolist(), strict=True))
        for name, s in shades.items()
    }
    return truth_frame(dict(zip(ARCHS, (70 + ability).tolist(), strict=True))), scores_frame(scores)


@pytest.mark.parametrize("seed", range(6))
def test_table_and_comparison_cannot_disagree(seed: int) -> None:
    truth, scores = frames(seed)
    directions = dict.fromkeys("abcd", "higher")
    table = statistics_table(
        "t",
        "T",
        correlate(truth, scores, statistics=["spearman_rho"], directions=directions, resampling=QUICK),
        standings=beside_best(truth, scores, directions=directions, resampling=QUICK),
    )
    marks = {row[0]: line[1] for row, line in zip(table.rows, table.marks, strict=True)}
    (best,) = (name for name, mark in marks.items() if Mark.BEST in mark)
    pairs = compare_proxies(truth, scores, baseline=best, n_permutations=0, directions=directions, resampling=QUICK)
    told = emphasis_from_pairs(pairs)
    for name, mark in marks.items():
        assert (Mark.TIE in mark) == (told[name] == "tied"), name


def test_what_lies_in_the_interval_of_the_best_may_be_told_apart_from_it() -> None:
    truth, scores = frames(4)
    directions = dict.fromkeys("abcd", "higher")
    stats = correlate(truth, scores, statistics=["spearman_rho"], directions=directions, resampling=QUICK)
    best = stats.sort("estimate", descending=True).row(0, named=True)
    standing = dict(
        beside_best(truth, scores, directions=directions, resampling=QUICK).select("proxy", "standing").iter_rows()
    )
    inside = stats.filter(pl.col("estimate").is_between(best["ci_low"], best["ci_high"]))["proxy"].to_list()
    assert any(standing[name] == "behind" for name in inside)


def test_no_tie_without_a_valid_interval() -> None:
    truth, scores = frames(1)
    directions = dict.fromkeys("abcd", "higher")
    table = beside_best(truth, scores, ["topk_mean@5", "spearman_rho"], directions=directions, resampling=Resampling(0))
    assert set(table.filter(pl.col("standing") != "best")["standing"]) == set()
    extremes = beside_best(truth, scores, ["topk_mean@5"], directions=directions, resampling=QUICK)
    assert "tied" not in set(extremes["standing"])
    alone = beside_best(truth, scores.filter(proxy="a"), directions=directions, resampling=QUICK)
    assert alone["standing"].to_list() == [None]


def seeded() -> tuple[pl.DataFrame, pl.DataFrame]:
    truth, scores = frames(2)
    rng = np.random.default_rng(5)
    parts = [
        scores.with_columns(
            seed=pl.lit(seed, pl.Int64), value=pl.col("value") + pl.Series(rng.normal(scale=0.1, size=len(scores)))
        )
        for seed in range(3)
    ]
    return truth, pl.concat(parts)


def test_seeds_are_paired_and_a_score_without_seeds_is_the_limit() -> None:
    truth, scores = seeded()
    directions = dict.fromkeys("abcd", "higher")
    table = seeds_beside_best(truth, scores, directions=directions, resampling=QUICK)
    best = table.filter(standing="best")["proxy"][0]
    assert table.sort("estimate", descending=True)["proxy"][0] == best
    # a best that is the same for every seed is a baseline without seeds
    fixed = pl.concat(
        [
            scores.filter(pl.col("proxy") != best),
            *(
                scores.filter((pl.col("proxy") == best) & (pl.col("seed") == 0)).with_columns(seed=pl.lit(s, pl.Int64))
                for s in range(3)
            ),
        ]
    )
    ours = seeds_beside_best(truth, fixed, directions=directions, resampling=QUICK)
    assert ours.filter(standing="best")["proxy"].to_list() == [best]
    bar = fixed.filter((pl.col("proxy") == best) & (pl.col("seed") == 0)).with_columns(seed=pl.lit(None, pl.Int64))
    theirs = seeds_against_baseline(
        truth, fixed.filter(pl.col("proxy") != best), bar, directions=directions, n_boot=200
    )
    for row in theirs.to_dicts():
        said = verdict(row["difference"], row["ci_low"], row["ci_high"])
        standing = ours.filter(proxy=row["proxy"])["standing"][0]
        assert (standing == "tied") == (said == "not told apart")


def test_one_seed_is_resampled_over_architectures_alone() -> None:
    truth, scores = seeded()
    one = scores.filter(seed=0)
    directions = dict.fromkeys("abcd", "higher")
    seeds = seeds_beside_best(truth, one, directions=directions, resampling=QUICK)
    plain = beside_best(truth, one, directions=directions, resampling=QUICK)
    assert seeds.select("proxy", "estimate").equals(plain.select("proxy", "estimate"))
    assert set(seeds["standing"]) <= {"best", "tied", "behind"}
    other = pl.concat([one.filter(proxy="a"), scores.filter(seed=1).filter(proxy="b")])
    assert None in seeds_beside_best(truth, other, directions=directions, resampling=QUICK)["standing"].to_list()
