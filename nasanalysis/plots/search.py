"""Searches: true accuracy of the best found against queries, and what a budget of seconds buys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, unit_sign
from .lines import colours_and_markers, draw_line
from .style import GREY, legend_beside, look, new_axes, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What a reader sees for an algorithm's name.
ALGORITHM_LABELS = {
    "random_search": "random search",
    "regularised_evolution": "regularised evolution",
    "spos_evolution": "SPOS evolution",
    "successive_halving": "successive halving",
}
_NEEDED = ("algorithm", "fitness", "query", "mean", "ci_low", "ci_high", "low", "high", "best_possible", "n_seeds")
Band = Literal["mean", "seeds"]
#: The columns of a frame to draw that hold the band.
BAND = ("band_low", "band_high")


@any_frame
def search_frame(summary: pl.DataFrame, *, band: Band = "mean") -> pl.DataFrame:
    """What one figure shows of `nasanalysis.search.summarise_searches`: a line for each algorithm and fitness.

    Parameters
    ----------
    summary: of `compare_searches` or `summarise_searches`.
    band: ``mean`` (interval of the mean over seeds), or ``seeds`` (where the central share of the seeds lies).

    Returns columns line, query, mean, band_low, band_high, best_possible, n_seeds (percent), in the order of the
    lines. A line is named by what differs: the algorithm, the fitness, or both.
    """
    missing = [name for name in _NEEDED if name not in summary.columns]
    if missing:
        raise StudyError(f"search_frame: expected the columns of compare_searches, {', '.join(missing)} missing")
    if band not in ("mean", "seeds"):
        raise StudyError(f"search_frame: band: expected 'mean' or 'seeds', got {band!r}")
    table = summary.filter(pl.col("mean").is_not_null())
    if table.is_empty():
        raise StudyError("search_frame: no search found an architecture with a true accuracy")
    algorithms, fitnesses = table["algorithm"].n_unique(), table["fitness"].n_unique()

    def name(algorithm: str, fitness: str) -> str:
        first, second = ALGORITHM_LABELS.get(algorithm, algorithm), proxy_label(fitness)
        if fitnesses == 1:
            return first
        return second if algorithms == 1 else f"{first}, {second}"

    keys = zip(table["algorithm"], table["fitness"], strict=True)
    low, high = ("ci_low", "ci_high") if band == "mean" else ("low", "high")
    table = table.with_columns(pl.Series("line", [name(a, f) for a, f in keys]))
    order = {line: i for i, line in enumerate(table["line"].unique(maintain_order=True))}
    table = table.sort(pl.col("line").replace_strict(order, return_dtype=pl.Int64), "query", maintain_order=True)
    if table.select("line", "query").is_duplicated().any():
        raise StudyError("search_frame: expected one row for each algorithm, fitness and query; filter first")
    return table.select(
        "line", "query", "mean", "best_possible", "n_seeds", band_low=pl.col(low), band_high=pl.col(high)
    )


@any_frame
def plot_search(
    summary: pl.DataFrame,
    *,
    band: Band = "mean",
    target: str = "test accuracy",
    unit: str = "percent",
    direction: int = 1,
    low: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `search_frame`: a line with a band for each search, the best possible as a level line.

    unit, direction: of the truth; -1 where less is better.
    low: lower end of the y axis (its upper end where less is better), in the truth's unit: the first queries of a
    search often lie far from all that matters; by default where the worst line stands after a tenth of the queries.

    Returns the Axes.
    """
    table = search_frame(summary, band=band)
    best = table["best_possible"].max()
    bottom, top = _in_sight(table, direction, low)
    with look():
        ax = new_axes(ax, figsize=_room(table))
        looks = colours_and_markers(table["line"])
        for line, (colour, marker) in looks.items():
            rows = table.filter(pl.col("line") == line)
            style: dict[str, Any] = {"label": line, "bands": len(looks), "marker": marker}
            draw_line(ax, rows, "query", "mean", colour=colour, band=BAND, **style)
        if best is not None:
            ax.axhline(_number(best), color=GREY, linestyle="--", linewidth=1.2, label="best possible", zorder=1)
        ax.set_ylim(bottom, top)
        seen = table.filter(pl.col("mean").is_between(bottom, top))["query"]  # queries at which a line is in sight
        ax.set_xlim(0.9 * max(1, _number(seen.min())), 1.1 * _number(table["query"].max()))
        _log_x(ax, "queries")
        ax.set_ylabel(f"{target} of the best found ({unit_sign(unit)})")
        if title:
            ax.set_title(title)
        ax.legend(title=f"mean of {_searches(table)} searches")
        legend_beside(ax)
    return ax


def _in_sight(table: pl.DataFrame, direction: int, low: float | None) -> tuple[float, float]:
    """Ends of the y axis: from where the worst line stands after a tenth of the queries, or `low`, to the best."""
    ends = ("band_low", "band_high") if direction > 0 else ("band_high", "band_low")
    sides = table.select(
        "query", "mean", worst=direction * pl.col(ends[0]), good=direction * pl.col(ends[1])
    ).with_columns(mean=direction * pl.col("mean"))
    late = sides.filter(pl.col("query") >= pl.col("query").max() / 10)
    best = [direction * _number(value) for value in (table["best_possible"].max(),) if value is not None]
    top = max([*best, *(_number(v) for v in (sides["good"].max(), sides["mean"].max()) if v is not None)])
    lowest = [_number(v) for v in (late["mean"].min(), late["worst"].min()) if v is not None]  # without bands: means
    bottom = direction * low if low is not None else min(lowest)
    margin = 0.04 * max(top - bottom, 1e-9)
    low_end, high_end = sorted((direction * (bottom - margin), direction * (top + margin)))
    return low_end, high_end


