"""Groups of architectures by true accuracy, and how their losses go (SoTL thesis, Figure 4.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .pairs import mean_accuracy

#: Group -> the quantiles of true accuracy between which its architectures lie.
GROUPS: dict[str, tuple[float, float]] = {
    "best 10 %": (0.9, 1.0),
    "middle 10 %": (0.45, 0.55),
    "worst 10 %": (0.0, 0.1),
}


@any_frame
def losses_by_group(
    curves: pl.DataFrame,
    truth: pl.DataFrame,
    *,
    value: str = "train_loss",
    groups: Mapping[str, tuple[float, float]] = GROUPS,
    relative: bool = False,
) -> pl.DataFrame:
    """Columns ``group, unit, step, mean, median, low, high, n_archs``: how a loss goes in each group.

    Parameters
    ----------
    curves: CURVES frame of one dataset and one method; runs of an architecture are averaged.
    truth: TRUTH frame of one split and schedule, by whose accuracy architectures are grouped.
    value: a column of `curves`.
    groups: name -> quantiles; a group holds at least one architecture. ``all`` is added as the last.
    relative: the change since the first recorded step of the same architecture instead of the value.

    ``low`` and ``high`` are the quartiles over the architectures of the group.
    """
    table = check(curves, "CURVES")
    if value not in table.columns:
        raise StudyError(f"losses: expected a column of the CURVES frame, got {value!r}")
    if table.select("dataset", "method", "setting", "unit").n_unique() > 1:
        raise StudyError("losses: expected curves of one dataset, method, setting and unit; filter first")
    runs = table.group_by("arch", "unit", "step").agg(pl.col(value).cast(pl.Float64).mean().alias("value")).drop_nulls()
    runs = runs.join(mean_accuracy(truth), on="arch").sort("arch", "step")
    if runs.is_empty():
        raise StudyError(f"losses: no architecture has both {value} and a true accuracy")
    if relative:
        runs = runs.with_columns(pl.col("value") - pl.col("value").first().over("arch"))
    ranking = runs.select("arch", "accuracy").unique().sort("accuracy", "arch")["arch"].to_list()
    spans = {**groups, "all": (0.0, 1.0)}
    return pl.concat(
        _summary(name, runs.filter(pl.col("arch").is_in(between(ranking, *quantiles))))
        for name, quantiles in spans.items()
    )


def between(ranking: Sequence[str], low: float, high: float) -> Sequence[str]:
    """Those of `ranking` (worst first) between two quantiles of it; at least one."""
    # 1e-9: a tenth of 750 is 75 architectures, whatever 0.9 * 750 is in binary.
    first = min(int(np.floor(low * len(ranking) + 1e-9)), len(ranking) - 1)
    return ranking[first : max(first + 1, int(np.ceil(high * len(ranking) - 1e-9)))]


def _summary(name: str, runs: pl.DataFrame) -> pl.DataFrame:
    """Mean, median and quartiles over the architectures of one group, by step."""
    value = pl.col("value")
    by_step = runs.group_by("unit", "step").agg(
        value.mean().alias("mean"),
        value.median().alias("median"),
        value.quantile(0.25, "linear").alias("low"),
        value.quantile(0.75, "linear").alias("high"),
        pl.len().cast(pl.Int64).alias("n_archs"),
    )
    return by_step.sort("step").select(pl.lit(name).alias("group"), pl.all())
