"""Our scores set against those that a benchmark's files record."""

from __future__ import annotations

from itertools import product
from typing import Any

import polars as pl

from ... import stats
from ...core.errors import UnknownNameError
from ...plots.style import statistic_label
from ...proxies import direction
from ...report.cells import significant
from ...report.model import Table
from ...report.tables import plain_table
from .frames import ItemFrames

#: Stands for the recorded score beside ours.
RECORDED = "recorded"


def recorded_table(run: ItemFrames, setting: str) -> Table:
    """Our scores against those that the benchmark's files record under the same name and `setting`."""
    item = run.item
    readings = run.readings.with_columns(step=None, unit=None)
    recorded = run.benchmark.scores(item.dataset, archs=readings["arch"].unique().to_list())
    recorded = recorded.filter(pl.col("setting") == setting)
    rows = []
    drawn: set[str] = set()
    for arm, reading in product(item.arms, item.readings):
        theirs = recorded.filter(pl.col("proxy") == reading.name)
        if theirs.is_empty():
            known = recorded["proxy"].unique().sort()
            raise UnknownNameError(f"score recorded under {setting!r}", reading.name, known)
        ours = run.of(readings, arm).filter(pl.col("proxy") == reading.name)
        row = _agreement(run, reading.name, ours, theirs)
        shared = ours.join(theirs, on="arch", suffix="_recorded").drop_nulls(["value", "value_recorded"])
        medians = (shared["value"].median(), shared["value_recorded"].median())
        drawn |= {stats.NOUNS[row["resampled"]]} if row["resampled"] else set()
        ends = (row["estimate"], row["ci_low"], row["ci_high"])
        rows.append((arm.label, reading.label, *ends, *medians, row["n_archs"]))
    columns = ["supernet", "measure", "spearman_rho", "ci_low", "ci_high", "median", "recorded_median", "n_archs"]
    rho = statistic_label("spearman_rho")
    return plain_table(
        f"{item.name}-recorded",
        "Our values against the published ones of the same architectures",
        pl.DataFrame(rows, schema=columns, orient="row"),
        ["network", "measure", rho, "low", "high", "our median", "published median", "n"],
        ["s", "s", ".3f", ".3f", ".3f", significant, significant, "d"],
        f"Spearman's rho of ours with theirs; low, high: 95 % interval, bootstrap over {' or '.join(sorted(drawn))}.",
    )


def _agreement(run: ItemFrames, proxy: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> dict[str, Any]:
    """Rank correlation of two SCORES of one proxy, a row of `stats.proxy_matrix`."""
    named = theirs.select(ours.columns).with_columns(step=None, unit=None, proxy=pl.lit(RECORDED))
    pair = pl.concat([frame.with_columns(method=pl.lit(""), setting=pl.lit("")) for frame in (ours, named)])
    sign = direction(proxy)
    matrix = stats.proxy_matrix(
        pair,
        statistic="spearman_rho",
        n_boot=run.resampling.n,
        seed=run.resampling.seed,
        directions={proxy: sign, RECORDED: sign},
    )
    row: dict[str, Any] = matrix.row(
        by_predicate=(pl.col("first") == proxy) & (pl.col("second") == RECORDED), named=True
    )
    return row
