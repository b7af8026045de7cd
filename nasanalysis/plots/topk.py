"""How good the architectures are that a proxy puts first, for every k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from ..proxies import direction as proxy_direction
from ..stats import topk_mean
from .losses import mean_accuracy
from .style import COLOURS, MARKERS, look, new_axes, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
BEST, RANDOM = "best possible", "chosen at random"


@any_frame
def topk_by_k(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    ks: Sequence[int] = KS,
    directions: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Columns ``proxy, k, topk_mean, n_archs``: mean true accuracy (percent) of the `k` scored best.

    Architectures are those that every proxy scores, so all stand before the same choice; `ks` beyond
    their number are left out. Two more lines are added: `BEST` (the truly best k) and `RANDOM` (the mean
    of all, what a random choice gives in expectation). Ties at the k-th place: the expectation over
    breaking them at random.

    `truth`: of one dataset, split and schedule. `scores`: one step of each proxy; seeds are averaged.
    """
    table = check(scores, "SCORES")
    if table.select("proxy", "method", "setting", "step").unique()["proxy"].n_unique() != len(
        table.select("proxy", "method", "setting", "step").unique()
    ):
        raise StudyError("top-k: expected one method, setting and step for each proxy; filter first")
    proxies = table["proxy"].unique(maintain_order=True).to_list()
    means = table.group_by("arch", "proxy").agg(pl.col("value").mean()).pivot("proxy", index="arch", values="value")
    wide = means.join(mean_accuracy(truth), on="arch").drop_nulls().sort("arch")
    if wide.is_empty():
        raise StudyError("top-k: no architecture has a true accuracy and a score of every proxy")
    y = wide["accuracy"].to_numpy()
    rows: list[tuple[str, int, float, int]] = []
    for name in proxies:
        sign = (directions or {}).get(name, proxy_direction(name))
        x = sign * wide[name].to_numpy()
        rows += [(name, k, topk_mean(x, y, k), len(y)) for k in ks if k <= len(y)]
    rows += [(BEST, k, float(np.sort(y)[-k:].mean()), len(y)) for k in ks if k <= len(y)]
    rows += [(RANDOM, k, float(y.mean()), len(y)) for k in ks if k <= len(y)]
    schema = {"proxy": pl.String, "k": pl.Int64, "topk_mean": pl.Float64, "n_archs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@any_frame
def plot_topk(
    table: pl.DataFrame, *, target: str = "test accuracy", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `topk_by_k`: a line for each proxy between the best possible and a random choice."""
    with look():
        ax = new_axes(ax)
        for name, style in ((BEST, "--"), (RANDOM, ":")):
            rows = table.filter(pl.col("proxy") == name)
            ax.plot(rows["k"].to_numpy(), rows["topk_mean"].to_numpy(), color="#555555", linestyle=style, label=name)
        names = [n for n in table["proxy"].unique(maintain_order=True) if n not in (BEST, RANDOM)]
        for i, name in enumerate(names):
            rows = table.filter(pl.col("proxy") == name)
            ax.plot(
                rows["k"].to_numpy(),
                rows["topk_mean"].to_numpy(),
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                markersize=5,
                label=proxy_label(name),
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.set_xlabel("k, architectures taken from the top of the ranking")
        ax.set_ylabel(f"mean {target} of the top k (%)")
        ax.annotate(
            f"n = {table['n_archs'][0]:,}",
            (0.98, 0.97),
            xycoords="axes fraction",
            ha="right",
            va="top",
            fontsize=9,
            color="#555555",
        )
        if title:
            ax.set_title(title)
        ax.legend(loc="best")
    return ax
