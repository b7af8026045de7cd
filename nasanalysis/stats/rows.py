"""The one place where a row of STATS is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.frames import SCHEMAS, check
from .bootstrap import Interval
from .resampling import Unit
from .series import Series

Row = dict[str, Any]


def stats_row(
    one: Series,
    statistic: str,
    estimate: float,
    *,
    n_archs: int,
    interval: Interval | None = None,
    resampled: Unit | None = None,
    sample: str = "all",
    n_missing: int | None = None,
    **more: Any,
) -> Row:
    """One statistic of one score. `resampled`: what `interval` resamples; `more`: columns beyond the schema."""
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        **one.key,
        "truth_split": one.truth.split,
        "truth_schedule": one.truth.schedule,
        "truth_seeds": one.truth.seeds,
        "sample": sample,
        "statistic": statistic,
        "direction": one.direction,
        "direction_source": one.direction_source,
        "resampled": resampled if interval else None,
        "estimate": defined(estimate),
        **ends(interval),
        "interval": str(interval) if interval else None,
        "n_archs": n_archs,
        "n_missing": len(one.used) - n_archs if n_missing is None else n_missing,
        **more,
    }


def stats_frame(rows: Sequence[Row], more: Mapping[str, pl.DataType] | None = None) -> pl.DataFrame:
    """A STATS frame of `stats_row`s; `more`: the types of columns beyond the schema."""
    return check(pl.DataFrame(rows, schema={**SCHEMAS["STATS"].columns, **(more or {})}), "STATS")


def ends(interval: Interval | None) -> Row:
    """Columns ci_low, ci_high; null without an interval."""
    low, high = (interval.low, interval.high) if interval else (np.nan, np.nan)
    return {"ci_low": defined(low), "ci_high": defined(high)}


def defined(value: float) -> float | None:
    """A number, or null where it is not finite."""
    return float(value) if np.isfinite(value) else None
