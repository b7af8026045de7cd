"""Forest plot: proxies with their intervals, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame, check
from .lines import palette
from .style import GREY, look, new_axes, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def forest(stats: pl.DataFrame, statistic: str = "kendall_tau") -> pl.DataFrame:
    """Columns ``proxy, method, step, estimate, ci_low, ci_high, n_archs``, best first; undefined ones last.

    `stats`: STATS frame of one dataset; of a proxy with several steps the last one is kept.
    """
    table = check(stats, "STATS").filter(pl.col("statistic") == statistic)
    if table.is_empty():
        raise UnknownNameError("statistic in this table", statistic, sorted(set(stats["statistic"])))
    if table["dataset"].n_unique() > 1:
        raise StudyError(f"forest: expected one dataset, got {', '.join(sorted(set(table['dataset'])))}; filter first")
    keys = ["proxy", "method", "setting"]
    last = table.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max().over(keys)))
    return last.select("proxy", "method", "step", "estimate", "ci_low", "ci_high", "n_archs").sort(
        "estimate", descending=True, nulls_last=True, maintain_order=True
    )


@any_frame
def plot_forest(
    stats: pl.DataFrame,
    statistic: str = "kendall_tau",
    *,
    reference: str | None = "params",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `forest`: a point and its 95 % interval for each proxy, the figures beside them.

    `reference`: the proxy whose estimate and interval run through the figure as a line and a band (left out
    where the table lacks it). Overlapping intervals do not settle a comparison: see
    `nasanalysis.stats.difference_by_step`.
    """
    table = forest(stats, statistic)
    with look():
        ax = new_axes(ax, figsize=(7.0, 1.2 + 0.3 * len(table)))
        colours = palette(2)
        for at, row in enumerate(table.iter_rows(named=True)):
            _interval(ax, at, row, colours[row["proxy"] == reference], reference=row["proxy"] == reference)
        _points(ax, table, reference, colours)
        lowest = [v for v in table["ci_low"].to_list() + table["estimate"].to_list() if v is not None]
        if min(lowest, default=0.0) < 0:
            ax.axvline(0, color=GREY, linewidth=0.8)
        _rows(ax, table)
        ax.set_xlabel(f"{statistic_label(statistic)} with true accuracy, 95 % interval")
        if title:
            ax.set_title(title)
    return ax


def _points(ax: Axes, table: pl.DataFrame, reference: str | None, colours: Sequence[Any]) -> None:
    import seaborn as sns

    sns.stripplot(
        x=table["estimate"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        y=np.arange(len(table)),
        hue=(table["proxy"] == reference).fill_null(False).to_numpy(),
        hue_order=[False, True],
        palette=list(colours),
        orient="h",
        native_scale=True,
        jitter=False,
        size=5,
        legend=False,
        zorder=3,
        ax=ax,
    )


def _interval(ax: Axes, at: int, row: Mapping[str, Any], colour: Any, *, reference: bool) -> None:
    """The interval of one row as a line, its figures beside; of the reference also through the whole figure."""
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": "small"}
    estimate, low, high = row["estimate"], row["ci_low"], row["ci_high"]
    if estimate is None:
        ax.annotate("undefined", (0.5, at), **beside)
        return
    if low is not None and high is not None:
        ax.plot([low, high], [at, at], color=colour, linewidth=1.6, solid_capstyle="butt")
        if reference:
            ax.axvspan(low, high, color=colour, alpha=0.12, linewidth=0)
    if reference:
        ax.axvline(estimate, color=colour, linestyle="--", linewidth=1)
    figures = f"{estimate:+.3f}" + ("" if low is None or high is None else f"  [{low:+.3f}, {high:+.3f}]")
    ax.annotate(figures.replace("-", "−"), (1.02, at), **beside)


def _rows(ax: Axes, table: pl.DataFrame) -> None:
    """A label for each row, best on top, and how many architectures."""
    counts = table["n_archs"].unique().sort().to_list()
    labels = [proxy_label(name) for name in table["proxy"]]
    if len(counts) > 1:
        labels = [f"{label} (n = {n:,})" for label, n in zip(labels, table["n_archs"], strict=True)]
    else:
        ax.annotate(
            f"n = {counts[0]:,}", (1.02, 1.0), xycoords="axes fraction", va="bottom", fontsize="small", color=GREY
        )
    ax.set_yticks(range(len(table)), labels)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_ylabel("")
