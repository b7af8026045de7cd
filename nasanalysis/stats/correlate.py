"""TRUTH x SCORES -> STATS: how well a score ranks architectures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np

from ..core.errors import StudyError
from ..core.frames import any_frame
from . import fast
from .alignment import MismatchWarning, aligned_series
from .bootstrap import HALVES, Interval, IntervalKind, percentile_interval
from .infinite import Infinite
from .intervals import make_interval
from .rank import Floats
from .registry import Statistic, get_statistic, outside_statistic
from .resampling import Drawn, Resampling, Unit, Units, asked
from .rows import Row, stats_frame, stats_row
from .series import FEWEST, Series

__all__ = ["MismatchWarning", "correlate"]


@any_frame
def correlate(
    truth: Any,
    scores: Any,
    *,
    statistics: Sequence[str] = ("spearman_rho", "kendall_tau"),
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    sample: Iterable[str] | None = None,
    sample_name: str = "all",
    level: float = 0.95,
    unit: Unit | None = None,
    interval: IntervalKind = "fisher_z",
    resampling: Resampling | None = None,
    covariates: Any = None,
    infinite: Infinite = "missing",
    workers: int | None = None,
) -> Any:
    """How well each score ranks the architectures, as a STATS frame (pandas in, pandas out).

    Parameters
    ----------
    truth: TRUTH frame with one split and one schedule per (benchmark, dataset). An architecture with a row of
        null seed (a mean over seeds) is taken at its word and its other rows are left out; otherwise its truth is
        the exact mean over its seeds. `truth_seeds` of the answer says which: ``mean``, ``mean of 2 seeds``,
        ``mean of 1 to 3 seeds`` or ``seed 0``; where both kinds stand side by side, how many of each.
    scores: SCORES frame, raw values. Seeds of a score are averaged per architecture, in the same way.
    statistics: names, see `nasanalysis.stats.STATISTICS`.
    n_boot: resamples behind every interval; 0 leaves the intervals null.
    seed: of the resamples. The same seed gives the same table whatever the order of the rows.
        Scores of the same set of architectures share their resamples, so they compare as pairs.
    directions: proxy -> +1 (``higher`` is better) or -1 (``lower``); scores are multiplied by it before every
        statistic. For a proxy that is not named, its own direction counts, or what its name says
        (`nasanalysis.proxies.direction_of`: -1 for ``sotl`` or a latency, +1 for a name we do not know). The column
        `direction_source` says which it was, `nasanalysis.stats.direction_notes` what is doubtful about it.
    sample: architectures (``space:key``) to restrict both tables to; repeated ones count once.
    sample_name: what the column `sample` says.
    level: share of the resamples within an interval.
    unit: what is resampled: ``arch`` (architectures) or ``class`` (functional classes: all members of a drawn class
        come along, because isomorphic encodings are one network and not independent). By default classes where the
        architectures of a score hold one of them twice. Without effect on the estimates.
    interval: ``fisher_z``, ``percentile`` or ``bca``, for statistics whose interval is a bootstrap; see
        `nasanalysis.stats.bootstrap` for what they are and how well they cover. Where many pairs are tied,
        ``fisher_z`` of Kendall's tau is ``bca``, see `nasanalysis.stats.intervals`.
    resampling: one `Resampling` in place of `n_boot`, `seed`, `level`, `unit` and `interval`.
    covariates: where statistics such as ``partial_spearman@params`` find their covariates: an ARCHS frame (its
        ``params`` and ``flops``) or a SCORES frame; by default `scores` itself, and for ``params`` and ``flops``
        that it lacks the space of the architectures. Architectures without the covariate are left out of such a
        statistic, and counted.
    infinite: what an infinite score is: ``missing`` (left out and counted), or ``worst``: ranked below every finite
        one of its proxy, and then the column `setting` says so. Statistics of ranks only.
    workers: processes (joblib's ``n_jobs``); by default what ``joblib.parallel_config`` says, else one. The
        table is the same whatever their number.

    Plain tables will do, with columns ``arch, accuracy`` and ``arch, proxy, value[, step]``: what they leave out is
    filled in (`nasanalysis.loaders.tables.own`).

    Undefined (null, NaN, infinite) scores and truths are left out. `n_archs` counts the architectures used,
    `n_missing` those of the truth, within the sample, that could not be used. A statistic that is undefined
    on them (constant scores) is null. `direction` is what the scores were multiplied by. A truth of which less is
    better (a loss, a latency) counts negated, so a `topk_mean` of it is minus its mean. How an interval is made
    stands in `interval`: a bootstrap for correlations, random halves for ``topk_mean@k`` and other statistics of the
    best few; what was resampled stands in `resampled`. There is no interval, and `interval` says so, where all
    architectures are of one class.

    `StudyError` if fewer than 3 architectures can be used, or the truth is not narrowed to one split and
    schedule; `FrameError` for a table that breaks its schema; `UnknownNameError` for a statistic. One
    `MismatchWarning` if scores name architectures that the truth lacks, one `MixedSeedsWarning` if some
    architectures of a table stand with a mean over seeds and others with their seeds only.
    """
    if isinstance(statistics, str):
        raise StudyError(f"statistics: expected several names, got one text {statistics!r}; pass ({statistics!r},)")
    wanted = [get_statistic(name) for name in dict.fromkeys(statistics)]
    if infinite == "worst" and "pearson_r" in statistics:
        raise StudyError("infinite = 'worst': pearson_r measures distances, and last has none; leave one of them out")
    chosen = asked(resampling, n_boot, seed, level, interval=interval, unit=unit)
    series = aligned_series(
        truth,
        scores,
        directions=directions,
        sample=sample,
        sample_name=sample_name,
        covariates=covariates,
        infinite=infinite,
        wanted=[name for statistic in wanted for name in statistic.covariates],
    )
    named = tuple(outside_statistic(name) or name for name in statistics)  # a worker knows no statistic from outside
    plan = _Plan(named, chosen, sample_name, _pays(series, chosen.n, len(wanted)))
    groups = _shared_out(_by_architectures(series), joblib.effective_n_jobs(workers))
    answers = joblib.Parallel(n_jobs=workers)(joblib.delayed(_rows)(plan, [series[i] for i in g]) for g in groups)
    rows_of = {i: rows for g, many in zip(groups, answers, strict=True) for i, rows in zip(g, many, strict=True)}
    return stats_frame([row for i in range(len(series)) for row in rows_of[i]])


@dataclass(frozen=True)
class _Plan:
    """What is asked of every series."""

    statistics: tuple[str | Statistic, ...]
    resampling: Resampling
    sample_name: str
    compiled: bool | None


def _pays(series: Sequence[Series], n_boot: int, n_statistics: int) -> bool | None:
    """Whether all the work together pays for loading the compiled kernels; None leaves it to each table."""
    work = n_boot * n_statistics * sum(int(one.used.sum()) for one in series)
    return True if work >= 10 * fast.PAYS and fast.kernels(fast.PAYS) else None


def _shared_out(groups: list[list[int]], workers: int) -> list[list[int]]:
    """`groups`, the large ones split so that every worker has some: series of one task share resamples."""
    if workers <= 1:
        return groups
    size = max(1, -(-sum(map(len, groups)) // (2 * workers)))
    return [group[i : i + size] for group in groups for i in range(0, len(group), size)]


def _rows(plan: _Plan, members: Sequence[Series]) -> list[list[Row]]:
    """The rows of each of `members`, which use the same architectures of the same truth."""
    statistics = [get_statistic(one) if isinstance(one, str) else one for one in plan.statistics]
    drawn = Drawn(plan.resampling, compiled=plan.compiled)
    return [[_row(one, statistic, plan.sample_name, drawn) for statistic in statistics] for one in members]


def _row(one: Series, statistic: Statistic, sample_name: str, drawn: Drawn) -> Row:
    used = one.used_with(statistic.covariates)
    score, truth = one.values[used], one.truth.values[used]
    covariates = [one.covariates[name][used] for name in statistic.covariates]
    _refuse_too_few(one, statistic, len(score))
    estimate = statistic(score, truth, *covariates)
    interval, units = None, one.units(drawn.resampling, used)
    if drawn.resampling.n and np.isfinite(estimate):
        interval = _interval(statistic, estimate, drawn, units, score, truth, covariates)
    return stats_row(
        one, statistic.name, estimate, n_archs=len(score), interval=interval, resampled=units.name, sample=sample_name
    )


def _refuse_too_few(one: Series, statistic: Statistic, n_archs: int) -> None:
    fewest = max(statistic.smallest, FEWEST if statistic.covariates else 0)
    if n_archs >= fewest:
        return
    lacks = f" and {', '.join(statistic.covariates)}" if statistic.covariates else ""
    hint = "add the covariate of the others" if lacks else "ask for a smaller k or score more architectures"
    raise StudyError(
        f"{one.name}: {statistic.name}: expected at least {fewest} architectures with a score and a truth{lacks}, "
        f"got {n_archs}; {hint}"
    )


def _interval(
    statistic: Statistic,
    estimate: float,
    drawn: Drawn,
    units: Units,
    score: Floats,
    truth: Floats,
    covariates: Sequence[Floats],
) -> Interval:
    if not units.can_be_drawn:
        return units.no_interval()
    values = statistic.on_resamples(drawn.of(truth, statistic.interval, units), score, *covariates)
    if statistic.interval == "halves":
        return percentile_interval(values, units.says(HALVES), level=drawn.resampling.level)
    return make_interval(
        drawn.resampling.interval,
        values,
        estimate,
        statistic.on_resamples,
        score,
        truth,
        *covariates,
        correlation=statistic.unit == "correlation",
        excess=statistic.excess,
        level=drawn.resampling.level,
        units=units,
    )


def _by_architectures(series: Sequence[Series]) -> list[list[int]]:
    """Indices of the series that use the same architectures of the same truth."""
    groups: dict[tuple[tuple[str, str], bytes], list[int]] = {}
    for i, one in enumerate(series):
        groups.setdefault((one.place, one.used.tobytes()), []).append(i)
    return list(groups.values())
