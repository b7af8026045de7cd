"""Score beside truth for each architecture, as values and as ranks."""

from __future__ import annotations

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, truth_quantity
from .averages import checked_scores, checked_truth, mean_scores, mean_truth


@any_frame
def score_against_truth(truth: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, score, accuracy``: means over seeds of one proxy and of one target.

    `truth`: TRUTH frame of one dataset, split and schedule (see `mean_target`); where its quantity is another than
    accuracy, the third column is called as the quantity and in its unit. `scores`: SCORES frame of one proxy at one
    step. Architectures that lack either, or whose score is not finite, are left out.
    """
    target, table = checked_truth(truth), checked_scores(scores)
    for frame, columns in ((target, ("dataset", "split", "schedule")), (table, ("proxy", "step", "method", "setting"))):
        for column in columns:
            if frame[column].n_unique() > 1:
                raise StudyError(
                    f"expected one {column} in a scatter plot, got {frame[column].n_unique()}; filter first"
                )
    score = mean_scores(table).select("arch", score="value")
    goal = mean_target(target)
    return score.join(goal, on="arch").drop_nulls().sort("arch").select("arch", "score", goal.columns[1])


@any_frame
def rank_pairs(pairs: pl.DataFrame, *, direction: int, truth_direction: int = 1) -> pl.DataFrame:
    """`score_against_truth` with columns ``score_rank, true_rank, error`` added; 1 is best, ties share their mean.

    `direction`: +1 if a higher score is better, -1 if a lower one is; `truth_direction`: that of the truth, which is
    the third column. ``error`` is ``true_rank - score_rank``:
    positive where the proxy ranks an architecture better than it is.
    """
    for name, sign in (("direction", direction), ("truth_direction", truth_direction)):
        if sign not in (1, -1):
            raise StudyError(f"ranks: {name}: expected +1 or -1, got {sign!r}")
    ranked = pairs.with_columns(
        score_rank=(direction * pl.col("score")).rank("average", descending=True),
        true_rank=(truth_direction * pl.col(pairs.columns[2])).rank("average", descending=True),
    )
    return ranked.with_columns(error=pl.col("true_rank") - pl.col("score_rank"))


def mean_target(truth: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, accuracy`` of one target: the recorded mean (a row of null seed) or the mean over seeds.

    Of a truth that is no accuracy the second column is called as its quantity (``true_params`` where that is the name
    of another column). Which of the two means is decided for each architecture. `StudyError` for several datasets,
    splits or schedules, `FrameError` for several quantities.
    """
    target = checked_truth(truth)
    for column in ("dataset", "split", "schedule"):
        if target[column].n_unique() > 1:
            raise StudyError(f"truth: expected one {column}, got {target[column].n_unique()}; filter first")
    quantity = truth_quantity(target)
    name = f"true_{quantity.name}" if quantity.name in ("arch", "score", "params") else quantity.name
    means = mean_truth(target).with_columns(quantity.direction * pl.col("truth"))
    return means.select("arch", pl.col("truth").alias(name)).drop_nulls()


def mean_accuracy(truth: pl.DataFrame) -> pl.DataFrame:
    """`mean_target` of the accuracies of a truth that holds other quantities too."""
    return mean_target(checked_truth(truth).filter(pl.col("quantity") == "accuracy"))
