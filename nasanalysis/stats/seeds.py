"""Seeds and repeated samples: the other sources of randomness, named and resampled.

`correlate` averages seeds and resamples architectures. Here seeds stay apart: `correlate_seeds` resamples
architectures, seeds or both; `repeated_samples` is the protocol of published studies (several samples of
n architectures, mean and standard deviation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import SCHEMAS, any_frame, check, to_polars
from ..core.seeding import generator
from .bootstrap import BOOTSTRAP, Interval, bootstrap_counts, check_level, percentile_interval
from .correlate import Series, aligned_series
from .rank import Floats
from .registry import Statistic, get_statistic
from .resamples import Resamples

Over = Literal["archs", "seeds", "nested"]
METHODS = {
    "archs": BOOTSTRAP,
    "seeds": "percentile bootstrap over seeds",
    "nested": "percentile bootstrap over architectures and seeds",
}
_SERIES = ("benchmark", "dataset", "method", "setting", "proxy", "unit", "step")


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
) -> Interval:
    """Interval of the mean over seeds of a statistic.

    Parameters
    ----------
    scores: (n_seeds, n_archs), finite, higher is better; every seed (a supernet, a draw of noise) scores all.
    truth: (n_archs,), finite.
    over: what is resampled. ``archs``: these seeds, other architectures; ``seeds``: these architectures, other
        seeds; ``nested``: both at once, which is what a claim on the method needs. A statistic of extremes
        (``topk_mean`` ...) has no valid bootstrap over architectures: `StudyError` unless ``seeds``.
    baseline: (n_archs,), a score without seeds (``params``): the interval is then that of the mean difference to
        its statistic, on the same resamples.

    With few seeds the interval over seeds is too short (two seeds give three different means): state their number.
    """
    check_over(over)
    check_level(level)
    table = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    n_seeds, n_archs = table.shape
    if over != "archs" and n_seeds < 2:
        raise StudyError(f"bootstrap over seeds: expected at least 2 seeds, got {n_seeds}; resample architectures")
    if over != "seeds" and statistic.interval != "bootstrap":
        raise StudyError(f"{statistic.name}: a bootstrap of extremes over architectures is not valid; use over='seeds'")
    if over == "seeds":
        values = np.array([statistic(row, truth) for row in table])
        if baseline is not None:
            values = values - statistic(baseline, truth)
        each = np.repeat(values[:, None], n_boot, axis=1)
    else:
        resamples = Resamples(truth, bootstrap_counts(n_archs, n_boot, rng))
        each = np.array([statistic.on_resamples(resamples, row) for row in table])  # (n_seeds, n_boot)
        if baseline is not None:
            each = each - statistic.on_resamples(resamples, baseline)
    if over != "archs":
        drawn = bootstrap_counts(n_seeds, n_boot, rng).T / n_seeds  # (n_seeds, n_boot)
        return percentile_interval(np.where(drawn > 0, each * drawn, 0.0).sum(axis=0), METHODS[over], level=level)
    return percentile_interval(each.mean(axis=0), METHODS[over], level=level)


@any_frame
def correlate_seeds(
    truth: Any,
    scores: Any,
    *,
    statistics: Sequence[str] = ("spearman_rho", "kendall_tau"),
    over: Over = "nested",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int] | None = None,
    level: float = 0.95,
) -> Any:
    """Mean over the seeds of each score of how well it ranks, as a STATS frame with two columns more.

    Parameters as in `correlate`; `over` as in `bootstrap_over_seeds`. The estimate is the mean of the statistic
    over seeds (not the statistic of the mean score, which is what `correlate` gives), ``sd`` its standard
    deviation over seeds (n - 1), ``n_score_seeds`` their number. Only architectures that every seed scores count.
    Rows of null seed (means) are left out.
    """
    check_over(over)
    wanted = [_without_covariates(name) for name in statistics]
    rows = []
    for members in _by_seed(truth, scores, directions):
        used = np.logical_and.reduce([one.used for one in members])
        y = members[0].truth.values[used]
        table = np.array([one.values[used] for one in members])
        for statistic in wanted:
            if len(y) < max(3, statistic.smallest):
                raise StudyError(
                    f"{members[0].name}: {statistic.name}: expected at least {max(3, statistic.smallest)} "
                    f"architectures with a truth and a score of every seed, got {len(y)}"
                )
            each = np.array([statistic(row, y) for row in table])
            made = None
            if n_boot and np.isfinite(each).all():
                rng = generator(seed, "stats", "seeds", over)
                made = bootstrap_over_seeds(statistic, table, y, rng=rng, over=over, n_boot=n_boot, level=level)
            rows.append(_stats_row(members[0], statistic.name, each, made, int(used.sum())))
    schema = {**SCHEMAS["STATS"].columns, "sd": pl.Float64(), "n_score_seeds": pl.Int64()}
    return check(pl.DataFrame(rows, schema=schema), "STATS")


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
    directions: Mapping[str, int] | None = None,
    level: float = 0.95,
) -> Any:
    """Mean over the seeds of each score of its statistic minus that of a score without seeds, such as ``params``.

    Parameters
    ----------
    truth, scores, over, n_boot, seed, directions, level: as in `correlate_seeds`.
    baseline: SCORES frame of one proxy without seeds or steps, of the same benchmark and dataset.
    statistic: a correlation; a bootstrap of extremes is not valid and is refused.

    Returns columns benchmark, dataset, method, setting, proxy, unit, step, statistic, difference, ci_low, ci_high
    (both scores see the same architectures in every resample), n_archs. `StudyError` where `baseline` is several
    scores.
    """
    check_over(over)
    measure = _without_covariates(statistic)
    if measure.interval != "bootstrap":
        raise StudyError(f"difference: expected a correlation, got {statistic!r}: a bootstrap of extremes is not valid")
    bars: dict[tuple[str, str], Series] = {}
    for one in aligned_series(truth, baseline, directions=directions):
        if bars.setdefault(one.place, one) is not one:
            raise StudyError(f"baseline: expected one score without seeds and steps, got several ({one.name})")
    rows = []
    for members in _by_seed(truth, scores, directions):
        bar = bars.get(members[0].place)
        if bar is None:
            raise StudyError(f"baseline: expected a score of {'/'.join(members[0].place)} too, got none")
        used = np.logical_and.reduce([bar.used, *(one.used for one in members)])
        y, cost = members[0].truth.values[used], bar.values[used]
        table = np.array([one.values[used] for one in members])
        gap = float(np.mean([measure(row, y) for row in table]) - measure(cost, y))
        made = None
        if n_boot and np.isfinite(gap):
            rng = generator(seed, "stats", "seeds", over)
            made = bootstrap_over_seeds(
                measure, table, y, rng=rng, over=over, n_boot=n_boot, level=level, baseline=cost
            )
        place = {"benchmark": bar.place[0], "dataset": bar.place[1], **members[0].key, "statistic": measure.name}
        ends = {"ci_low": made.low if made else None, "ci_high": made.high if made else None}
        rows.append({**place, "difference": gap if np.isfinite(gap) else None, **ends, "n_archs": int(used.sum())})
    real = dict.fromkeys(["difference", "ci_low", "ci_high"], pl.Float64())
    return pl.DataFrame(rows, schema_overrides={**real, "step": pl.Int64(), "unit": pl.String()})


@any_frame
def repeated_samples(
    truth: Any,
    scores: Any,
    *,
    n_archs: int = 200,
    n_samples: int = 5,
    seed: int = 0,
    statistics: Sequence[str] = ("spearman_rho",),
    directions: Mapping[str, int] | None = None,
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
        samples = [chosen[one.used[chosen]] for chosen in samples]
        for statistic in wanted:
            each = np.array([statistic(one.values[s], one.truth.values[s]) for s in samples])
            row = _stats_row(one, statistic.name, each, None, len(samples[0]))
            row |= {"sample": f"{n_samples} samples of {n_archs}", "n_missing": n_archs - len(samples[0])}
            row["n_samples"] = row.pop("n_score_seeds")
            rows.append(row)
    schema = {**SCHEMAS["STATS"].columns, "sd": pl.Float64(), "n_samples": pl.Int64()}
    return check(pl.DataFrame(rows, schema=schema), "STATS")


def check_over(over: str) -> None:
    """`ValueError` unless `over` names what may be resampled."""
    if over not in get_args(Over):
        raise ValueError(f"over: expected one of {', '.join(get_args(Over))}, got {over!r}")


def _without_covariates(name: str) -> Statistic:
    statistic = get_statistic(name)
    if statistic.covariates:
        raise StudyError(f"{name}: covariates are known to `correlate` only; ask it, or leave this statistic out")
    return statistic


def _by_seed(truth: Any, scores: Any, directions: Mapping[str, int] | None) -> list[list[Series]]:
    """The series of each score, seed by seed."""
    table = to_polars(scores).filter(pl.col("seed").is_not_null())
    if table.is_empty():
        raise StudyError("scores: expected rows with a seed, got means only; `correlate` resamples architectures")
    groups: dict[tuple[object, ...], list[Series]] = {}
    for seed in sorted(table["seed"].unique().to_list()):
        for one in aligned_series(truth, table.filter(pl.col("seed") == seed), directions=directions, stacklevel=6):
            groups.setdefault((*one.place, *one.key.values()), []).append(one)
    return list(groups.values())


def _stats_row(one: Series, statistic: str, each: Floats, made: Interval | None, n_archs: int) -> dict[str, object]:
    mean = float(each.mean())
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        **one.key,
        "truth_split": one.truth.split,
        "truth_schedule": one.truth.schedule,
        "truth_seeds": one.truth.seeds,
        "sample": "all",
        "statistic": statistic,
        "estimate": mean if np.isfinite(mean) else None,
        "ci_low": made.low if made else None,
        "ci_high": made.high if made else None,
        "interval": str(made) if made else None,
        "n_archs": n_archs,
        "n_missing": len(one.used) - n_archs,
        "sd": float(each.std(ddof=1)) if len(each) > 1 and np.isfinite(mean) else None,
        "n_score_seeds": len(each),
    }
