"""Losses of groups of architectures over training or finetuning (SoTL thesis, Figure 4.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .style import COLOURS, MARKERS, UNIT_LABELS, log_y, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Group -> the quantiles of true accuracy between which its architectures lie.
GROUPS: dict[str, tuple[float, float]] = {
    "best 10 %": (0.9, 1.0),
    "middle 10 %": (0.45, 0.55),
    "worst 10 %": (0.0, 0.1),
}


@any_frame
def losses_by_group(
    curves: pl.DataFrame,
    truth: pl.DataFrame,
    *,
    value: str = "train_loss",
    groups: Mapping[str, tuple[float, float]] = GROUPS,
    relative: bool = False,
) -> pl.DataFrame:
    """Columns ``group, unit, step, mean, median, low, high, n_archs``: how a loss goes in each group.

    Parameters
    ----------
    curves: CURVES frame of one dataset and one method; runs of an architecture are averaged.
    truth: TRUTH frame of one split and schedule, by whose accuracy architectures are grouped.
    value: a column of `curves`.
    groups: name -> quantiles; a group holds at least one architecture. ``all`` is added as the last.
    relative: the change since the first recorded step of the same architecture instead of the value.

    ``low`` and ``high`` are the quartiles over the architectures of the group.
    """
    table = check(curves, "CURVES")
    if value not in table.columns:
        raise StudyError(f"losses: expected a column of the CURVES frame, got {value!r}")
    if table.select("dataset", "method", "setting", "unit").n_unique() > 1:
        raise StudyError("losses: expected curves of one dataset, method, setting and unit; filter first")
    runs = table.group_by("arch", "unit", "step").agg(pl.col(value).cast(pl.Float64).mean().alias("value")).drop_nulls()
    accuracy = mean_accuracy(truth)
    runs = runs.join(accuracy, on="arch").sort("arch", "step")
    if runs.is_empty():
        raise StudyError(f"losses: no architecture has both {value} and a true accuracy")
    if relative:
        runs = runs.with_columns(pl.col("value") - pl.col("value").first().over("arch"))
    order = runs.select("arch", "accuracy").unique().sort("accuracy", "arch")["arch"].to_list()
    parts = []
    for name, (low, high) in {**groups, "all": (0.0, 1.0)}.items():
        first = min(int(np.floor(low * len(order) + 1e-9)), len(order) - 1)
        members = order[first : max(first + 1, int(np.ceil(high * len(order) - 1e-9)))]
        rows = runs.filter(pl.col("arch").is_in(members)).group_by("unit", "step")
        parts.append(
            rows.agg(
                pl.col("value").mean().alias("mean"),
                pl.col("value").median().alias("median"),
                pl.col("value").quantile(0.25, "linear").alias("low"),
                pl.col("value").quantile(0.75, "linear").alias("high"),
                pl.len().cast(pl.Int64).alias("n_archs"),
            )
            .sort("step")
            .select(pl.lit(name).alias("group"), pl.all())
        )
    return pl.concat(parts)


@any_frame
def plot_losses_by_group(
    table: pl.DataFrame,
    *,
    label: str = "training loss (nats)",
    log: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `losses_by_group`: the mean of each group as a line, the quartiles of its architectures as a band."""
    from matplotlib.ticker import MaxNLocator

    with look():
        ax = new_axes(ax)
        for i, name in enumerate(table["group"].unique(maintain_order=True)):
            rows = table.filter(pl.col("group") == name)
            whole = name == "all"
            colour = "#555555" if whole else COLOURS[i % len(COLOURS)]
            x = rows["step"].to_numpy()
            if not whole:
                ax.fill_between(x, rows["low"].to_numpy(), rows["high"].to_numpy(), color=colour, alpha=0.15, lw=0)
            ax.plot(
                x,
                rows["mean"].to_numpy(),
                color=colour,
                linestyle="--" if whole else "-",
                marker=None if whole else MARKERS[i % len(MARKERS)],
                markevery=max(1, len(x) // 12),
                markersize=5,
                label=f"{name} (n = {rows['n_archs'].to_list()[0]:,})",
            )
        ax.set_xlabel(UNIT_LABELS.get(table["unit"][0], table["unit"][0]))
        ax.set_ylabel(label)
        if log:
            log_y(ax)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if title:
            ax.set_title(title)
        ax.legend(title="by true accuracy", loc="best", alignment="left")
    return ax


def mean_accuracy(truth: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, accuracy``: means over seeds (null-seed rows where there are any) of one target."""
    target = check(truth, "TRUTH")
    for column in ("dataset", "split", "schedule"):
        if target[column].n_unique() > 1:
            raise StudyError(f"truth: expected one {column}, got {target[column].n_unique()}; filter first")
    if target["seed"].is_null().any():
        target = target.filter(pl.col("seed").is_null())
    return target.group_by("arch").agg(pl.col("accuracy").mean()).drop_nulls()
