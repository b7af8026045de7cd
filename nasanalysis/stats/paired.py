"""Is one proxy better than another on the same architectures? Differences with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame, check
from ..core.seeding import generator
from ..proxies import direction as proxy_direction
from .bootstrap import bootstrap_counts, percentile_interval
from .correlate import FEWEST
from .registry import get_statistic
from .resamples import Resamples

PAIRED = "paired percentile bootstrap over architectures"


@any_frame
def difference_by_step(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    first: str,
    second: str,
    *,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """``statistic(first) - statistic(second)`` at every step both have, on the architectures both score.

    Parameters
    ----------
    truth, scores: as in `correlate`, of one dataset.
    first, second: proxies in `scores`; one without steps (a cost) is set against every step of the other.
    statistic: a correlation; a bootstrap of extremes (``topk_mean``) is not valid and is refused.

    Returns columns ``step, first, second, difference, ci_low, ci_high, ahead, n_archs``. Both proxies see
    the same resamples. ``ahead`` is the better proxy, or ``neither`` where the interval holds zero.
    """
    measure = get_statistic(statistic)
    if measure.interval != "bootstrap":
        raise StudyError(f"difference: expected a correlation, got {statistic!r}: a bootstrap of extremes is not valid")
    target, table = check(truth, "TRUTH"), check(scores, "SCORES")
    if target["dataset"].n_unique() != 1:
        raise StudyError(
            f"difference: expected the truth of one dataset, got {target['dataset'].n_unique()}; filter first"
        )
    known = set(table["proxy"])
    for name in (first, second):
        if name not in known:
            raise UnknownNameError("proxy in these scores", name, sorted(known))
    if target["seed"].is_null().any():
        target = target.filter(pl.col("seed").is_null())
    accuracy = target.group_by("arch").agg(pl.col("accuracy").mean()).drop_nulls()
    pair = _oriented(table, first, directions).join(_oriented(table, second, directions), on="arch", suffix="_second")
    pair = pair.with_columns(step=pl.coalesce("step", "step_second")).filter(
        pl.col("step_second").is_null() | (pl.col("step") == pl.col("step_second"))
    )
    pair = pair.join(accuracy, on="arch").drop_nulls(["value", "value_second"]).sort("step", "arch", nulls_last=True)
    rows = []
    held: tuple[tuple[str, ...], Resamples] | None = None
    for (step,), group in pair.group_by("step", maintain_order=True):
        archs = tuple(group["arch"])
        if len(archs) < FEWEST:
            raise StudyError(
                f"difference at step {step}: expected at least {FEWEST} architectures scored by both, got {len(archs)}"
            )
        y = group["accuracy"].to_numpy()
        one, other = group["value"].to_numpy(), group["value_second"].to_numpy()
        row = {"step": step, "first": measure(one, y), "second": measure(other, y), "ci_low": None, "ci_high": None}
        row["difference"] = row["first"] - row["second"]
        if n_boot:
            if held is None or held[0] != archs:
                counts = bootstrap_counts(len(archs), n_boot, generator(seed, "stats", "bootstrap"))
                held = (archs, Resamples(y, counts))
            drawn = measure.on_resamples(held[1], one) - measure.on_resamples(held[1], other)
            made = percentile_interval(drawn, PAIRED, level=level)
            row |= {"ci_low": made.low, "ci_high": made.high}
        low, high = row["ci_low"], row["ci_high"]
        clear = low is not None and high is not None and (low > 0 or high < 0)
        row |= {"ahead": (first if row["difference"] > 0 else second) if clear else "neither", "n_archs": len(archs)}
        rows.append(row)
    if not rows:
        raise StudyError(f"difference: {first!r} and {second!r} share no step on architectures of the truth")
    columns = ["step", "first", "second", "difference", "ci_low", "ci_high", "ahead", "n_archs"]
    schema_overrides = dict.fromkeys(["first", "second", "difference", "ci_low", "ci_high"], pl.Float64)
    return (
        pl.DataFrame(rows, schema_overrides=schema_overrides)
        .select(columns)
        .with_columns(pl.col("first", "second", "difference", "ci_low", "ci_high").fill_nan(None))
    )


def _oriented(table: pl.DataFrame, proxy: str, directions: Mapping[str, int] | None) -> pl.DataFrame:
    """Columns ``arch, step, value``: mean over seeds, turned so that higher is better."""
    sign = (directions or {}).get(proxy, proxy_direction(proxy))
    rows = table.filter(pl.col("proxy") == proxy).filter(pl.col("value").is_not_null())
    if rows.select("dataset", "method", "setting").n_unique() > 1:
        raise StudyError(f"difference: {proxy!r} stands under several datasets, methods or settings; filter first")
    return rows.group_by("arch", "step").agg(pl.col("value").mean() * sign)
