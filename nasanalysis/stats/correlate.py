"""TRUTH x SCORES -> STATS: how well a score ranks architectures."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import StudyError
from ..frames import SCHEMAS, any_frame, check, to_polars
from ..proxies import direction as proxy_direction
from ..seeding import generator
from .bootstrap import BOOTSTRAP, HALVES, Interval, bootstrap_counts, check_level, half_counts, percentile_interval
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

    Undefined (null, NaN, infinite) scores and truths are left out. `n_archs` counts the architectures used,
    `n_missing` those of the truth, within the sample, that could not be used. A statistic that is undefined
    on them (constant scores) is null. How an interval is made stands in `interval`: a percentile bootstrap
    over architectures for correlations, random halves for ``topk_mean@k``.

    `StudyError` if fewer than 3 architectures can be used, or the truth is not narrowed to one split and
    schedule; `FrameError` for a table that breaks its schema; `UnknownNameError` for a statistic. One
    `MismatchWarning` if scores name architectures that the truth lacks.
    """
    if isinstance(statistics, str):
        raise StudyError(f"statistics: expected several names, got one text {statistics!r}; pass ({statistics!r},)")
    wanted = [get_statistic(name) for name in statistics]
    if n_boot < 0:
        raise ValueError(f"n_boot: expected 0 or more resamples, got {n_boot}")
    check_level(level)
    kept = _sample(sample)
    facts = _truths(check(_without_infinite(truth, "accuracy"), "TRUTH"), kept, sample_name)
    table = check(_without_infinite(scores, "value"), "SCORES")
    if table.is_empty():
        raise StudyError("scores: expected at least 3 scored architectures, got an empty SCORES frame")
    strangers = _warn_of_strangers(table, facts)

    series = [s for place, fact in facts.items() for s in _series_of(place, fact, table, directions or {})]
    if not series:
        raise StudyError(
            f"scores and truth share no (benchmark, dataset): truth has {_places(facts)}, "
            f"scores have {_places(table.select(*_PLACE).unique(maintain_order=True).iter_rows())}"
        )
    for one in series:
        one.refuse_too_few(strangers.get(one.place))
    results: dict[int, list[dict[str, object]]] = {}
    for members in _by_architectures(series):
        draws = _Draws(series[members[0]].used_truth, n_boot, seed)  # kept while scores share their architectures
        for i in members:
            results[i] = [_row(series[i], statistic, draws, sample_name, level) for statistic in wanted]
    rows = [row for i in range(len(series)) for row in results[i]]
    return check(pl.DataFrame(rows, schema=SCHEMAS["STATS"].columns), "STATS")


@dataclass(frozen=True)
class _Truth:
    """Truth of one (benchmark, dataset): architectures in order of their text."""

    archs: list[str]
    values: Floats  # NaN where undefined
    outside: frozenset[str]  # architectures of the truth that are not in the sample
    split: str
    schedule: int | None
    seeds: str


@dataclass(frozen=True)
class _Series:
    """The scores of one proxy at one step, in the order of the truth's architectures."""

    place: tuple[str, str]
    key: dict[str, Any]
    truth: _Truth
    values: Floats  # oriented, NaN where undefined
    used: NDArray[np.bool_]

    @property
    def used_truth(self) -> Floats:
        return self.truth.values[self.used]

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


@dataclass
class _Draws:
    """The resamples of one set of architectures, drawn when first asked for."""

    truth: Floats
    n_boot: int
    seed: int
    _kept: dict[str, Resamples] = field(default_factory=dict)

    def interval(self, statistic: Statistic, score: Floats, level: float) -> Interval:
        halves = statistic.interval == "halves"
        if statistic.interval not in self._kept:
            draw = half_counts if halves else bootstrap_counts
            counts = draw(len(self.truth), self.n_boot, generator(self.seed, "stats", statistic.interval))
            self._kept[statistic.interval] = Resamples(self.truth, counts)
        values = statistic.on_resamples(self._kept[statistic.interval], score)
        return percentile_interval(values, HALVES if halves else BOOTSTRAP, level=level)


