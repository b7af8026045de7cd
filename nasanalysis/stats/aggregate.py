"""Many datasets and spaces in one figure: interquartile mean, stratified bootstrap, performance profiles.

As rliable does for reinforcement learning (Agarwal et al. 2021): the runs of each task (a benchmark and dataset)
are resampled within the task, so that every task keeps its weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import FrameError, StudyError
from ..core.frames import any_frame, to_polars
from .bootstrap import Interval, bootstrap_counts, check_level, percentile_interval
from .rank import Floats
from .resampling import Resampling, asked
from .rows import ends

STRATIFIED = "percentile bootstrap over runs within each task"


def interquartile_mean(values: ArrayLike) -> float:
    """Mean of the middle half, the lowest and highest quarter left out (whole values only, as rliable does)."""
    every = np.asarray(values, dtype=np.float64).ravel()
    defined = every[np.isfinite(every)]
    return float(_middle_half(defined)) if len(defined) else float("nan")


def _middle_half(values: Floats, axis: int = 0) -> Floats:
    from scipy.stats import trim_mean  # here, not above: importing scipy.stats takes seconds

    return np.asarray(trim_mean(values, 0.25, axis=axis))


def stratified_interval(
    tasks: Sequence[ArrayLike], *, rng: np.random.Generator, n_boot: int = 1000, level: float = 0.95
) -> Interval:
    """Interval of the interquartile mean over all runs of all tasks.

    tasks: for each, the values of its runs (n_runs,). `StudyError` where a task has fewer than two runs: nothing
    can be resampled there, and its share of the interval would be zero.
    """
    check_level(level)
    runs = [np.asarray(task, dtype=np.float64).ravel() for task in tasks]
    runs = [values[np.isfinite(values)] for values in runs]
    if not runs or min(map(len, runs)) < 2:
        raise StudyError(
            f"aggregate: expected at least 2 runs of every task, got {', '.join(str(len(r)) for r in runs) or 'none'}; "
            "give seeds or repeated samples apart"
        )
    drawn = [np.repeat(np.tile(values, n_boot), bootstrap_counts(len(values), n_boot, rng).ravel()) for values in runs]
    table = np.concatenate([d.reshape(n_boot, -1) for d in drawn], axis=1)
    return percentile_interval(_middle_half(table, axis=1), STRATIFIED, level=level)


def performance_profile(tasks: Sequence[ArrayLike], thresholds: ArrayLike) -> Floats:
    """Share of runs above each threshold, every task with the same weight: (n_thresholds,)."""
    limits = np.asarray(thresholds, dtype=np.float64)
    shares = []
    for task in tasks:
        values = np.asarray(task, dtype=np.float64).ravel()
        values = values[np.isfinite(values)]
        if not len(values):
            raise StudyError("performance profile: expected at least one defined run of every task, got none")
        shares.append((values[None, :] > limits[:, None]).mean(axis=1))
    return np.asarray(np.mean(shares, axis=0))


@any_frame
def aggregate(
    runs: Any, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95, resampling: Resampling | None = None
) -> Any:
    """Interquartile mean of each proxy over tasks, with a stratified interval.

    runs: columns benchmark, dataset, proxy, value: one row for each run (a seed, a sample of architectures) of a
    proxy on a task, for example correlations. Every proxy must have every task, so that they compare.

    resampling: one `Resampling` in place of `n_boot`, `seed` and `level`.

    Returns columns proxy, iqm, ci_low, ci_high, mean, n_tasks, n_runs, best value first.
    """
    chosen = asked(resampling, n_boot, seed, level)
    rows: list[dict[str, Any]] = []
    for proxy, tasks in _tasks(runs).items():
        values, interval = np.concatenate(tasks), None
        if chosen.n:
            rng = chosen.generator("aggregate")
            interval = stratified_interval(tasks, rng=rng, n_boot=chosen.n, level=chosen.level)
        row = {"proxy": proxy, "iqm": interquartile_mean(values), **ends(interval), "mean": float(values.mean())}
        rows.append(row | {"n_tasks": len(tasks), "n_runs": len(values)})
    real, whole = pl.Float64(), pl.Int64()
    schema = {"proxy": pl.String(), "iqm": real, "ci_low": real, "ci_high": real, "mean": real}
    return pl.DataFrame(rows, schema={**schema, "n_tasks": whole, "n_runs": whole}).sort(
        "iqm", "proxy", descending=[True, False]
    )


@any_frame
def profile(
    runs: Any,
    thresholds: Sequence[float],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> Any:
    """Performance profile of each proxy: columns proxy, threshold, share, ci_low, ci_high. `runs` as in `aggregate`."""
    chosen = asked(resampling, n_boot, seed, level)
    rows = []
    for proxy, tasks in _tasks(runs).items():
        share = performance_profile(tasks, thresholds)
        low = high = np.full(len(share), np.nan)
        if chosen.n:
            rng = chosen.generator("profile")
            above = [v[None, :] > np.asarray(thresholds)[:, None] for v in tasks]  # (n_thresholds, n_runs)
            drawn = np.mean([a @ bootstrap_counts(a.shape[1], chosen.n, rng).T / a.shape[1] for a in above], axis=0)
            low, high = np.quantile(drawn, [(1 - chosen.level) / 2, (1 + chosen.level) / 2], axis=1)
        rows += [
            {"proxy": proxy, "threshold": float(t), "share": float(s), "ci_low": float(lo), "ci_high": float(hi)}
            for t, s, lo, hi in zip(thresholds, share, low, high, strict=True)
        ]
    return pl.DataFrame(rows).with_columns(pl.col(pl.Float64).fill_nan(None))


def _tasks(runs: Any) -> Mapping[str, list[Floats]]:
    table = to_polars(runs)
    wanted = ("benchmark", "dataset", "proxy", "value")
    if missing := [c for c in wanted if c not in table.columns]:
        raise FrameError(f"runs: missing column(s) {', '.join(missing)}; expected {', '.join(wanted)}")
    value = pl.col("value").cast(pl.Float64)
    table = table.with_columns(value=pl.when(value.is_finite()).then(value)).drop_nulls("value")
    if table.is_empty():
        raise StudyError("runs: expected at least one defined value, got none")
    places = sorted(set(table.select("benchmark", "dataset").rows()))
    tasks: dict[str, list[Floats]] = {}
    for proxy in sorted(set(table["proxy"].cast(pl.String))):
        here = table.filter(pl.col("proxy").cast(pl.String) == proxy)
        for place in places:
            part = here.filter(pl.col("benchmark") == place[0], pl.col("dataset") == place[1])
            if part.is_empty():
                raise StudyError(f"aggregate: {proxy!r} has no run on {'/'.join(place)}; leave the proxy or task out")
            tasks.setdefault(proxy, []).append(np.sort(part["value"].to_numpy()))
    return tasks
