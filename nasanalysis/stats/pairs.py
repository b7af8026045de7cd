"""Score beside true accuracy for each architecture, as values and as ranks."""

from __future__ import annotations

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .averages import checked_scores, checked_truth, mean_scores, mean_truth


@any_frame
def score_against_truth(truth: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, score, accuracy``: means over seeds of one proxy and of one target.

    `truth`: TRUTH frame of one dataset, split and schedule (see `mean_accuracy`). `scores`: SCORES frame of one
    proxy at one step. Architectures that lack either, or whose score is not finite, are left out.
    """
    target, table = checked_truth(truth), checked_scores(scores)
    for frame, columns in ((target, ("dataset", "split", "schedule")), (table, ("proxy", "step", "method", "setting"))):
        for column in columns:
            if frame[column].n_unique() > 1:
                raise StudyError(
                    f"expected one {column} in a scatter plot, got {frame[column].n_unique()}; filter first"
                )
    score = mean_scores(table).select("arch", score="value")
    return score.join(mean_accuracy(target), on="arch").drop_nulls().sort("arch").select("arch", "score", "accuracy")


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
    target = checked_truth(truth)
    for column in ("dataset", "split", "schedule"):
        if target[column].n_unique() > 1:
            raise StudyError(f"truth: expected one {column}, got {target[column].n_unique()}; filter first")
    means = mean_truth(target).filter(pl.col("quantity") == "accuracy")
    return means.select("arch", accuracy="truth").drop_nulls()
