"""Curves over steps: when a proxy is good enough, when one overtakes another, and what that costs.

All steps of a proxy are judged on the same architectures (those that every step scores) and the same resamples,
so an interval of a step (the first above a threshold, the crossover) is that of the resampled curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import FrameError, StudyError, UnknownNameError
from ..core.frames import any_frame, check, to_polars
from .alignment import aligned_series
from .paired import correlation_to_compare
from .rank import Floats
from .registry import Statistic
from .resampling import Drawn, Resampling, Unit, Units, asked
from .series import FEWEST, Series


@dataclass(frozen=True)
class _Curve:
    """One proxy over its steps: values (n_steps, n_archs), NaN where undefined; one step None for a cost."""

    series: Series  # its first step
    place: tuple[str, str]
    key: Mapping[str, Any]
    steps: tuple[int | None, ...]
    values: Floats
    truth: Floats
    used: NDArray[np.bool_]

    def units(self, drawn: Drawn, used: NDArray[np.bool_]) -> Units:
        return self.series.units(drawn.resampling, used)


@any_frame
def first_step_reaching(
    truth: Any,
    scores: Any,
    threshold: float,
    *,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """The first step at which each score ranks at least as well as `threshold`.

    Parameters as in `correlate`; `statistic` is one whose interval is a bootstrap.

    Returns columns benchmark, dataset, method, setting, proxy, unit, first_step (null where no step reaches it),
    ci_low, ci_high (null where the end of the interval lies beyond the last step), reached (share of resamples in
    which some step reaches it), resampled, last_step, n_archs.
    """
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    measure = correlation_to_compare(statistic, "curves over steps")
    rows = []
    for curve in _curves(truth, scores, directions):
        if curve.steps == (None,):
            continue
        estimates, resampled = _evaluate(measure, curve, curve.used, drawn)
        row: dict[str, Any] = {"benchmark": curve.place[0], "dataset": curve.place[1], **curve.key}
        row |= {"first_step": _finite(_first(estimates[:, None] >= threshold, curve.steps)[0])}
        row |= {"ci_low": None, "ci_high": None, "reached": None, "resampled": None}
        if resampled.shape[1]:
            firsts = _first(resampled >= threshold, curve.steps)
            low, high = _ends(firsts, drawn.resampling.level)
            row |= {"ci_low": low, "ci_high": high, "reached": float(np.isfinite(firsts).mean())}
            row |= {"resampled": curve.units(drawn, curve.used).name}
        rows.append(row | {"last_step": curve.steps[-1], "n_archs": int(curve.used.sum())})
    if not rows:
        raise StudyError("first_step_reaching: expected scores with steps, got none")
    whole = dict.fromkeys(["first_step", "ci_low", "ci_high", "last_step", "n_archs"], pl.Int64())
    return pl.DataFrame(rows, schema_overrides={**whole, "reached": pl.Float64(), "resampled": pl.String()})


@any_frame
def crossover(
    truth: Any,
    scores: Any,
    first: str,
    second: str,
    *,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """The step from which `first` ranks better than `second` for good: at it and at every later common step.

    Parameters as in `correlate`; a proxy without steps (a cost) is set against every step of the other.

    Returns columns benchmark, dataset, first, second, unit, step (null where `first` is not ahead at the end),
    ci_low, ci_high (null where that end of the interval is "never"), crosses (share of resamples in which it is
    ahead at the end), from_start (share in which it is ahead at every step), resampled, n_steps, n_archs.
    `StudyError` where they share no step, or one stands under several methods or settings.
    """
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    measure = correlation_to_compare(statistic, "curves over steps")
    curves = _curves(truth, scores, directions)
    rows = []
    for place in dict.fromkeys(curve.place for curve in curves):
        one, other = (_named(curves, place, name) for name in (first, second))
        if one.steps == (None,) and other.steps == (None,):
            raise StudyError(f"crossover: {first!r} and {second!r} have no steps; compare_proxies compares them")
        steps = tuple(
            s for s in (other if one.steps == (None,) else one).steps if other.steps == (None,) or s in other.steps
        )
        if not steps:
            raise StudyError(f"crossover: {first!r} and {second!r} share no step of {'/'.join(place)}")
        used = one.used & other.used
        both = [_evaluate(measure, _at(curve, steps), used, drawn) for curve in (one, other)]
        gap = both[0][0] - both[1][0]
        step = _last_run(gap[:, None] > 0, steps)[0]
        row: dict[str, Any] = {"benchmark": place[0], "dataset": place[1], "first": first, "second": second}
        row |= {"unit": one.key["unit"] or other.key["unit"], "step": _finite(step), "ci_low": None, "ci_high": None}
        row |= {"crosses": None, "from_start": None, "resampled": None}
        if both[0][1].shape[1]:
            ahead = both[0][1] - both[1][1] > 0
            begins = _last_run(ahead, steps)
            low, high = _ends(begins, drawn.resampling.level)
            row |= {"ci_low": low, "ci_high": high, "crosses": float(np.isfinite(begins).mean())}
            row |= {"from_start": float(ahead.all(axis=0).mean())}
            row |= {"resampled": one.units(drawn, used).name}
        rows.append(row | {"n_steps": len(steps), "n_archs": int(used.sum())})
    whole = dict.fromkeys(["step", "ci_low", "ci_high", "n_steps", "n_archs"], pl.Int64())
    real = dict.fromkeys(["crosses", "from_start"], pl.Float64())
    return pl.DataFrame(rows, schema_overrides={**whole, **real, "resampled": pl.String()})


@any_frame
def compute_matched(stats: Any, costs: Any, budgets: Sequence[float] | None = None) -> Any:
    """Which correlation a budget buys: STATS over steps against what each step costs.

    Parameters
    ----------
    stats: of `correlate`, with steps; rows without a step (costs of an architecture) are free.
    costs: columns proxy, step, cost and, if they differ, dataset: what it takes to score one architecture up to
        that step, in any unit (seconds, multiply-accumulates); see `cost_by_step`.
    budgets: in the same unit; by default every cost there is.

    Returns columns benchmark, dataset, statistic, budget, proxy, step (the last one that the budget pays for),
    cost, estimate, ci_low, ci_high, best (whether no other proxy is better at that budget). A proxy whose first
    step costs more than the budget has no row. `StudyError` where a step has no cost.
    """
    table = check(stats, "STATS")
    spent = to_polars(costs)
    if missing := [c for c in ("proxy", "step", "cost") if c not in spent.columns]:
        raise FrameError(f"costs: missing column(s) {', '.join(missing)}; expected proxy, step, cost[, dataset]")
    keys = ["dataset", "proxy", "step"] if "dataset" in spent.columns else ["proxy", "step"]
    spent = spent.select(*keys, pl.col("cost").cast(pl.Float64)).with_columns(pl.col("step").cast(pl.Int64))
    if spent.select(keys).is_duplicated().any():
        raise FrameError(f"costs: expected one cost for each of {', '.join(keys)}")
    joined = table.join(spent, on=keys, how="left").with_columns(
        cost=pl.when(pl.col("step").is_null()).then(0.0).otherwise(pl.col("cost"))
    )
    bare = joined.filter(pl.col("cost").is_null())
    if len(bare):
        row = bare.row(0, named=True)
        raise StudyError(f"compute_matched: no cost for {row['proxy']!r} at step {row['step']}; add it to costs")
    limits = sorted(set(joined["cost"].to_list())) if budgets is None else sorted(set(map(float, budgets)))
    group = ["benchmark", "dataset", "statistic", "budget"]
    parts = []
    for budget in limits:
        part = joined.filter(pl.col("cost") <= budget, pl.col("estimate").is_not_null())
        last = part.sort("cost", "step").group_by("benchmark", "dataset", "statistic", "proxy", maintain_order=True)
        parts.append(last.last().with_columns(budget=pl.lit(float(budget))))
    if not parts:
        raise StudyError("compute_matched: expected at least one budget")
    lower = pl.col("statistic").str.contains("^(best_rank|regret)@")
    worth = pl.when(lower).then(-pl.col("estimate")).otherwise(pl.col("estimate"))
    bought = pl.concat(parts).with_columns(best=worth == worth.max().over(group))
    return bought.select(*group, "proxy", "step", "cost", "estimate", "ci_low", "ci_high", "best").sort(*group, "proxy")


def cost_by_step(curves: pl.DataFrame, proxies: Sequence[str]) -> pl.DataFrame:
    """Mean seconds per architecture up to each step, for `compute_matched`: columns dataset, proxy, step, cost.

    curves: CURVES of one method, setting and schedule; ``seconds`` are those of each step by itself. Every one of
    `proxies` is given the same cost. `StudyError` where seconds, or steps in between, are not recorded.
    """
    table = check(curves, "CURVES").filter(pl.col("step") > 0)
    if table.select("method", "setting", "schedule", "unit").n_unique() > 1:
        raise StudyError("cost_by_step: expected curves of one method, setting and schedule; filter first")
    known = table.drop_nulls("seconds")
    if known.is_empty():
        raise StudyError("cost_by_step: expected curves with seconds, got none recorded")
    mean = known.group_by("dataset", "step").agg(pl.col("seconds").mean()).sort("dataset", "step")
    gap = mean.filter(pl.col("step") != pl.int_range(1, pl.len() + 1).over("dataset"))
    if len(gap):
        raise StudyError(
            f"cost_by_step: expected the seconds of every step from 1 on, got none before {gap['step'][0]}"
        )
    cost = mean.select("dataset", "step", pl.col("seconds").cum_sum().over("dataset").alias("cost"))
    start = cost.select("dataset").unique().with_columns(step=pl.lit(0, pl.Int64), cost=pl.lit(0.0))
    cost = pl.concat([start, cost]).sort("dataset", "step")
    return pl.concat([cost.select("dataset", pl.lit(p).alias("proxy"), "step", "cost") for p in proxies])


def _curves(truth: Any, scores: Any, directions: Mapping[str, int | str] | None) -> list[_Curve]:
    groups: dict[tuple[Any, ...], list[Series]] = {}
    for one in aligned_series(truth, scores, directions=directions, stacklevel=6):
        key = {k: v for k, v in one.key.items() if k != "step"}
        groups.setdefault((one.place, *key.values()), []).append(one)
    curves = []
    for members in groups.values():
        members.sort(key=lambda one: (one.key["step"] is not None, one.key["step"] or 0))
        used = np.logical_and.reduce([one.used for one in members])
        if int(used.sum()) < FEWEST:
            raise StudyError(
                f"{members[0].name}: expected at least {FEWEST} architectures that every step scores, "
                f"got {int(used.sum())}"
            )
        key = {k: v for k, v in members[0].key.items() if k != "step"}
        steps = tuple(one.key["step"] for one in members)
        values = np.array([one.values for one in members])
        curves.append(_Curve(members[0], members[0].place, key, steps, values, members[0].truth.values, used))
    return curves


def _named(curves: Sequence[_Curve], place: tuple[str, str], proxy: str) -> _Curve:
    here = [c for c in curves if c.place == place]
    mine = [c for c in here if c.key["proxy"] == proxy]
    if not mine:
        raise UnknownNameError("proxy in these scores", proxy, sorted({str(c.key["proxy"]) for c in here}))
    if len(mine) > 1:
        raise StudyError(
            f"{proxy!r} of {'/'.join(place)} stands under several methods, settings or units; filter first"
        )
    return mine[0]


def _at(curve: _Curve, steps: Sequence[int | None]) -> _Curve:
    """`curve` at these steps; one without steps is repeated."""
    rows = [0 if curve.steps == (None,) else curve.steps.index(s) for s in steps]
    return _Curve(curve.series, curve.place, curve.key, tuple(steps), curve.values[rows], curve.truth, curve.used)


def _evaluate(measure: Statistic, curve: _Curve, used: NDArray[np.bool_], drawn: Drawn) -> tuple[Floats, Floats]:
    """The statistic at every step: (n_steps,), and of every resample: (n_steps, n_boot)."""
    y = curve.truth[used]
    estimates = np.array([measure(row[used], y) for row in curve.values])
    units = curve.units(drawn, used)
    if not (drawn.resampling.n and units.can_be_drawn):
        return estimates, np.empty((len(estimates), 0))
    resamples = drawn.of(y, units=units)
    return estimates, np.array([measure.on_resamples(resamples, row[used]) for row in curve.values])


def _first(reached: NDArray[np.bool_], steps: Sequence[int | None]) -> Floats:
    """(n_steps, B) -> the first step that is True, infinity for none: (B,)."""
    numbers = np.array([0 if s is None else s for s in steps], dtype=np.float64)
    return np.where(reached.any(axis=0), numbers[reached.argmax(axis=0)], np.inf)


def _last_run(ahead: NDArray[np.bool_], steps: Sequence[int | None]) -> Floats:
    """(n_steps, B) -> where the last unbroken run of True begins, infinity where the last is False: (B,)."""
    for_good = np.logical_and.accumulate(ahead[::-1], axis=0)[::-1]
    return _first(for_good, steps)


def _ends(steps: Floats, level: float) -> tuple[int | None, int | None]:
    low, high = np.quantile(steps, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return _finite(low), _finite(high)


def _finite(step: float) -> int | None:
    return int(step) if np.isfinite(step) else None
