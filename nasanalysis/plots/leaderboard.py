"""A leaderboard as bars of intervals in tiers, and what the entries cost against how well they rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..stats.front import with_front
from .lines import palette
from .style import GREY, look, new_axes, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def entry_label(proxy: str, step: int | None, unit: str | None = "epoch") -> str:
    """``SoTL, 4 epochs``, or ``parameters``."""
    if step is None:
        return proxy_label(proxy)
    return f"{proxy_label(proxy)}, {step} {unit or 'step'}{'' if step == 1 else 'es' if unit == 'minibatch' else 's'}"


@any_frame
def plot_leaderboard(
    leaderboard: pl.DataFrame, *, baseline: str = "params", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `nasanalysis.stats.leaderboard`: a point and its interval for each entry, a shade for each tier.

    Lines between tiers say which entries the simultaneous comparison tells apart from the best of their tier; the
    vertical line is `baseline`. Two entries of one tier are not shown to be equal.
    """
    table = leaderboard.drop_nulls("estimate")
    if table.is_empty():
        raise StudyError("leaderboard: expected entries with an estimate, got none")
    tiers = table["tier"].to_list()
    with look():
        ax = new_axes(ax, figsize=(7.0, 1.1 + 0.32 * len(table)))
        colours = palette(2)
        for at, row in enumerate(table.iter_rows(named=True)):
            colour = GREY if row["proxy"] == baseline else colours[(row["tier"] - 1) % 2]
            if row["ci_low"] is not None:
                ax.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, linewidth=3, alpha=0.5)
            ax.plot(row["estimate"], at, "o", color=colour, markersize=6)
            if at and tiers[at] != tiers[at - 1]:
                ax.axhline(at - 0.5, color=GREY, linewidth=0.6, linestyle=":")
        for row in table.filter(proxy=baseline).iter_rows(named=True):
            ax.axvline(row["estimate"], color=GREY, linewidth=1, zorder=0)
        labels = [entry_label(p, s, u) for p, s, u in table.select("proxy", "step", "unit").iter_rows()]
        ax.set_yticks(range(len(table)), [f"{label}  (tier {t})" for label, t in zip(labels, tiers, strict=True)])
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlabel(f"{statistic_label(table['statistic'][0])} with true accuracy, 95 % interval")
        if title:
            ax.set_title(title)
    return ax


@any_frame
def plot_cost_front(
    leaderboard: pl.DataFrame, *, cost_label: str = "epochs of training for one architecture", ax: Axes | None = None
) -> Axes:
    """Rank correlation against cost, a labelled point for each entry with a cost, and the Pareto front as steps."""
    table = leaderboard.drop_nulls(["estimate", "cost"])
    if table.is_empty():
        raise StudyError("cost front: expected entries with a cost, got none; hand costs to the leaderboard")
    front = with_front(table, "cost", "estimate").filter(pl.col("on_front")).sort("cost", "estimate")
    with look():
        ax = new_axes(ax, figsize=(7.0, 4.4))
        blue, orange = palette(2)
        x, y = (table[name].cast(pl.Float64).to_numpy() for name in ("cost", "estimate"))
        low, high = (table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("ci_low", "ci_high"))
        ax.vlines(x, low, high, color=blue, alpha=0.4)
        ax.plot(x, y, "o", color=blue)
        ax.step(front["cost"], front["estimate"], where="post", color=orange, label="best for its cost", zorder=1)
        _labels(ax, table)
        ax.set_xlabel(cost_label)
        ax.set_ylabel(f"{statistic_label(table['statistic'][0])}")
        ax.margins(x=0.15)
        ax.legend(loc="lower right")
    return ax


def _labels(ax: Axes, table: pl.DataFrame) -> None:
    """Names beside the points; those of one cost that would lie on one another are moved apart."""
    gap = 0.035 * float(np.ptp(table["estimate"].to_numpy()) or 1.0)
    for _, group in table.sort("estimate").group_by("cost", maintain_order=True):
        place = -np.inf
        for cost, estimate, proxy in group.select("cost", "estimate", "proxy").iter_rows():
            place = max(float(estimate), place + gap)
            ax.text(float(cost), place, f"  {proxy_label(str(proxy))}", fontsize=8.5, va="center")
