"""A leaderboard as bars of intervals in tiers, and what the entries cost against how well they rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..stats.front import with_front
from .lines import palette
from .style import GREY, look, new_axes, proxy_label, statistic_label

#: More entries of one cost than this are named left of their points: the right side belongs to dearer ones.
_FEW = 4

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
    leaderboard: pl.DataFrame,
    *,
    learned: pl.DataFrame | None = None,
    cost_label: str = "epochs of training for one architecture",
    ax: Axes | None = None,
) -> Axes:
    """Rank correlation against cost, a point for each entry with a cost, and the Pareto front as steps.

    The points of one proxy read at several costs are joined by a line and named once, at the cheapest.
    learned: columns k, cost, learned, learned_low, learned_high (of `nasanalysis.stats.learned_bar`, with a cost): what
    k trained architectures and a regressor give, as squares; the front is of entries and squares together.
    """
    table = leaderboard.drop_nulls(["estimate", "cost"])
    if table.is_empty():
        raise StudyError("cost front: expected entries with a cost, got none; hand costs to the leaderboard")
    points = [table.select(pl.col("cost", "estimate", "ci_low", "ci_high").cast(pl.Float64))]
    if learned is not None:
        bar = learned.unique("k").sort("k")
        points.append(
            bar.select(
                pl.col("cost").cast(pl.Float64), estimate="learned", ci_low="learned_low", ci_high="learned_high"
            )
        )
    front = with_front(pl.concat(points), "cost", "estimate").filter(pl.col("on_front")).sort("cost", "estimate")
    with look():
        ax = new_axes(ax, figsize=(7.0, 4.4))
        blue, orange, green = palette(3)
        for rows, colour, marker in zip(points, (blue, green), ("o", "s"), strict=False):
            x, y, low, high = (
                rows[name].fill_null(np.nan).to_numpy() for name in ("cost", "estimate", "ci_low", "ci_high")
            )
            ax.vlines(x, low, high, color=colour, alpha=0.4)
            label = "so many trained architectures and a regressor" if marker == "s" else None
            ax.plot(x, y, marker, color=colour, label=label)
        ax.step(front["cost"], front["estimate"], where="post", color=orange, label="best for its cost", zorder=1)
        several = [
            part.sort("cost").with_columns(several=len(part) > 1)
            for _, part in table.group_by("proxy", maintain_order=True)
        ]
        for part in several:
            ax.plot(part["cost"], part["estimate"], color=blue, linewidth=0.8, alpha=0.5, zorder=1)
        left = _labels(ax, pl.concat([part.head(1) for part in several]), float(np.ptp(table["estimate"].to_numpy())))
        if learned is not None:
            for k, cost, estimate in bar.select("k", "cost", "learned").iter_rows():
                where: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "bottom"}
                ax.annotate(f"{k}", (cost, estimate), (-2, 4), fontsize=8, color=green, **where)
            _stretch(ax, pl.concat(points)["cost"].to_numpy(), left)
        ax.set_xlabel(cost_label)
        ax.set_ylabel(f"{statistic_label(table['statistic'][0])}")
        ax.margins(x=0.3 if left else 0.15)
        ax.set_xticks([tick for tick in ax.get_xticks() if tick >= 0])  # no cost is below 0
        ax.minorticks_off()
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 2}  # entries fill the rest
        ax.legend(**({"loc": "lower right"} if learned is None else above))
    return ax


def _stretch(ax: Axes, costs: Any, left: bool) -> None:
    """Costs that span more than a decade on a logarithmic axis that has a place for those that are nothing."""
    positive = costs[costs > 0]
    if len(positive) and positive.max() > 10 * positive.min():
        ax.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.5)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_xlim(left=-(2.0 if left else 0.3) * float(positive.min()), right=3 * float(positive.max()))


def _labels(ax: Axes, table: pl.DataFrame, height: float) -> bool:
    """Names beside the points, moved as little as keeps them apart; left of points of one cost if many, or if lines go on.

    height: of the figure, in units of the estimate. Returns whether some stand left.
    """
    from scipy.optimize import isotonic_regression

    gap = 0.045 * (height or 1.0)
    left = False
    for _, group in table.sort("estimate").group_by("cost", maintain_order=True):
        heights, steps = group["estimate"].to_numpy(), gap * np.arange(len(group))
        places = isotonic_regression(heights - steps).x + steps  # least squares, at least a gap between two
        many = len(group) > _FEW or bool(group["several"].any())  # a line goes on to the right
        left |= many
        for place, height, cost, proxy in zip(places, heights, group["cost"], group["proxy"], strict=True):
            ax.annotate(
                proxy_label(str(proxy)),
                (float(cost), height),
                (-14 if many else 8, place),
                textcoords=("offset points", "data"),
                fontsize=8.5,
                ha="right" if many else "left",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3},
            )
    return left
