"""One claim in every defensible setting: "A ranks better than B", over truths, samples, statistics and units.

A reviewer may ask for another split, another seed, another statistic, or one cell for each network. Each such setting
is a *specification* (Steegen et al. 2016, Perspectives on Psychological Science 11; Simonsohn et al. 2020, Nature Human
Behaviour 4: the specification curve), and the claim is asked in all of them, by the same paired difference and the
same rule as everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..loaders.tables.own import completed_pair
from ..proxies import canonical
from .bootstrap import Interval, percentile_interval
from .classes import Labels, class_labels
from .many_ranks import spearman_of_all
from .multiverse_frames import MEAN, OnePair, OneTruth, every_pair, every_truth, mask_of
from .paired import PAIRED, correlation_to_compare
from .rank import Floats
from .registry import Statistic
from .resamples import Resamples
from .resampling import Resampling, Unit, Units
from .rows import defined, ends
from .series import FEWEST
from .verdicts import check_margin, verdict

#: What a specification chooses, in the order of the columns.
CHOICES = ("dataset", "split", "schedule", "truth_seed", "score_seed", "step", "sample", "statistic", "resampled")


@any_frame
def multiverse(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    better: str | Sequence[str],
    than: str = "params",
    *,
    statistics: Sequence[str] = ("spearman_rho", "kendall_tau"),
    samples: Mapping[str, Iterable[str] | None] | None = None,
    units: Sequence[Unit] = ("class", "arch"),
    scores_from: Mapping[str, str] | None = None,
    truth_seeds: bool = True,
    score_seeds: bool = False,
    other_runs_only: bool = False,
    directions: Mapping[str, int | str] | None = None,
    margin: float | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pl.DataFrame:
    """The claim "`better` ranks better than `than`" in every specification; a row for each.

    Parameters
    ----------
    better: one proxy, or several, each a claim of its own: they share the ranks of the truths and all resamples.
    truth: TRUTH of one benchmark. Every (dataset, split, schedule) in it is a truth: its mean over seeds and, with
        `truth_seeds`, each of its runs.
    scores: SCORES of both proxies, one method and setting each. Every step that both have is a choice; a proxy without
        steps (a cost) stands at every step of the other. With `score_seeds` each seed of the scores is one too.
    other_runs_only: for scores and truth of the same training runs, where a lucky run would praise itself: leave out
        the specifications in which both are of one seed, or one of them is a mean over seeds.
    statistics: correlations, as in `compare_proxies`.
    samples: name -> architectures, None for all; by default ``{"all": None}``.
    units: what is resampled. Where a sample holds no class twice ``class`` is the same specification as ``arch`` and
        stands there once.
    scores_from: dataset of a truth -> dataset whose scores are set against it, where they differ (a transfer).
    directions, margin, n_boot, seed, level: as in `compare_proxies`.

    Returns
    -------
    One row for each specification, in the order of `CHOICES`: benchmark, the choices, proxy, other, first, second,
    difference (proxy minus other), ci_low, ci_high, interval, verdict (of `proxy`; null where it could not be asked),
    n_archs, note (why not). The same architectures get the same resamples in every specification.

    Raises
    ------
    StudyError: fewer than two specifications, a proxy that is compared with itself or stands under several methods or
        settings. UnknownNameError: a proxy that the scores lack.
    """
    bar = canonical(than)
    claimed = [canonical(name) for name in ([better] if isinstance(better, str) else better)]
    if twice := [name for name in (*claimed, bar) if (*claimed, bar).count(name) > 1]:
        raise StudyError(f"multiverse: expected two proxies, got {twice[0]!r} twice")
    check_margin(margin)
    truth, scores = completed_pair(truth, scores)
    measures = [correlation_to_compare(name, "multiverse") for name in statistics]
    archs, truths = every_truth(truth, each_seed=truth_seeds)
    pairs = [
        pair for name in claimed for pair in every_pair(scores, (name, bar), archs, directions, each_seed=score_seeds)
    ]
    chosen = {name: mask_of(archs, only) for name, only in (samples or {"all": None}).items()}
    asked = [
        _Asked(target, pair, sample)
        for name in claimed
        for target in truths
        for pair in pairs
        if pair.proxy == name
        and pair.dataset == (scores_from or {}).get(target.dataset, target.dataset)
        and not (other_runs_only and _of_one_run(target, pair))
        for sample in chosen.items()
    ]
    if (n := len(asked) * len(measures) * len(units)) < 2:
        of = f"truths of {_listed(t.dataset for t in truths)}, scores of {_listed(p.dataset for p in pairs)}"
        raise StudyError(
            f"multiverse: expected at least two specifications, got {n}: {of} (scores_from names a transfer); for one "
            "specification use compare_proxies"
        )
    run = _Run(measures, units, Resampling(n_boot, seed, level), class_labels(archs), margin)
    return _frame([{**row, "other": bar} for row in run.rows(asked)])


@dataclass(frozen=True)
class _Asked:
    """A truth, two scores and a sample: what may share resamples with others of the same architectures."""

    truth: OneTruth
    pair: OnePair
    sample: tuple[str, NDArray[np.bool_]]

    @property
    def used(self) -> NDArray[np.bool_]:
        defined_ = np.isfinite(self.truth.values) & np.isfinite(self.pair.first) & np.isfinite(self.pair.second)
        return defined_ & self.sample[1]

    def choices(self, statistic: str, unit: Unit) -> dict[str, Any]:
        of = self.truth
        return {
            "benchmark": of.benchmark,
            "dataset": of.dataset,
            "split": of.split,
            "schedule": of.schedule,
            "truth_seed": of.seed,
            "score_seed": self.pair.seed,
            "step": self.pair.step,
            "sample": self.sample[0],
            "statistic": statistic,
            "resampled": unit,
            "proxy": self.pair.proxy,
        }


@dataclass(frozen=True)
class _Run:
    measures: Sequence[Statistic]
    units: Sequence[Unit]
    resampling: Resampling
    classes: Labels
    margin: float | None

    def rows(self, asked: Sequence[_Asked]) -> Iterator[dict[str, Any]]:
        """In the order of `asked`, then of statistics and units."""
        groups: dict[bytes, list[int]] = {}
        for place, one in enumerate(asked):
            groups.setdefault(one.used.tobytes(), []).append(place)
        answers: dict[int, list[dict[str, Any]]] = {}
        for places in groups.values():
            answers |= zip(places, self._of_one_set([asked[k] for k in places]), strict=True)
        for place in range(len(asked)):
            yield from answers[place]

    def _of_one_set(self, asked: Sequence[_Asked]) -> list[list[dict[str, Any]]]:
        """Specifications of the same architectures: one draw, each column ranked once."""
        used = asked[0].used
        n = int(used.sum())
        if n < FEWEST:
            note = f"expected at least {FEWEST} architectures with truth and both scores, got {n}"
            return [[self._empty(one, m.name, u, n, note) for m in self.measures for u in self.units] for one in asked]
        gaps = {unit: self._gaps(asked, used, units) for unit, units in self._units(used).items()}
        rows: list[list[dict[str, Any]]] = []
        for place, one in enumerate(asked):
            columns = [values[used] for values in (one.pair.first, one.pair.second, one.truth.values)]
            rows.append([])
            for k, measure in enumerate(self.measures):
                estimates = measure(columns[0], columns[2]), measure(columns[1], columns[2])
                for unit, (units, table) in gaps.items():
                    interval = self._interval(units, None if table is None else table[place, k])
                    rows[-1].append(self._row(one.choices(measure.name, unit), estimates, interval, n))
        return rows

    def _units(self, used: NDArray[np.bool_]) -> dict[Unit, Units]:
        """Unit -> what it draws; ``class`` only where it differs from ``arch``, unless nothing else was asked for."""
        answer: dict[Unit, Units] = {}
        for unit in self.units:
            units = Resampling(unit=unit).units(int(used.sum()), self.classes[used])
            if unit == "class" and units.n == int(used.sum()) and "arch" in self.units:
                continue
            answer[unit] = units
        return answer

    def _gaps(
        self, asked: Sequence[_Asked], used: NDArray[np.bool_], units: Units
    ) -> tuple[Units, NDArray[np.float64] | None]:
        """First minus second on every resample: (specifications, statistics, n_resamples); None without resamples."""
        if not self.resampling.n or not units.can_be_drawn:
            return units, None
        counts = units.spread(self.resampling.counts(units.n))
        table = np.empty((len(asked), len(self.measures), len(counts)))
        for k, measure in enumerate(self.measures):
            of = _spearman if measure.name == "spearman_rho" else _one_by_one
            table[:, k] = of(measure, asked, used, counts)
        return units, table

    def _interval(self, units: Units, gaps: Floats | None) -> Interval | None:
        if not self.resampling.n:
            return None
        if gaps is None:
            return units.no_interval()
        return percentile_interval(gaps, units.says(PAIRED), level=self.resampling.level)

    def _row(
        self, choices: dict[str, Any], estimates: tuple[float, float], interval: Interval | None, n: int
    ) -> dict[str, Any]:
        gap = estimates[0] - estimates[1]
        told = interval is not None and np.isfinite(gap)
        why = None if np.isfinite(gap) else "undefined: the truth or a score does not vary there"
        return {
            **choices,
            **dict(zip(("first", "second", "difference"), map(defined, (*estimates, gap)), strict=True)),
            **ends(interval if np.isfinite(gap) else None),
            "interval": str(interval) if told else None,
            "verdict": verdict(gap, interval.low, interval.high, self.margin) if told and interval else None,
            "n_archs": n,
            "note": why,
        }

    def _empty(self, one: _Asked, statistic: str, unit: Unit, n: int, note: str) -> dict[str, Any]:
        return {**one.choices(statistic, unit), "n_archs": n, "note": note}


def _spearman(
    measure: Statistic, asked: Sequence[_Asked], used: NDArray[np.bool_], counts: NDArray[np.int32]
) -> Floats:
    truths, truth_of = _distinct([one.truth.values[used] for one in asked])
    scores, score_of = _distinct([values[used] for one in asked for values in (one.pair.first, one.pair.second)])
    table = spearman_of_all(scores, truths, counts)
    firsts, seconds = score_of[::2], score_of[1::2]
    return np.asarray(table[firsts, truth_of] - table[seconds, truth_of])


def _one_by_one(
    measure: Statistic, asked: Sequence[_Asked], used: NDArray[np.bool_], counts: NDArray[np.int32]
) -> Floats:
    truths, truth_of = _distinct([one.truth.values[used] for one in asked])
    gaps = np.empty((len(asked), len(counts)))
    for t, values in enumerate(truths):
        resamples, known = Resamples(values, counts), dict[bytes, Floats]()
        for place in map(int, np.flatnonzero(truth_of == t)):
            pair = asked[place].pair
            each = []
            for score in (pair.first[used], pair.second[used]):
                if (key := score.tobytes()) not in known:
                    known[key] = measure.on_resamples(resamples, score)
                each.append(known[key])
            gaps[place] = each[0] - each[1]
    return gaps


def _distinct(rows: Sequence[Floats]) -> tuple[Floats, NDArray[np.intp]]:
    """The different ones of `rows`, and which of them each is."""
    numbers: dict[bytes, int] = {}
    which = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], dtype=np.intp)
    _, first = np.unique(which, return_index=True)
    return np.array([rows[k] for k in first]), which


def _of_one_run(target: OneTruth, pair: OnePair) -> bool:
    """Whether a run may stand on both sides: costs have none."""
    return pair.seeded and (target.seed in (MEAN, pair.seed) or pair.seed == MEAN)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    text, real, whole = pl.String(), pl.Float64(), pl.Int64()
    schema: dict[str, Any] = {"benchmark": text, **dict.fromkeys(CHOICES, text), "proxy": text, "other": text}
    schema |= {"schedule": whole, "step": whole}
    schema |= dict.fromkeys(("first", "second", "difference", "ci_low", "ci_high"), real)
    schema |= {"interval": text, "verdict": text, "n_archs": whole, "note": text}
    return pl.DataFrame(list(rows), schema=schema)