def _row(one: _Series, statistic: Statistic, draws: _Draws, sample_name: str, level: float) -> dict[str, object]:
    score = one.values[one.used]
    if len(score) < statistic.smallest:
        raise StudyError(
            f"{one.name}: {statistic.name}: expected at least {statistic.smallest} architectures with a score and "
            f"a truth, got {len(score)}; ask for a smaller k or score more architectures"
        )
    estimate = statistic(score, one.used_truth)
    made = None
    if draws.n_boot and np.isfinite(estimate):
        made = draws.interval(statistic, score, level)
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        **one.key,
        "truth_split": one.truth.split,
        "truth_schedule": one.truth.schedule,
        "truth_seeds": one.truth.seeds,
        "sample": sample_name,
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


def _truths(table: pl.DataFrame, sample: frozenset[str] | None, sample_name: str) -> dict[tuple[str, str], _Truth]:
    if table.is_empty():
        raise StudyError("truth: expected trained architectures, got an empty TRUTH frame; does this split exist?")
    unseen = sample - set(table["arch"].to_list()) if sample is not None else frozenset()
    if unseen:
        warnings.warn(
            f"sample {sample_name!r}: {len(unseen)} of {len(sample or ())} architectures have no truth, "
            f"for example {min(unseen)!r}",
            MismatchWarning,
            stacklevel=4,
        )
    parts = table.sort(*_PLACE).partition_by(*_PLACE, as_dict=True, maintain_order=True)
    return {(str(key[0]), str(key[1])): _truth(part, "/".join(map(str, key)), sample) for key, part in parts.items()}


def _truth(part: pl.DataFrame, place: str, sample: frozenset[str] | None) -> _Truth:
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
    return _Truth(archs, accuracy, outside, str(targets[0][0]), targets[0][1], _seeds_text(rows))


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


def _warn_of_strangers(table: pl.DataFrame, facts: Mapping[tuple[str, str], _Truth]) -> dict[tuple[str, str], str]:
    """One warning for all score rows whose architecture the truth lacks; an example of each (benchmark, dataset)."""
    held = [
        {"benchmark": place[0], "dataset": place[1], "arch": arch}
        for place, fact in facts.items()
        for arch in (*fact.archs, *sorted(fact.outside))
    ]
    known = pl.DataFrame(held, schema={"benchmark": pl.String, "dataset": pl.String, "arch": pl.String})
    scored = set(table.select(*_PLACE).iter_rows())
    if bare := [place for place in facts if place not in scored] if scored & set(facts) else []:
        warnings.warn(f"scores: none for {_places(bare)}, which the truth holds", MismatchWarning, stacklevel=4)
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
        stacklevel=4,
    )
    return examples


def _series_of(
    place: tuple[str, str], fact: _Truth, table: pl.DataFrame, directions: Mapping[str, int]
) -> Iterable[_Series]:
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
        yield _Series(place, names, fact, values, np.isfinite(values) & np.isfinite(fact.values))


def _direction(proxy: str, directions: Mapping[str, int]) -> int:
    direction = directions[proxy] if proxy in directions else proxy_direction(proxy)
    if isinstance(direction, bool) or direction not in (1, -1):
        raise StudyError(
            f"directions: {proxy!r}: expected +1 (higher is better) or -1 (lower is better), got {direction!r}"
        )
    return int(direction)


def _by_architectures(series: Sequence[_Series]) -> list[list[int]]:
    """Indices of the series that use the same architectures of the same truth."""
    groups: dict[tuple[tuple[str, str], bytes], list[int]] = {}
    for i, one in enumerate(series):
        groups.setdefault((one.place, one.used.tobytes()), []).append(i)
    return list(groups.values())


def _places(places: Iterable[tuple[Any, ...]]) -> str:
    return ", ".join(sorted("/".join(map(str, place)) for place in places))
