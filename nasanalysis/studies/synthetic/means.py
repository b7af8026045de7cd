"""Means over seeds with Student's interval, for tables, bands and claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from ...search.selected import t_interval


class Estimate(NamedTuple):
    """Attributes
    ----------
    mean, low, high: null ends where there is one value alone. n: values.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def estimate(values: Sequence[float] | pl.Series, level: float) -> Estimate:
    """Mean of independent repetitions."""
    array = np.asarray(values, dtype=np.float64)
    return Estimate(float(array.mean()), *t_interval(array, level), len(array))


def over_seeds(frame: pl.DataFrame, keys: Sequence[str], value: str, level: float) -> pl.DataFrame:
    """Columns `keys`, `value` (mean), low, high, n: one row for each of the groups, in their order."""
    rows = []
    kept = pl.col(value).cast(pl.Float64).drop_nulls().drop_nans().alias("values")
    for *names, values in frame.group_by(keys, maintain_order=True).agg(kept).iter_rows():
        one = estimate(values, level) if values else Estimate(float("nan"), None, None, 0)
        rows.append((*names, one.mean if one.n else None, one.low, one.high, one.n))
    ends = {value: pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64}
    return pl.DataFrame(rows, schema={**{key: frame.schema[key] for key in keys}, **ends}, orient="row")


def with_arms(results: pl.DataFrame) -> pl.DataFrame:
    """Runs of a learning-rate experiment with a column ``of``: ``fixed at 0.05`` or ``T = 25``; fixed ones first.

    The rate before any step tells fixed rates apart.
    """
    runs = results.with_columns(run=(pl.col("epoch") == 0).cum_sum())  # a run's rows stand together, from epoch 0 on
    begun = runs.filter(epoch=0).select("run", first="rate")
    name = pl.when(pl.col("T") == 0).then(pl.format("fixed at {}", "first")).otherwise(pl.format("T = {}", "T"))
    return runs.join(begun, on="run").with_columns(of=name).sort("T", "first", "seed", "epoch").drop("run", "first")
