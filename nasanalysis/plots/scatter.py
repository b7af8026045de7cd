"""Score against true accuracy, one point for each architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .style import COLOURS, look, new_axes, proxy_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def score_against_truth(truth: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, score, accuracy``: means over seeds of one proxy and of one target.

    `truth`: TRUTH frame of one dataset, split and schedule (null-seed rows are used where there are
    any). `scores`: SCORES frame of one proxy at one step. Architectures that lack either are left out.
    """
    target, table = check(truth, "TRUTH"), check(scores, "SCORES")
    for frame, columns in ((target, ("dataset", "split", "schedule")), (table, ("proxy", "step"))):
        for column in columns:
            if frame[column].n_unique() > 1:
                raise StudyError(
                    f"expected one {column} in a scatter plot, got {frame[column].n_unique()}; filter first"
                )
    if target["seed"].is_null().any():
        target = target.filter(pl.col("seed").is_null())
    accuracy = target.group_by("arch").agg(pl.col("accuracy").mean())
    score = table.group_by("arch").agg(pl.col("value").mean().alias("score"))
    return score.join(accuracy, on="arch").drop_nulls().filter(pl.col("score").is_finite()).sort("arch")


@any_frame
def plot_scatter(
    pairs: pl.DataFrame, *, proxy: str, target: str = "test accuracy", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `score_against_truth`. Many points are drawn faint and as pixels, so that SVG files stay small."""
    from matplotlib.ticker import EngFormatter, ScalarFormatter

    with look():
        ax = new_axes(ax)
        many = len(pairs) > 2000
        ax.scatter(
            pairs["score"].to_numpy(),
            pairs["accuracy"].to_numpy(),
            s=7 if many else 16,
            alpha=0.15 if many else 0.55,
            color=COLOURS[0],
            linewidths=0,
            rasterized=many,
        )
        ax.set_xlabel(proxy_axis(proxy))
        ax.set_ylabel(f"{target} (%)")
        ax.xaxis.set_major_formatter(EngFormatter(sep="") if proxy in ("params", "flops") else ScalarFormatter())
        if title:
            ax.set_title(title)
        ax.annotate(
            f"n = {len(pairs):,}", (1.0, 1.01), xycoords="axes fraction", ha="right", fontsize=9, color="#555555"
        )
    return ax
