"""TRUTH x SCORES -> STATS: how well a score ranks architectures."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import SCHEMAS, any_frame, check, to_polars
from ..core.seeding import generator
from ..proxies import direction as proxy_direction
from . import fast
from .bootstrap import (
    HALVES,
    Interval,
    IntervalKind,
    bootstrap_counts,
    check_interval,
    check_level,
    half_counts,
    make_interval,
    percentile_interval,
)
from .rank import Floats
from .registry import Statistic, get_statistic
from .resamples import Resamples

FEWEST = 3  # architectures: below this no statistic says anything
_PLACE = ("benchmark", "dataset")
_SERIES = ("method", "setting", "proxy", "unit", "step")


class MismatchWarning(UserWarning):
    """Architectures that one of the tables holds and the other lacks."""


@any_frame
def correlate(
    truth: Any,
    scores: Any,
    *,
    statistics: Sequence[str] = ("spearman_rho", "kendall_tau"),
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int] | None = None,
    sample: Iterable[str] | None = None,
    sample_name: str = "all",
    level: float = 0.95,
    interval: IntervalKind = "fisher_z",
    covariates: Any = None,
    workers: int | None = None,
) -> Any:
    """How well each score ranks the architectures, as a STATS frame (pandas in, pandas out).

    Parameters
    ----------
    truth: TRUTH frame with one split and one schedule per (benchmark, dataset). If a (benchmark, dataset)
        has rows of null seed (means over seeds), they are the truth as they stand and its other rows are
        left out; otherwise the truth of an architecture is the mean over its seeds. `truth_seeds` of the
        answer says which: ``mean``, ``mean of 2 seeds``, ``mean of 1 to 3 seeds`` or ``seed 0``.
    scores: SCORES frame, raw values. Seeds of a score are averaged per architecture, in the same way.
    statistics: names, see `nasanalysis.stats.STATISTICS`.
    n_boot: resamples behind every interval; 0 leaves the intervals null.
    seed: of the resamples. The same seed gives the same table whatever the order of the rows.
        Scores of the same set of architectures share their resamples, so they compare as pairs.
    directions: proxy -> +1 (higher is better) or -1 (lower is better); scores are multiplied by it before
        every statistic. For a proxy that is not named, its own direction counts
        (`nasanalysis.proxies.direction`: -1 for ``sotl`` or a latency, +1 for a name we do not know).
    sample: architectures (``space:key``) to restrict both tables to; repeated ones count once.
    sample_name: what the column `sample` says.
    level: share of the resamples within an interval.
    interval: ``fisher_z``, ``percentile`` or ``bca``, for statistics whose interval is a bootstrap; see
        `nasanalysis.stats.bootstrap` for what they are and how well they cover.
    covariates: where statistics such as ``partial_spearman@params`` find their covariates: an ARCHS frame (its
        ``params`` and ``flops``) or a SCORES frame; by default `scores` itself. Architectures without the
        covariate are left out of such a statistic, and counted.
    workers: processes (joblib's ``n_jobs``); by default what ``joblib.parallel_config`` says, else one. The
        table is the same whatever their number.

    Undefined (null, NaN, infinite) scores and truths are left out. `n_archs` counts the architectures used,
    `n_missing` those of the truth, within the sample, that could not be used. A statistic that is undefined
    on them (constant scores) is null. How an interval is made stands in `interval`: a bootstrap over
    architectures for correlations, random halves for ``topk_mean@k`` and other statistics of the best few.

    `StudyError` if fewer than 3 architectures can be used, or the truth is not narrowed to one split and
    schedule; `FrameError` for a table that breaks its schema; `UnknownNameError` for a statistic. One
    `MismatchWarning` if scores name architectures that the truth lacks.
    """
    if isinstance(statistics, str):
        raise StudyError(f"statistics: expected several names, got one text {statistics!r}; pass ({statistics!r},)")
    wanted = [get_statistic(name) for name in dict.fromkeys(statistics)]
    if n_boot < 0:
        raise ValueError(f"n_boot: expected 0 or more resamples, got {n_boot}")
    check_level(level)
    check_interval(interval)
    series = aligned_series(
        truth,
        scores,
        directions=directions,
        sample=sample,
        sample_name=sample_name,
        covariates=covariates,
        wanted=[name for statistic in wanted for name in statistic.covariates],
    )
    plan = _Plan(tuple(statistics), n_boot, seed, level, interval, sample_name, _pays(series, n_boot, len(wanted)))
    groups = _shared_out(_by_architectures(series), joblib.effective_n_jobs(workers))
    found = joblib.Parallel(n_jobs=workers)(joblib.delayed(_rows)(plan, [series[i] for i in g]) for g in groups)
    results = {i: rows for g, many in zip(groups, found, strict=True) for i, rows in zip(g, many, strict=True)}
    rows = [row for i in range(len(series)) for row in results[i]]
    return check(pl.DataFrame(rows, schema=SCHEMAS["STATS"].columns), "STATS")


def aligned_series(
    truth: Any,
    scores: Any,
    *,
    directions: Mapping[str, int] | None = None,
    sample: Iterable[str] | None = None,
    sample_name: str = "all",
    covariates: Any = None,
    wanted: Sequence[str] = (),
    stacklevel: int = 5,
) -> list[Series]:
    """Each score beside the truth of the same architectures, checked and oriented: parameters as in `correlate`.

    wanted: names of the covariates that will be asked for. stacklevel: of the caller, for warnings.
    """
    kept = _sample(sample)
    facts = _truths(check(_without_infinite(truth, "accuracy"), "TRUTH"), kept, sample_name, stacklevel)
    table = check(_without_infinite(scores, "value"), "SCORES")
    others = _covariates(covariates, table, facts, wanted)
    if table.is_empty():
        raise StudyError("scores: expected at least 3 scored architectures, got an empty SCORES frame")
    strangers = _warn_of_strangers(table, facts, stacklevel)
    series = [
        s
        for place, fact in facts.items()
        for s in _series_of(place, fact, table, directions or {}, others.get(place, {}))
    ]
    if not series:
        raise StudyError(
            f"scores and truth share no (benchmark, dataset): truth has {_places(facts)}, "
            f"scores have {_places(table.select(*_PLACE).unique(maintain_order=True).iter_rows())}"
        )
    for one in series:
        one.refuse_too_few(strangers.get(one.place))
    return series


@dataclass(frozen=True)
class Truth:
    """Truth of one (benchmark, dataset): architectures in order of their text."""

    archs: list[str]
    values: Floats  # NaN where undefined
    outside: frozenset[str]  # architectures of the truth that are not in the sample
    split: str
    schedule: int | None
    seeds: str


@dataclass(frozen=True)
class Series:
    """The scores of one proxy at one step, in the order of the truth's architectures."""

    place: tuple[str, str]
    key: dict[str, Any]
    truth: Truth
    values: Floats  # oriented, NaN where undefined
    used: NDArray[np.bool_]
    covariates: Mapping[str, Floats]  # as values, of those asked for

    @property
    def used_truth(self) -> Floats:
        return self.truth.values[self.used]

    @property
    def used_score(self) -> Floats:
        return self.values[self.used]

    def archs(self) -> list[str]:
        """The architectures used, in order of their text."""
        return [arch for arch, used in zip(self.truth.archs, self.used, strict=True) if used]

    def used_with(self, covariates: Sequence[str]) -> NDArray[np.bool_]:
        """Which architectures have a score, a truth and these covariates."""
        used = self.used
        for name in covariates:
            used = used & np.isfinite(self.covariates[name])
        return used

    @property
    def name(self) -> str:
        said = ", ".join(f"{k} {v!r}" for k, v in self.key.items() if v is not None)
        return f"{'/'.join(self.place)} ({said})"

    def refuse_too_few(self, stranger: str | None) -> None:
        found, of = int(self.used.sum()), len(self.used)
        if found >= FEWEST:
            return
        no_score, no_truth = int(np.isnan(self.values).sum()), int(np.isnan(self.truth.values).sum())
        why = f"{no_score} of the {of} architectures of the truth have no defined score"
        if no_truth:
            why += f", {no_truth} have no defined truth"
        if stranger is not None:
            example = repr(self.truth.archs[0]) if self.truth.archs else "none"
            why += f"; scores name architectures that the truth lacks: scores have {stranger!r}, truth has {example}"
        raise StudyError(
            f"{self.name}: expected at least {FEWEST} architectures with a score and a truth, got {found}: {why}. "
            "Check that both tables spell architectures alike, or leave this score out"
        )


@dataclass(frozen=True)
class _Plan:
    """What is asked of every series."""

    statistics: tuple[str, ...]
    n_boot: int
    seed: int
    level: float
    interval: IntervalKind
    sample_name: str
    compiled: bool | None


@dataclass
class Draws:
    """The resamples of one set of architectures, drawn when first asked for."""

    truth: Floats
    n_boot: int
    seed: int
    compiled: bool | None = None
    _kept: dict[str, Resamples] = field(default_factory=dict)

    def resamples(self, kind: str) -> Resamples:
        """Those of an interval ``bootstrap`` or ``halves``."""
        if kind not in self._kept:
            draw = half_counts if kind == "halves" else bootstrap_counts
            counts = draw(len(self.truth), self.n_boot, generator(self.seed, "stats", kind))
            self._kept[kind] = Resamples(self.truth, counts, compiled=self.compiled)
        return self._kept[kind]

    def interval(
        self, statistic: Statistic, estimate: float, score: Floats, covariates: Sequence[Floats], plan: _Plan
    ) -> Interval:
        values = statistic.on_resamples(self.resamples(statistic.interval), score, *covariates)
        if statistic.interval == "halves":
            return percentile_interval(values, HALVES, level=plan.level)
        return make_interval(
            plan.interval,
            values,
            estimate,
            statistic.on_resamples,
            score,
            self.truth,
            *covariates,
            correlation=statistic.unit == "correlation",
            excess=statistic.excess,
            level=plan.level,
        )


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


def _rows(plan: _Plan, members: Sequence[Series]) -> list[list[dict[str, object]]]:
    """The rows of each of `members`, which use the same architectures of the same truth."""
    wanted = [get_statistic(name) for name in plan.statistics]
    kept: dict[bytes, Draws] = {}
    return [[_row(one, statistic, plan, kept) for statistic in wanted] for one in members]


def _row(one: Series, statistic: Statistic, plan: _Plan, kept: dict[bytes, Draws]) -> dict[str, object]:
    used = one.used_with(statistic.covariates)
    score, truth = one.values[used], one.truth.values[used]
    covariates = [one.covariates[name][used] for name in statistic.covariates]
    if len(score) < max(statistic.smallest, FEWEST if covariates else 0):
        lacks = f" and {', '.join(statistic.covariates)}" if covariates else ""
        hint = "add the covariate of the others" if covariates else "ask for a smaller k or score more architectures"
        raise StudyError(
            f"{one.name}: {statistic.name}: expected at least {max(statistic.smallest, FEWEST if covariates else 0)} "
            f"architectures with a score and a truth{lacks}, got {len(score)}; {hint}"
        )
    estimate = statistic(score, truth, *covariates)
    made = None
    if plan.n_boot and np.isfinite(estimate):
        draws = kept.get(used.tobytes())
        if draws is None:
            draws = kept[used.tobytes()] = Draws(truth, plan.n_boot, plan.seed, plan.compiled)
        made = draws.interval(statistic, estimate, score, covariates, plan)
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        **one.key,
        "truth_split": one.truth.split,
        "truth_schedule": one.truth.schedule,
        "truth_seeds": one.truth.seeds,
        "sample": plan.sample_name,
        "statistic": statistic.name,
        "estimate": _null(estimate),
        "ci_low": _null(made.low) if made else None,
        "ci_high": _null(made.high) if made else None,
        "interval": str(made) if made else None,
        "n_archs": len(score),
        "n_missing": len(one.used) - len(score),
    }


