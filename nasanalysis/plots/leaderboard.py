"""A leaderboard as bars of intervals in tiers, and what the entries cost against how well they rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..stats.front import with_front
from .lines import colours_and_markers
from .style import GREY, legend_beside, look, new_axes, proxy_label, statistic_label

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
    """Draw `nasanalysis.stats.leaderboard`: a point and its interval for each entry in its proxy's colour.

    Every second tier lies on a band: the simultaneous comparison does not tell its entries from the best of it; the
    vertical line is `baseline`. Two entries of one tier are not shown to be equal.
    """
    table = leaderboard.drop_nulls("estimate")
    if table.is_empty():
        raise StudyError("leaderboard: expected entries with an estimate, got none")
    tiers = table["tier"].to_list()
    with look():
        ax = new_axes(ax, figsize=(7.0, 1.1 + 0.32 * len(table)))
        looks = colours_and_markers(table["proxy"])
        for at, row in enumerate(table.iter_rows(named=True)):
            colour, marker = looks[row["proxy"]]
            if row["ci_low"] is not None:
                ax.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, linewidth=3, alpha=0.5)
            ax.plot(row["estimate"], at, marker, color=colour, markersize=6)
        for tier in sorted(set(tiers)):
            if tier % 2 == 0:
                first, last = tiers.index(tier), len(tiers) - 1 - tiers[::-1].index(tier)
                ax.axhspan(first - 0.5, last + 0.5, color=GREY, alpha=0.08, linewidth=0, zorder=0)
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

    The points of one proxy read at several costs are joined by a line.
    learned: columns k, cost, learned, learned_low, learned_high (of `nasanalysis.stats.learned_bar`, with a cost): what
    k trained architectures and a regressor give, as open squares; the front is of entries and squares together.
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
        looks = colours_and_markers(table["proxy"])
        named = len(looks) > _IN_A_LEGEND and len(looks) == len(table)
        beside = len(looks) > _IN_A_LEGEND and not named
        ax = new_axes(ax, figsize=(10.0, 4.6) if beside else (7.0, 4.4))
        said = {} if named else {name: proxy_label(name) for name in looks}
        for row in table.iter_rows(named=True):
            colour, marker = looks[row["proxy"]]
            _whiskers(ax, [row["cost"]], [row["ci_low"]], [row["ci_high"]], colour)
            ax.plot([row["cost"]], [row["estimate"]], marker, color=colour, label=said.pop(row["proxy"], None))
        for name, (colour, _) in looks.items():
            line = table.filter(proxy=name).sort("cost")
            ax.plot(line["cost"], line["estimate"], color=colour, linewidth=0.8, alpha=0.5, zorder=1)
        if learned is not None:
            _whiskers(ax, bar["cost"], bar["learned_low"], bar["learned_high"], GREY)
            label = "so many trained architectures and a regressor"
            ax.plot(bar["cost"], bar["learned"], "s", color=GREY, markerfacecolor="white", label=label)
            for i, (k, cost, estimate) in enumerate(bar.select("k", "cost", "learned").iter_rows()):
                where: dict[str, Any] = {"textcoords": "offset points", "ha": "left" if i % 2 else "right"}
                place, side = ((3, -5), "top") if i % 2 else ((-2, 4), "bottom")  # neighbours stand apart
                ax.annotate(f"{k}", (cost, estimate), place, va=side, fontsize=8, color=GREY, **where)
        ax.step(front["cost"], front["estimate"], where="post", color=GREY, label="best for its cost", zorder=1)
        _stretch(ax, pl.concat(points)["cost"].to_numpy(), _NAMES if named else (0.06, 0.06))
        if named:
            _labels(ax, table, {name: colour for name, (colour, _) in looks.items()})
        ax.set_xlabel(cost_label)
        ax.set_ylabel(f"{statistic_label(table['statistic'][0])}")
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": 2}  # entries fill the rest
        ax.legend(**above)
        if beside:
            legend_beside(ax)
    return ax


def _whiskers(ax: Axes, x: Any, low: Any, high: Any, colour: Any) -> None:
    """Intervals as lines; none where an end is undefined."""
    at, bottom, top = (pl.Series(list(one), dtype=pl.Float64).fill_null(np.nan).to_numpy() for one in (x, low, high))
    ax.vlines(at, bottom, top, color=colour, alpha=0.45)


#: Proxies up to so many stand in a legend above. More of them are named beside their point, or, where they have points
#: of several steps, in a legend beside the axes.
_IN_A_LEGEND = 6
#: Share of the axes' width that names left of the cheapest entries take, or right of the dearest.
_NAMES = 0.24, 0.14
#: Height of a name, and how much closer than that two of them may never lie, as a share of the axes' height.
_LINE = 0.042


def _stretch(ax: Axes, costs: Any, room: tuple[float, float]) -> None:
    """Costs of more than a decade on a logarithmic axis that has a place for nothing; `room` at both ends."""
    positive = costs[costs > 0]
    if len(positive) and positive.max() > 10 * positive.min():
        ax.set_xscale("symlog", linthresh=float(positive.min()), linscale=0.5)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    scale = ax.xaxis.get_transform()
    low, high = (float(scale.transform(np.array([one], dtype=np.float64))[0]) for one in (costs.min(), costs.max()))
    wide = (high - low or 1.0) / (1 - sum(room))
    ends = scale.inverted().transform(np.array([low - room[0] * wide, high + room[1] * wide]))
    ax.set_xlim(float(ends[0]), float(ends[1]))
    if costs.min() >= 0:
        ax.minorticks_off()
        least = 0.99 * float(positive.min()) if len(positive) else 0.0
        ax.set_xticks([tick for tick in ax.get_xticks() if tick <= ends[1] and (tick == 0 or tick >= least > 0)])


def _labels(ax: Axes, table: pl.DataFrame, colours: Mapping[str, Any]) -> None:
    """A name beside each point: left of the cheapest, right of the others; of one cost they stand in a column."""
    bottom, top = ax.get_ylim()
    cheapest = float(table["cost"].to_numpy().min())
    for _, group in table.sort("estimate").group_by("cost", maintain_order=True):
        places = _apart(group["estimate"].to_list(), _LINE * (top - bottom), bottom, top)
        rows = group.select("cost", "estimate", "proxy").iter_rows()
        side = -1 if float(group["cost"][0]) == cheapest else 1
        for place, (cost, estimate, proxy) in zip(places, rows, strict=True):
            line: dict[str, Any] = {"arrowstyle": "-", "color": colours[proxy], "linewidth": 0.7, "shrinkA": 0}
            ax.annotate(
                proxy_label(proxy),
                (cost, estimate),
                (side * 22, place),
                textcoords=("offset points", "data"),
                ha="right" if side < 0 else "left",
                va="center",
                fontsize=8.5,
                arrowprops={**line, "shrinkB": 3, "relpos": (1 if side < 0 else 0, 0.5)},
            )


def _apart(heights: Sequence[float], gap: float, bottom: float, top: float) -> list[float]:
    """Places as near to `heights` (rising) as they go (least squares), at least `gap` apart, within the axes."""
    from scipy.optimize import isotonic_regression

    steps = gap * np.arange(len(heights))
    places = isotonic_regression(np.asarray(heights, dtype=np.float64) - steps).x + steps
    shift = min(0.0, top - gap / 2 - places[-1]) or max(0.0, bottom + gap / 2 - places[0])
    shifted: list[float] = (places + shift).tolist()
    return shifted
