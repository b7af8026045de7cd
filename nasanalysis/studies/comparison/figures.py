"""Figures of ``[[compare]]`` items."""

from __future__ import annotations

from typing import Any

import polars as pl

from ... import plots
from ...loaders import Benchmark
from ...plots.style import proxy_label
from ...report.explorer import MOST, explorer, points
from ...report.model import Figure
from ..boards import DATASET_LABELS
from .items import Comparison


def steps_figure(item: Comparison, statistics: pl.DataFrame, dataset: str) -> Figure:
    """The first statistic against steps; `statistics`: STATS of every step."""
    order = {name: k for k, name in enumerate(item.proxies)}
    frame = statistics.filter(pl.col("dataset") == dataset)
    frame = frame.sort(pl.col("proxy").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
    n = int(frame["n_archs"].to_numpy().max())
    return Figure(
        f"{item.name}-{dataset}-by-step".lower(),
        f"{item.title}: {DATASET_LABELS.get(dataset, dataset)}, {n:,} architectures; bands are 95 % intervals.",
        lambda: plots.plot_correlation_by_step(frame, item.statistics[0]),
        frame.filter(pl.col("statistic") == item.statistics[0]),
    )


def scatter_figure(
    item: Comparison, truth: pl.DataFrame, scores: pl.DataFrame, dataset: str, proxy: str, benchmark: Benchmark | None
) -> Figure:
    """Score after the last step against true accuracy, a point for each architecture.

    With `benchmark`, whose curves it shows, a chart that answers the pointer stands in its place where scripts run.
    """
    chosen = scores.filter(pl.col("proxy") == proxy, pl.col("dataset") == dataset)
    chosen = chosen.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max()))
    pairs = plots.score_against_truth(truth, chosen)
    target = f"{item.split} accuracy on {DATASET_LABELS.get(dataset, dataset)}"
    name = proxy_label(proxy)
    return Figure(
        f"{item.name}-{dataset}-{proxy}-scatter".lower().replace("@", "-"),
        f"{name[0].upper()}{name[1:]} against {target}, one point for each of {len(pairs):,} architectures.",
        lambda: plots.plot_scatter(pairs, proxy=proxy, target=target),
        pairs,
        None if benchmark is None else lambda: _explorer(item, pairs, scores, dataset, proxy, benchmark),
        EXPLORER + (f" {OF_MANY}" if len(pairs) > MOST else ""),
    )


#: What a reader can do with the chart, and what it leaves out.
EXPLORER = (
    "Point at an architecture to see its cell, its curve and its scores; drag a rectangle to see where those in it lie."
)
OF_MANY = (
    f"The chart holds {MOST:,} of them: the best, those on the front of parameters and accuracy, and a random draw."
)


def _explorer(
    item: Comparison, pairs: pl.DataFrame, scores: pl.DataFrame, dataset: str, proxy: str, benchmark: Benchmark
) -> dict[str, Any]:
    last = scores.filter(pl.col("dataset") == dataset).filter(
        pl.col("step").is_null() | (pl.col("step") == pl.col("step").max().over("proxy"))
    )
    quantity, words = "", ""

    def curves(archs: list[str]) -> pl.DataFrame:
        nonlocal quantity, words
        frame = benchmark.curves(dataset, schedule=item.schedule, archs=archs)
        told = {q: frame.drop_nulls(q)["step"].n_unique() for q in CURVES}
        quantity, words = next(((q, w) for q, w in CURVES.items() if told[q] >= FEWEST), ("", ""))
        if not quantity:
            return pl.DataFrame(schema={"arch": pl.String, "step": pl.Int64, "value": pl.Float64})
        return frame.select(pl.col("arch").cast(pl.String), "step", value=quantity)

    table = points(pairs.select("arch", "accuracy"), last.drop_nulls("value"), curves)
    proxies = [proxy, *(name for name in item.proxies if name != proxy and name in table.columns)]
    return explorer(table, proxies, target=f"{item.split} accuracy", curve=words)


#: Steps that make a curve.
FEWEST = 4
#: What of a curve is shown, the first that is recorded.
CURVES = {
    "train_loss": "training loss (nats)",
    "valid_accuracy": "validation accuracy (%)",
    "train_accuracy": "training accuracy (%)",
}
