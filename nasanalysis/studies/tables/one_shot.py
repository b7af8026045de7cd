"""Published one-shot accuracies of NAS-Bench-101 against their truth."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...core.frames import to_polars
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources


def one_shot(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Rank correlation of published one-shot accuracies with truth on NAS-Bench-101, for each supernet."""
    benchmark = sources.benchmark("nb101")
    scores = benchmark.scores("cifar10", proxy="val_acc")
    truth = benchmark.truth("cifar10", split="test", schedule=108, archs=scores["arch"].unique().to_list())
    truth = truth.filter(pl.col("seed").is_null())
    each = scores.with_columns(setting=pl.format("{};supernet {}", "setting", "seed"), seed=pl.lit(None, pl.Int64))
    statistics = to_polars(
        stats.correlate(truth, each, statistics=["spearman_rho"], n_boot=resampling.n, seed=resampling.seed)
    ).sort("setting", "method")
    rows = []
    for row in statistics.to_dicts():
        degree, _, supernet = row["setting"].partition(";supernet ")
        estimate = with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3)
        rows.append([degree.removeprefix("output_degree="), row["method"], supernet, f"{row['n_archs']:,}", estimate])
    return Table(
        "one-shot",
        "One-shot validation accuracy against test accuracy, NAS-Bench-101",
        ["parents of the output", "method", "supernet", "cells", "Spearman's ρ"],
        rows,
        statistics,
        [False, False, False, True, True],
        "Published evaluations; spaces by the number of parents of the output node, which are not those of "
        "NAS-Bench-1shot1. ft_bn: batch-norm statistics estimated again for each cell.",
    )
