"""Scores beside truth: ranks, and the mean of a target."""

from __future__ import annotations

import polars as pl
import pytest
from small_frames import ARCHS, truth_frame

from nasanalysis import stats
from nasanalysis.stats import MixedSeedsWarning
from nasanalysis.stats.pairs import mean_accuracy


def test_rank_errors_are_positive_where_the_proxy_flatters() -> None:
    pairs = pl.DataFrame(
        {"arch": ["a", "b", "c", "d"], "score": [4.0, 3.0, 2.0, 2.0], "accuracy": [60.0, 90.0, 80.0, 70.0]}
    )
    got = stats.rank_pairs(pairs, direction=1)
    assert got["score_rank"].to_list() == [1, 2, 3.5, 3.5]
    assert got["true_rank"].to_list() == [4, 1, 2, 3]
    assert got["error"].to_list() == [3, -1, -1.5, -0.5]
    turned = stats.rank_pairs(pairs.with_columns(score=-pl.col("score")), direction=-1)
    assert turned["score_rank"].to_list() == got["score_rank"].to_list()


def test_recorded_mean_or_seeds_is_decided_for_each_architecture() -> None:
    """One architecture has a recorded mean beside its seeds, the other has seeds only: both count."""
    recorded = truth_frame({ARCHS[0]: 70.0})
    seeds = pl.concat(truth_frame({a: v}).with_columns(seed=pl.lit(s, pl.Int64)) for a, s, v in SEEDS)
    with pytest.warns(MixedSeedsWarning, match="1 of 2 architectures have a row of null seed"):
        table = mean_accuracy(pl.concat([recorded, seeds])).sort("arch")
    assert table.rows() == [(ARCHS[0], 70.0), (ARCHS[1], 61.0)]


SEEDS = ((ARCHS[0], 0, 10.0), (ARCHS[1], 0, 60.0), (ARCHS[1], 1, 62.0))
