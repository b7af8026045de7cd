"""Forest plot: proxies with their intervals, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame, check
from .style import COLOURS, look, new_axes, proxy_label, statistic_label

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
        for at, row in enumerate(table.iter_rows(named=True)):
            chosen = row["proxy"] == reference
            colour = COLOURS[1] if chosen else COLOURS[0]
            if row["estimate"] is None:
                ax.annotate("undefined", (0.5, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
                continue
            low, high = row["ci_low"], row["ci_high"]
            if low is not None and high is not None:
                ax.plot([low, high], [at, at], color=colour, linewidth=1.6, solid_capstyle="butt")
                if chosen:
                    ax.axvspan(low, high, color=colour, alpha=0.12, linewidth=0)
            if chosen:
                ax.axvline(row["estimate"], color=colour, linestyle="--", linewidth=1)
            ax.plot(row["estimate"], at, "o", color=colour, markersize=6)
            figures = f"{row['estimate']:+.3f}" + ("" if low is None else f"  [{low:+.3f}, {high:+.3f}]")
            ax.annotate(
                figures.replace("-", "−"), (1.02, at), xycoords=("axes fraction", "data"), va="center", fontsize=9
            )
        if np.nanmin([v for v in table["ci_low"].to_list() + table["estimate"].to_list() if v is not None]) < 0:
            ax.axvline(0, color="#555555", linewidth=0.8)
        counts = table["n_archs"].unique().sort().to_list()
        if len(counts) > 1:
            labels = [f"{proxy_label(r['proxy'])} (n = {r['n_archs']:,})" for r in table.iter_rows(named=True)]
        else:
            labels = [proxy_label(name) for name in table["proxy"]]
            ax.annotate(
                f"n = {counts[0]:,}", (1.02, 1.0), xycoords="axes fraction", va="bottom", fontsize=9, color="#555555"
            )
        ax.set_yticks(range(len(table)), labels)
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.grid(False, axis="y")
        ax.set_xlabel(f"{statistic_label(statistic)} with true accuracy, 95 % interval")
        if title:
            ax.set_title(title)
    return ax