@any_frame
def regret_frame(summary: pl.DataFrame, *, band: Band = "mean", direction: int = 1) -> pl.DataFrame:
    """`search_frame` as regret: how far the best found lies from the best possible (percentage points, or the truth's
    unit). direction: -1 where less of the truth is better.

    `StudyError` where the best possible is not known: `summarise_searches` is told it (``best_possible=``).
    """
    table = search_frame(summary, band=band)
    if table["best_possible"].null_count():
        raise StudyError("regret_frame: expected best_possible in every row; pass it to summarise_searches")
    best = pl.col("best_possible")
    low, high = (direction * (best - pl.col(end)) for end in BAND[::-direction])
    return table.with_columns(mean=direction * (best - pl.col("mean")), band_low=low, band_high=high)


@any_frame
def plot_regret(
    summary: pl.DataFrame,
    *,
    band: Band = "mean",
    target: str = "test accuracy",
    unit: str = "percent",
    direction: int = 1,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `regret_frame`: a line with a band for each search, down to 0, the best architecture. Returns the Axes.

    unit, direction: of the truth; -1 where less is better.
    """
    table = regret_frame(summary, band=band, direction=direction)
    with look():
        ax = new_axes(ax, figsize=_room(table))
        looks = colours_and_markers(table["line"])
        for line, (colour, marker) in looks.items():
            rows = table.filter(pl.col("line") == line)
            style: dict[str, Any] = {"label": line, "bands": len(looks), "marker": marker}
            draw_line(ax, rows, "query", "mean", colour=colour, band=BAND, **style)
        ax.set_ylim(bottom=0)
        _log_x(ax, "queries")
        ax.set_ylabel(f"regret in {target} ({'percentage points' if unit == 'percent' else unit})")
        if title:
            ax.set_title(title)
        ax.legend(title=f"mean of {_searches(table)} searches")
        legend_beside(ax)
    return ax


def _searches(table: pl.DataFrame) -> str:
    seeds = sorted(set(table["n_seeds"].to_list()))
    return f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"


def budget_frame(curves: Mapping[str, Any]) -> pl.DataFrame:
    """Label -> frame of `budget_curve` or `filtered_budget_curve`, as one frame with a column ``line``.

    Adds band_low and band_high: 1.96 standard errors (exact curves have none).
    """
    from ..core.frames import to_polars

    if not curves:
        raise StudyError("budget_frame: expected at least one curve")
    parts = []
    for label, frame in curves.items():
        table = to_polars(frame)
        missing = [
            n
            for n in ("seconds", "n_scored", "expected_accuracy", "standard_error", "best_possible")
            if n not in table.columns
        ]
        if missing:
            raise StudyError(f"budget_frame: {label}: expected a frame of budget_curve, {', '.join(missing)} missing")
        half = 1.96 * pl.col("standard_error")
        parts.append(
            table.sort("n_scored").select(
                pl.lit(label).alias("line"),
                pl.all(),
                band_low=pl.col("expected_accuracy") - half,
                band_high=pl.col("expected_accuracy") + half,
            )
        )
    return pl.concat(parts)


def plot_budget(
    curves: Mapping[str, Any],
    *,
    target: str = "test accuracy",
    unit: str = "percent",
    direction: int = 1,
    low: float | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `budget_frame`: expected truth of the pick against seconds; what costs nothing is a level line.

    unit, direction: of the truth; -1 where less is better. low: as in `plot_search`.
    A curve without cost has no place on a log axis: its best expectation (all that is free is scored) is drawn as a
    dotted level line.

    Returns the Axes.
    """
    table = budget_frame(curves)
    best = direction * max(direction * _number(value) for value in table["best_possible"].unique())
    with look():
        ax = new_axes(ax, figsize=_room(table))
        looks = colours_and_markers(table["line"])
        for line, (colour, marker) in looks.items():
            rows = table.filter(pl.col("line") == line)
            if not (rows["seconds"] > 0).any():
                height = _number(rows["expected_accuracy"].tail(1).item())
                ax.axhline(height, color=colour, linestyle=":", label=f"{line} (free)", zorder=2)
                continue
            style: dict[str, Any] = {"label": line, "bands": len(looks), "marker": marker}
            paid = rows.filter(pl.col("seconds") > 0)
            draw_line(ax, paid, "seconds", "expected_accuracy", colour=colour, band=BAND, **style)
        ax.axhline(best, color=GREY, linestyle="--", linewidth=1.2, label="best possible", zorder=1)
        _log_x(ax, "seconds")
        if low is not None:
            ax.set_ylim(*sorted((low, best + 0.04 * (best - low))))
        ax.set_ylabel(f"expected {target} of the pick ({unit_sign(unit)})")
        if title:
            ax.set_title(title)
        ax.legend()
        legend_beside(ax)
    return ax


def _room(table: pl.DataFrame) -> tuple[float, float]:
    """Width and height (inches) of a figure whose legend stands beside the axes."""
    return 6.6 + 0.075 * _number(table["line"].str.len_chars().max()), 4.2


def _log_x(ax: Axes, label: str) -> None:
    """A logarithmic x axis with plain numbers: 1, 2 and 5 of each decade where few are in sight, else 1."""
    from matplotlib.ticker import LogLocator

    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 500 * low else (1.0,)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda *_: "")
    ax.set_xlabel(label)


def _number(value: Any) -> float:
    return float(value)