def _null(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _without_infinite(frame: Any, column: str) -> pl.DataFrame:
    table = to_polars(frame)
    if column not in table.columns or not table[column].dtype.is_float():
        return table
    return table.with_columns(pl.when(pl.col(column).is_finite()).then(pl.col(column)).alias(column))


def _sample(sample: Iterable[str] | None) -> frozenset[str] | None:
    if sample is None:
        return None
    if isinstance(sample, str):
        raise StudyError(f"sample: expected several architectures ('space:key'), got one text {sample!r}; pass a list")
    kept = frozenset(str(arch) for arch in sample)
    bare = sorted(arch for arch in kept if ":" not in arch)
    if bare:
        raise StudyError(f"sample: expected 'space:key' texts, got {bare[0]!r}; add the space, for example 'nb201:'")
    return kept


def _truths(
    table: pl.DataFrame, sample: frozenset[str] | None, sample_name: str, stacklevel: int
) -> dict[tuple[str, str], Truth]:
    if table.is_empty():
        raise StudyError("truth: expected trained architectures, got an empty TRUTH frame; does this split exist?")
    unseen = sample - set(table["arch"].to_list()) if sample is not None else frozenset()
    if unseen:
        warnings.warn(
            f"sample {sample_name!r}: {len(unseen)} of {len(sample or ())} architectures have no truth, "
            f"for example {min(unseen)!r}",
            MismatchWarning,
            stacklevel=stacklevel,
        )
    parts = table.sort(*_PLACE).partition_by(*_PLACE, as_dict=True, maintain_order=True)
    return {(str(key[0]), str(key[1])): _truth(part, "/".join(map(str, key)), sample) for key, part in parts.items()}


def _truth(part: pl.DataFrame, place: str, sample: frozenset[str] | None) -> Truth:
    targets = part.select("split", "schedule").unique(maintain_order=True).rows()
    if len(targets) > 1:
        said = ", ".join(f"({split}, {schedule})" for split, schedule in sorted(targets, key=str))
        raise StudyError(
            f"truth of {place}: expected one split and one schedule, got {said}; narrow it, for example "
            "benchmark.truth(dataset, split='test', schedule=200)"
        )
    outside: frozenset[str] = frozenset()
    if sample is not None:
        outside = frozenset(part["arch"].to_list()) - sample
        part = part.filter(pl.col("arch").is_in(list(sample)))
    rows = _mean_rows_or_all(part, [])
    means = rows.sort("arch", "seed").group_by("arch", maintain_order=True).agg(pl.col("accuracy").mean())
    archs = sorted(set(part["arch"].to_list()))
    values = dict(means.select("arch", "accuracy").iter_rows())
    accuracy = np.array([_nan(values.get(arch)) for arch in archs], dtype=np.float64)
    return Truth(archs, accuracy, outside, str(targets[0][0]), targets[0][1], _seeds_text(rows))


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean_rows_or_all(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Within each group of `keys`: the rows of null seed (means over seeds) if it has any, else all rows."""
    has_mean = pl.col("seed").is_null().any()
    return table.filter(pl.col("seed").is_null() | ~(has_mean.over(*keys) if keys else has_mean))


def _seeds_text(rows: pl.DataFrame) -> str:
    """What `truth_seeds` says of the rows that the truth is made of."""
    rows = rows.filter(pl.col("accuracy").is_not_null())
    if rows.is_empty() or rows["seed"].is_null().any():
        return "mean"
    if rows["seed"].n_unique() == 1:
        return f"seed {rows['seed'][0]}"
    runs = rows.group_by("arch").len()["len"].to_list()
    fewest, most = min(runs), max(runs)
    if most == 1:
        return f"one of {rows['seed'].n_unique()} seeds"
    return f"mean of {most} seeds" if fewest == most else f"mean of {fewest} to {most} seeds"


def _warn_of_strangers(
    table: pl.DataFrame, facts: Mapping[tuple[str, str], Truth], stacklevel: int
) -> dict[tuple[str, str], str]:
    """One warning for all score rows whose architecture the truth lacks; an example of each (benchmark, dataset)."""
    held = [
        {"benchmark": place[0], "dataset": place[1], "arch": arch}
        for place, fact in facts.items()
        for arch in (*fact.archs, *sorted(fact.outside))
    ]
    known = pl.DataFrame(held, schema={"benchmark": pl.String, "dataset": pl.String, "arch": pl.String})
    scored = set(table.select(*_PLACE).iter_rows())
    if bare := [place for place in facts if place not in scored] if scored & set(facts) else []:
        warnings.warn(
            f"scores: none for {_places(bare)}, which the truth holds", MismatchWarning, stacklevel=stacklevel
        )
    lost = table.join(known, on=[*_PLACE, "arch"], how="anti")
    if lost.is_empty():
        return {}
    examples = {
        (str(b), str(d)): str(arch)
        for b, d, arch in lost.group_by(*_PLACE).agg(pl.col("arch").min()).sort(*_PLACE).iter_rows()
    }
    place, arch = next(iter(examples.items()))
    warnings.warn(
        f"scores: {len(lost)} of {len(table)} rows are of {lost.select(*_PLACE, 'arch').n_unique()} architectures "
        f"that the truth lacks, for example {arch!r} of {'/'.join(place)}; they are left out",
        MismatchWarning,
        stacklevel=stacklevel,
    )
    return examples


def _series_of(
    place: tuple[str, str],
    fact: Truth,
    table: pl.DataFrame,
    directions: Mapping[str, int],
    covariates: Mapping[str, Floats],
) -> Iterable[Series]:
    rows = table.filter(pl.col("benchmark") == place[0], pl.col("dataset") == place[1])
    if rows.is_empty():
        return
    rows = _mean_rows_or_all(rows, _SERIES).sort(*_SERIES, "arch", "seed")
    means = rows.group_by(*_SERIES, "arch", maintain_order=True).agg(pl.col("value").mean())
    index = pl.DataFrame({"arch": fact.archs, "at": range(len(fact.archs))}, schema={"arch": pl.String, "at": pl.Int64})
    means = means.join(index, on="arch", how="left", maintain_order="left")
    for key, part in means.partition_by(*_SERIES, as_dict=True, maintain_order=True).items():
        part = part.drop_nulls(["at", "value"])
        names = dict(zip(_SERIES, key, strict=True))
        values = np.full(len(fact.archs), np.nan)
        values[part["at"].to_numpy()] = _direction(str(names["proxy"]), directions) * part["value"].to_numpy()
        yield Series(place, names, fact, values, np.isfinite(values) & np.isfinite(fact.values), covariates)


def _covariates(
    frame: Any, scores: pl.DataFrame, facts: Mapping[tuple[str, str], Truth], wanted: Sequence[str]
) -> dict[tuple[str, str], dict[str, Floats]]:
    """Per (benchmark, dataset), each covariate in the order of the truth's architectures, NaN where undefined."""
    if not wanted:
        return {}
    if frame is None:
        table = scores
    elif "proxy" in (table := to_polars(frame)).columns:
        table = check(_without_infinite(table, "value"), "SCORES")
    else:
        costs = check(table, "ARCHS").with_columns(pl.col("params").cast(pl.Float64))
        table = costs.unpivot(["params", "flops"], index=[*_PLACE, "arch"], variable_name="proxy")
        table = table.with_columns(*(pl.lit(None).alias(c) for c in ("method", "setting", "seed", "unit", "step")))
    found: dict[tuple[str, str], dict[str, Floats]] = {}
    for place, fact in facts.items():
        here = table.filter(pl.col("benchmark") == place[0], pl.col("dataset") == place[1])
        if here.is_empty():
            continue
        for name in dict.fromkeys(wanted):
            rows = here.filter(pl.col("proxy") == name)
            if rows.is_empty():
                raise UnknownNameError("covariate in these scores", name, sorted(set(here["proxy"])))
            if rows.select("method", "setting", "unit", "step").n_unique() > 1:
                raise StudyError(
                    f"covariate {name!r} of {'/'.join(place)}: expected one value for each architecture, got several "
                    "steps, methods or settings; pass covariates=, filtered to one"
                )
            rows = _mean_rows_or_all(rows, []).sort("arch", "seed")
            means = dict(rows.group_by("arch").agg(pl.col("value").mean()).iter_rows())
            values = np.array([_nan(means.get(arch)) for arch in fact.archs], dtype=np.float64)
            found.setdefault(place, {})[name] = values
    return found


def _direction(proxy: str, directions: Mapping[str, int]) -> int:
    direction = directions[proxy] if proxy in directions else proxy_direction(proxy)
    if isinstance(direction, bool) or direction not in (1, -1):
        raise StudyError(
            f"directions: {proxy!r}: expected +1 (higher is better) or -1 (lower is better), got {direction!r}"
        )
    return int(direction)


def _by_architectures(series: Sequence[Series]) -> list[list[int]]:
    """Indices of the series that use the same architectures of the same truth."""
    groups: dict[tuple[tuple[str, str], bytes], list[int]] = {}
    for i, one in enumerate(series):
        groups.setdefault((one.place, one.used.tobytes()), []).append(i)
    return list(groups.values())


def _places(places: Iterable[tuple[Any, ...]]) -> str:
    return ", ".join(sorted("/".join(map(str, place)) for place in places))
