"""Score beside true accuracy for each architecture, as values and as ranks."""

from __future__ import annotations

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check


@any_frame
def score_against_truth(truth: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, score, accuracy``: means over seeds of one proxy and of one target.

    `truth`: TRUTH frame of one dataset, split and schedule (see `mean_accuracy`). `scores`: SCORES frame of one
    proxy at one step. Architectures that lack either, or whose score is not finite, are left out.
    """
    target, table = check(truth, "TRUTH"), check(scores, "SCORES")
    for frame, columns in ((target, ("dataset", "split", "schedule")), (table, ("proxy", "step"))):
        for column in columns:
            if frame[column].n_unique() > 1:
                raise StudyError(
                    f"expected one {column} in a scatter plot, got {frame[column].n_unique()}; filter first"
                )
    score = table.group_by("arch").agg(pl.col("value").mean().alias("score"))
    pairs = score.join(mean_accuracy(target), on="arch").drop_nulls()
    return pairs.filter(pl.col("score").is_finite()).sort("arch").select("arch", "score", "accuracy")


@any_frame
def rank_pairs(pairs: pl.DataFrame, *, direction: int) -> pl.DataFrame:
    """`score_against_truth` with columns ``score_rank, true_rank, error`` added; 1 is best, ties share their mean.

    `direction`: +1 if a higher score is better, -1 if a lower one is. ``error`` is ``true_rank - score_rank``:
    positive where the proxy ranks an architecture better than it is.
    """
    if direction not in (1, -1):
        raise StudyError(f"ranks: direction: expected +1 or -1, got {direction!r}")
    ranked = pairs.with_columns(
        score_rank=(direction * pl.col("score")).rank("average", descending=True),
        true_rank=pl.col("accuracy").rank("average", descending=True),
    )
    return ranked.with_columns(error=pl.col("true_rank") - pl.col("score_rank"))


def mean_accuracy(truth: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, accuracy`` of one target: the recorded mean (a row of null seed) or the mean over seeds.

    Which of the two is decided for each architecture. `StudyError` for several datasets, splits or schedules.
    """
    target = check(truth, "TRUTH")
    for column in ("dataset", "split", "schedule"):
        if target[column].n_unique() > 1:
            raise StudyError(f"truth: expected one {column}, got {target[column].n_unique()}; filter first")
    recorded = pl.col("seed").is_null()
    chosen = target.filter(recorded == recorded.any().over("arch"))
    return chosen.group_by("arch").agg(pl.col("accuracy").mean()).drop_nulls()
