"""Figures of ``[[compare]]`` items."""

from __future__ import annotations

import polars as pl

from ... import plots
from ...plots.style import proxy_label
from ...report.model import Figure
from .items import Comparison


def steps_figure(item: Comparison, statistics: pl.DataFrame, dataset: str) -> Figure:
    """The first statistic against steps; `statistics`: STATS of every step."""
    order = {name: k for k, name in enumerate(item.proxies)}
    frame = statistics.filter(pl.col("dataset") == dataset)
    frame = frame.sort(pl.col("proxy").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
    n = int(frame["n_archs"].to_numpy().max())
    return Figure(
        f"{item.name}-{dataset}-by-step".lower(),
        f"{item.title}: {dataset}, {n:,} architectures; bands are 95 % intervals.",
        lambda: plots.plot_correlation_by_step(frame, item.statistics[0]),
        frame.filter(pl.col("statistic") == item.statistics[0]),
    )


def scatter_figure(item: Comparison, truth: pl.DataFrame, scores: pl.DataFrame, dataset: str, proxy: str) -> Figure:
    """Score after the last step against true accuracy, a point for each architecture."""
    chosen = scores.filter(pl.col("proxy") == proxy, pl.col("dataset") == dataset)
    chosen = chosen.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max()))
    pairs = plots.score_against_truth(truth, chosen)
    target = f"{item.split} accuracy on {dataset}"
    name = proxy_label(proxy)
    return Figure(
        f"{item.name}-{dataset}-{proxy}-scatter".lower().replace("@", "-"),
        f"{name[0].upper()}{name[1:]} against {target}, one point for each of {len(pairs):,} architectures.",
        lambda: plots.plot_scatter(pairs, proxy=proxy, target=target),
        pairs,
    )
