"""Seeds and repeated samples: the other sources of randomness, named and resampled.

`correlate` averages seeds and resamples architectures. Here seeds stay apart: `correlate_seeds` resamples
architectures, seeds or both; `repeated_samples` is the protocol of published studies (several samples of
n architectures, mean and standard deviation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..core.seeding import generator
from .alignment import aligned_seeds, aligned_series
from .bootstrap import BOOTSTRAP, Interval, bootstrap_counts, check_level, percentile_interval
from .classes import Labels
from .paired import correlation_to_compare
from .rank import Floats
from .redrawn import Draws
from .registry import Statistic, get_statistic
from .resampling import Resampling, Unit, asked, units_of
from .rows import Row, defined, ends, stats_frame, stats_row
from .series import FEWEST, Place, Series
from .verdicts import check_margin, verdict

Over = Literal["archs", "classes", "seeds", "nested"]
METHODS = {
    "archs": BOOTSTRAP,
    "classes": BOOTSTRAP,
    "seeds": "percentile bootstrap over seeds",
    "nested": "percentile bootstrap over architectures and seeds",
}
_UNITS: dict[str, Unit] = {"archs": "arch", "classes": "class", "seeds": "seed", "nested": "nested"}
_OVER: dict[Unit, Over] = {_UNITS[over]: over for over in get_args(Over)}


def bootstrap_over_seeds(
    statistic: Statistic,
    scores: Floats,
    truth: Floats,
    *,
    rng: np.random.Generator,
    over: Over = "nested",
    n_boot: int = 1000,
    level: float = 0.95,
    baseline: Floats | None = None,
    classes: Labels | None = None,
) -> Interval:
    """Interval of the mean over seeds of a statistic.

    Parameters
    ----------
    scores: (n_seeds, n_archs), finite, higher is better; every seed (a supernet, a draw of noise) scores all.
    truth: (n_archs,), finite.
    over: what is resampled. ``archs``: these seeds, other architectures; ``classes``: the same, members of a class
        together; ``seeds``: these architectures, other seeds; ``nested``: seeds and architectures (classes where one
        of `classes` stands twice) at once, which is what a claim on the method needs. A statistic of extremes
        (``topk_mean`` ...) has no valid bootstrap over architectures: `StudyError` unless ``seeds``.
    classes: (n_archs,), equal where two architectures are one network; by default each is its own.
    baseline: (n_archs,), a score without seeds (``params``), or (n_seeds, n_archs), one of the same seeds: the interval
        is then that of the mean difference to its statistic, on the same resamples.

    With few seeds the interval over seeds is too short (two seeds give three different means): state their number.
    """
    check_over(over)
    check_level(level)
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    n_seeds, n_archs = table.shape
    if over in ("seeds", "nested") and n_seeds < 2:
        raise StudyError(f"bootstrap over seeds: expected at least 2 seeds, got {n_seeds}; resample architectures")
    if over != "seeds" and statistic.interval != "bootstrap":
        raise StudyError(f"{statistic.name}: a bootstrap of extremes over architectures is not valid; use over='seeds'")
    units = units_of(None if over == "nested" else _UNITS[over], n_archs, classes)
    if over != "seeds" and not units.can_be_drawn:
        return units.no_interval()
    method = METHODS[over] if over == "seeds" else units.says(METHODS[over])
    if over == "seeds":
        values = np.array([statistic(row, truth) for row in table])
        if baseline is not None:
            values = values - np.array([statistic(row, truth) for row in np.atleast_2d(baseline)])
        each = np.repeat(values[:, None], n_boot, axis=1)
    else:
        each = Draws(truth, units, n_boot, rng).gaps(statistic, table, baseline)
    if over in ("seeds", "nested"):
        drawn = bootstrap_counts(n_seeds, n_boot, rng).T / n_seeds  # (n_seeds, n_boot)
        return percentile_interval(np.where(drawn > 0, each * drawn, 0.0).sum(axis=0), method, level=level)
    return percentile_interval(each.mean(axis=0), method, level=level)


@any_frame
def correlate_seeds(
    truth: Any,
    scores: Any,
    *,
    statistics: Sequence[str] = ("spearman_rho", "kendall_tau"),
    over: Over = "nested",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> Any:
    """Mean over the seeds of each score of how well it ranks, as a STATS frame with two columns more.

    Parameters as in `correlate`; `over` as in `bootstrap_over_seeds` (of a `resampling` its unit counts instead, and
    by default is ``nested``); classes are those of the space, see `correlate`.
    The estimate is the mean of the statistic over seeds (not the statistic of the mean score, which is what
    `correlate` gives), ``sd`` its standard deviation over seeds (n - 1), ``n_score_seeds`` their number. Only
    architectures that every seed scores count. Rows of null seed (means) are left out.
    """
    chosen = _asked(resampling, over, n_boot, seed, level)
    wanted = [_without_covariates(name) for name in statistics]
    rows = []
    for members in aligned_seeds(truth, scores, directions=directions):
        used = np.logical_and.reduce([one.used for one in members])
        table = np.array([one.values[used] for one in members])
        y = members[0].truth.values[used]
        rows += [_mean_row(members[0], statistic, table, y, chosen, used) for statistic in wanted]
    return stats_frame(rows, {"sd": pl.Float64(), "n_score_seeds": pl.Int64()})


def _mean_row(
    one: Series,
    statistic: Statistic,
    table: Floats,
    truth: Floats,
    resampling: Resampling,
    used: NDArray[np.bool_],
) -> Row:
    """The mean of `statistic` over the seeds of a score, `table` (n_seeds, n_archs)."""
    if len(truth) < (fewest := max(FEWEST, statistic.smallest)):
        raise StudyError(
            f"{one.name}: {statistic.name}: expected at least {fewest} "
            f"architectures with a truth and a score of every seed, got {len(truth)}"
        )
    each = np.array([statistic(row, truth) for row in table])
    interval = None
    if np.isfinite(each).all():
        interval = _interval(statistic, table, truth, resampling, _classes(one, used, resampling))
    drawn = resampling.unit or "nested"
    row = stats_row(one, statistic.name, each.mean(), n_archs=len(truth), interval=interval, resampled=drawn)
    return {**row, "sd": _spread(each), "n_score_seeds": len(each)}


def _interval(
    statistic: Statistic,
    table: Floats,
    truth: Floats,
    resampling: Resampling,
    classes: Labels | None,
    baseline: Floats | None = None,
) -> Interval | None:
    if not resampling.n:
        return None
    over = _OVER[resampling.unit or "nested"]
    stream = "archs" if over == "classes" else over  # without a class that stands twice both are the same thing
    return bootstrap_over_seeds(
        statistic,
        table,
        truth,
        rng=resampling.generator("seeds", stream),
        over=over,
        n_boot=resampling.n,
        level=resampling.level,
        baseline=baseline,
        classes=classes,
    )


def _classes(one: Series, used: NDArray[np.bool_], resampling: Resampling) -> Labels | None:
    return one.truth.classes[used] if resampling.needs_classes else None


def _spread(values: Floats) -> float | None:
    """Standard deviation (n - 1), null where undefined."""
    return defined(float(values.std(ddof=1))) if len(values) > 1 else None


@any_frame
def seeds_against_baseline(
    truth: Any,
    scores: Any,
    baseline: Any,
    *,
    statistic: str = "spearman_rho",
    over: Over = "nested",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    resampling: Resampling | None = None,
    margin: float | None = None,
) -> Any:
    """Mean over the seeds of each score of its statistic minus that of a score without seeds, such as ``params``.

    Parameters
    ----------
    truth, scores, over, n_boot, seed, directions, level, resampling: as in `correlate_seeds`.
    baseline: SCORES frame of one proxy without seeds or steps, of the same benchmark and dataset.
    statistic: a correlation; a bootstrap of extremes is not valid and is refused.
    margin: differences below it do not matter, see `nasanalysis.stats.verdict`.

    Returns columns benchmark, dataset, method, setting, proxy, unit, step, statistic, difference, ci_low, ci_high
    (both scores see the same architectures in every resample), interval, resampled, verdict, n_archs.
    `StudyError` where `baseline` is several scores.
    """
    chosen = _asked(resampling, over, n_boot, seed, level)
    measure = correlation_to_compare(statistic, "difference")
    check_margin(margin)
    bars = _one_of_each_place(aligned_series(truth, baseline, directions=directions))
    rows = []
    for members in aligned_seeds(truth, scores, directions=directions):
        bar = bars.get(members[0].place)
        if bar is None:
            raise StudyError(f"baseline: expected a score of {'/'.join(members[0].place)} too, got none")
        used = np.logical_and.reduce([bar.used, *(one.used for one in members)])
        y, cost = members[0].truth.values[used], bar.values[used]
        table = np.array([one.values[used] for one in members])
        gap = float(np.mean([measure(row, y) for row in table]) - measure(cost, y))
        interval = None
        if np.isfinite(gap):
            interval = _interval(measure, table, y, chosen, _classes(bar, used, chosen), cost)
        place = {"benchmark": bar.place[0], "dataset": bar.place[1], **members[0].key, "statistic": measure.name}
        rows.append({**place, "difference": defined(gap), **ends(interval), **_named(interval, chosen, gap, margin)})
        rows[-1]["n_archs"] = int(used.sum())
    real = dict.fromkeys(["difference", "ci_low", "ci_high"], pl.Float64())
    text = dict.fromkeys(["unit", "interval", "resampled", "verdict"], pl.String())
    return pl.DataFrame(rows, schema_overrides={**real, "step": pl.Int64(), **text})


def paired_seeds(
    measure: Statistic, first: Sequence[Series], second: Sequence[Series], resampling: Resampling
) -> tuple[float, Interval | None]:
    """Mean over seeds of `measure` of `first` minus that of `second`, seed by seed, and its interval.

    first, second: series of the same seeds, in order; only architectures that all of them score count.
    """
    used = np.logical_and.reduce([one.used for one in (*first, *second)])
    y = first[0].truth.values[used]
    one, other = (np.array([series.values[used] for series in side]) for side in (first, second))
    gap = float(np.mean([measure(a, y) - measure(b, y) for a, b in zip(one, other, strict=True)]))
    if not np.isfinite(gap):
        return gap, None
    if len(one) < 2 and resampling.unit != "arch":  # of one seed no other can be drawn
        resampling = replace(resampling, unit="class")
    return gap, _interval(measure, one, y, resampling, _classes(first[0], used, resampling), other)


def _named(interval: Interval | None, resampling: Resampling, gap: float, margin: float | None) -> Row:
    """Columns interval, resampled, verdict of a difference."""
    if interval is None:
        return {"interval": None, "resampled": None, "verdict": "not told apart"}
    said = verdict(gap, interval.low, interval.high, margin)
    return {"interval": str(interval), "resampled": resampling.unit or "nested", "verdict": said}


def _one_of_each_place(series: Sequence[Series]) -> dict[Place, Series]:
    bars: dict[Place, Series] = {}
    for one in series:
        if bars.setdefault(one.place, one) is not one:
            raise StudyError(f"baseline: expected one score without seeds and steps, got several ({one.name})")
    return bars


@any_frame
def repeated_samples(
    truth: Any,
    scores: Any,
    *,
    n_archs: int = 200,
    n_samples: int = 5,
    seed: int = 0,
    statistics: Sequence[str] = ("spearman_rho",),
    directions: Mapping[str, int | str] | None = None,
) -> Any:
    """The protocol of published studies: `n_samples` samples of `n_archs` architectures, mean and standard deviation.

    Each sample is drawn uniformly without replacement from the architectures that the truth holds, from its own
    stream of `seed`, the same for every score. SoTL thesis 3.4: 200 architectures (350 for DARTS), 3 to 5 seeds.

    Returns a STATS frame: `estimate` is the mean over samples, `ci_low` and `ci_high` are null, `sd` is the
    standard deviation (n - 1) over samples, `n_samples` their number, `sample` reads ``3 samples of 200``. The
    standard deviation says how far one such sample may be off, not how far the mean is. `n_archs` and
    `n_missing` are of the first sample. `StudyError` where there are fewer architectures than `n_archs`.
    """
    if n_samples < 1 or n_archs < 3:
        raise StudyError(f"expected at least 1 sample of at least 3 architectures, got {n_samples} of {n_archs}")
    wanted = [_without_covariates(name) for name in statistics]
    rows = []
    for one in aligned_series(truth, scores, directions=directions):
        pool = np.flatnonzero(np.isfinite(one.truth.values))
        if len(pool) < n_archs:
            raise StudyError(f"{one.name}: expected at least {n_archs} architectures with a truth, got {len(pool)}")
        draws = [generator(seed, "stats", "sample", *one.place, i) for i in range(n_samples)]
        samples = [np.sort(rng.choice(pool, n_archs, replace=False)) for rng in draws]
        samples = [sample[one.used[sample]] for sample in samples]
        for statistic in wanted:
            each = np.array([statistic(one.values[s], one.truth.values[s]) for s in samples])
            row = stats_row(
                one,
                statistic.name,
                each.mean(),
                n_archs=len(samples[0]),
                n_missing=n_archs - len(samples[0]),
                sample=f"{n_samples} samples of {n_archs}",
            )
            rows.append({**row, "sd": _spread(each), "n_samples": len(each)})
    return stats_frame(rows, {"sd": pl.Float64(), "n_samples": pl.Int64()})


def _asked(resampling: Resampling | None, over: str, n_boot: int, seed: int, level: float) -> Resampling:
    """`resampling`, or one made of the arguments that stand for it; its unit is `over` then."""
    check_over(over)
    unit = _UNITS[over] if resampling is None else None
    return asked(resampling, n_boot, seed, level, unit=unit, units=("arch", "class", "seed", "nested"))


def check_over(over: str) -> None:
    """`ValueError` unless `over` names what may be resampled."""
    if over not in get_args(Over):
        raise ValueError(f"over: expected one of {', '.join(get_args(Over))}, got {over!r}")


def _without_covariates(name: str) -> Statistic:
    statistic = get_statistic(name)
    if statistic.covariates:
        raise StudyError(f"{name}: covariates are known to `correlate` only; ask it, or leave this statistic out")
    return statistic
