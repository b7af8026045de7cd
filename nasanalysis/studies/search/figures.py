"""Figures of ``[[search]]`` items: true accuracy against queries, and against the cost of scoring."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ...core.seeding import generator
from ...plots.search import budget_frame, plot_budget, plot_regret, plot_search, regret_frame, search_frame
from ...plots.style import legend_beside
from ...report.model import Figure
from ...search import budget_curve, filtered_budget_curve
from .fitness_items import TRUTH
from .items import BudgetCurve, SearchFigure
from .runs import TRUTH_SHOWN, Runs
from .table import capital

#: About how many sizes of a sample a budget curve shows.
_SIZES = 25


def against_queries(runs: Runs, figure: SearchFigure) -> Figure:
    """True accuracy of the best found against queries, or its distance from the best possible."""
    item = runs.searched.item
    shown = {a.key: a.shown for a in item.algorithms}
    quantity = runs.searched.quantity
    chosen = runs.summary.filter(
        pl.col("algorithm").is_in(list(figure.algorithms)), pl.col("fitness").is_in(list(figure.fitnesses))
    )
    order = {name: k for k, name in enumerate((*figure.algorithms, *figure.fitnesses))}
    chosen = chosen.sort(
        pl.col("algorithm").replace_strict(order, return_dtype=pl.Int64),
        pl.col("fitness").replace_strict(order, return_dtype=pl.Int64),
        maintain_order=True,
    ).with_columns(pl.col("algorithm").replace(shown), pl.col("fitness").replace({TRUTH: TRUTH_SHOWN}))
    one = figure.algorithms[0] if len(figure.algorithms) == 1 else None
    subject = shown[one] if one else f"fitness: {figure.fitnesses[0].replace(TRUTH, TRUTH_SHOWN)}"
    how: dict[str, Any] = {
        "target": f"{item.split} {quantity.words}",
        "unit": quantity.unit,
        "direction": quantity.direction,
    }
    caption = figure.caption or (
        f"How far the best found lies {'below' if quantity.direction > 0 else 'above'} the best possible, by queries."
        if figure.kind == "regret"
        else f"True {quantity.words} of the best found, by queries."
    )

    def draw() -> Any:
        if figure.kind == "regret":
            return plot_regret(chosen, **how)
        return plot_search(chosen, low=figure.low, **how)

    return Figure(
        f"{item.name}-{figure.name}",
        f"{caption} {capital(subject)}; bands: 95 % intervals of the mean over {item.seeds} searches.",
        draw,
        regret_frame(chosen, direction=quantity.direction) if figure.kind == "regret" else search_frame(chosen),
    )


def against_cost(runs: Runs, figure: SearchFigure) -> Figure:
    """Expected truth of the pick against cost."""
    item, quantity = runs.searched.item, runs.searched.quantity
    curves = {curve.label: _curve(runs, curve) for curve in figure.curves}
    target = f"{item.split} {quantity.words}"

    def draw() -> Any:
        ax = plot_budget(curves, target=target, unit=quantity.unit, direction=quantity.direction, low=figure.low)
        ax.set_xlabel(item.cost_unit)
        legend_beside(ax)
        return ax

    drawn = any(curve.filter for curve in figure.curves)
    caption = figure.caption or "What is expected of scoring architectures drawn at random and picking the best."
    bands = " Bands: 95 % intervals of the random samples of a filter; the other curves are exact." if drawn else ""
    return Figure(f"{item.name}-{figure.name}", f"{caption}{bands}", draw, budget_frame(curves))


def _curve(runs: Runs, curve: BudgetCurve) -> pl.DataFrame:
    """In the truth's own numbers."""
    sign = runs.searched.quantity.direction
    return _oriented(runs, curve).with_columns(pl.col("expected_accuracy", "best_possible") * sign)


def _oriented(runs: Runs, curve: BudgetCurve) -> pl.DataFrame:
    searched = runs.searched
    known, n, second = searched.known, len(searched.known), searched.whole(curve.fitness)
    if curve.filter is None:
        return budget_curve(second, known, n_scored=_spaced(n))
    kept = _spaced(max(1, int(curve.keep * n)))  # whole architectures: the filter lets 1, 2, ... through
    sizes = sorted({min(n, round(k / curve.keep)) for k in kept} | {n})
    rng = generator(runs.resampling.seed, "search study", searched.item.name, curve.label)
    return filtered_budget_curve(
        searched.whole(curve.filter), second, known, rng, keep=curve.keep, n_scored=sizes, draws=curve.draws
    )


def _spaced(most: int) -> list[int]:
    """About `_SIZES` whole numbers from 1 to `most`, evenly on a log scale."""
    return sorted({round(n) for n in np.geomspace(1, most, _SIZES).tolist()})
