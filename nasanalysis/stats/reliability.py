"""How well truth repeats from seed to seed, and what that allows any proxy to reach.

Over all architectures it is the mean rank correlation of two runs. In the best part it matters who chooses the part:
ordered by the mean of the very runs that are then correlated, an architecture gets in by two good runs or by one very
good one, so pure noise correlates negatively (-0.7 in the top tenth of two runs). So the best part is chosen by a run
that is left out, each run in turn, and the others are correlated. That needs three runs; with two it cannot be had.

Published runs of NAS-Bench-201 on CIFAR-10 (``test_accuracy_per_seed_cifar10.p``): Spearman 0.986 over the 13,400
architectures that have two or three; of the 7,961 with three 0.987, 0.92 in the top half and 0.72 in the top 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..core.means import exact_row_means
from .alignment import runs_of_truth
from .bootstrap import bootstrap_counts, fisher_z_interval
from .classes import class_labels
from .rank import Floats, spearman_rho
from .resamples import Resamples
from .resampling import Resampling, Unit, Units, asked
from .rows import ends
from .series import FEWEST

_CHOOSERS = 3  # runs: one to choose the best part, two to correlate there
_WHAT = ("benchmark", "dataset", "split", "schedule")


def reliability(truth: ArrayLike, *, fraction: float = 1.0, runs: int | None = None) -> float:
    """Mean Spearman's rho over all pairs of runs, in the best part over the pairs of runs that did not choose it.

    Parameters
    ----------
    truth: (n_archs, n_seeds), NaN where a run is missing.
    fraction: share of the architectures, the best by one run (those tied with the last of them are kept); the mean
        over all choices of that run, each with all pairs of the others.
    runs: how many runs of each architecture are used, see `select_runs`; a part needs at least three, and by default
        is looked for among the architectures that have three.

    NaN where fewer than three architectures have the runs, one run is constant, or a part is asked of two runs.
    """
    check_fraction(fraction)
    chosen = _runs_for(np.asarray(truth, dtype=np.float64), fraction, runs)[0]
    return _measured(chosen, fraction)


def _measured(chosen: Floats, fraction: float) -> float:
    if len(chosen) < FEWEST:
        return float("nan")
    each = [_mean_rho(part) for part in _parts(chosen, fraction)]
    return float(np.mean(each)) if each else float("nan")


def _parts(chosen: Floats, fraction: float) -> Iterator[Floats]:
    """The runs to correlate: all of them, or of the best part by each run in turn the other runs; none of two runs."""
    if fraction == 1:
        yield chosen
        return
    for i in range(chosen.shape[1] if chosen.shape[1] > 2 else 0):
        yield np.delete(chosen[_is_top(chosen[:, i], fraction)], i, axis=1)


def _mean_rho(runs: Floats) -> float:
    if len(runs) < FEWEST:
        return float("nan")
    return float(np.mean([spearman_rho(runs[:, i], runs[:, j]) for i, j in combinations(range(runs.shape[1]), 2)]))


def _runs_for(table: Floats, fraction: float, runs: int | None) -> tuple[Floats, NDArray[np.intp]]:
    """The runs used, and whose they are: indices of the rows. A part prefers the architectures with three runs."""
    if runs is None and fraction < 1 and (np.isfinite(table).sum(axis=1) >= _CHOOSERS).sum() >= FEWEST:
        most = np.isfinite(table).sum(axis=1)
        runs = int(most[most >= _CHOOSERS].min())
    chosen = select_runs(table, runs)
    enough = np.flatnonzero(np.isfinite(table).sum(axis=1) >= chosen.shape[1]) if table.size else np.array([], np.intp)
    return chosen, enough


def spearman_brown(r: float, k: float) -> float:
    """Reliability of the mean of `k` runs, ``k r / (1 + (k - 1) r)``, where one run has reliability `r`."""
    if not k > 0:
        raise ValueError(f"spearman_brown: k: expected a positive number of runs, got {k!r}")
    below = 1 + (k - 1) * r
    return k * r / below if below > 0 else float("nan")


def ceiling(r: float, k: float = 1) -> float:
    """Highest correlation that a perfect proxy can be expected to reach: ``sqrt(spearman_brown(r, k))``."""
    of_mean = spearman_brown(r, k)
    return math.sqrt(of_mean) if of_mean >= 0 else float("nan")


def select_runs(truth: ArrayLike, runs: int | None = None) -> Floats:
    """The first `runs` defined values of each row: (n_archs, n_seeds) -> (n_archs with so many, runs).

    By default the largest number that every architecture with at least two runs has, so that none of
    them is lost. Where seeds are missing, a column may mix seeds: runs are taken to be exchangeable.
    """
    table = np.asarray(truth, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"truth: expected (n_archs, n_seeds), got shape {table.shape}; one run has no reliability")
    if runs is not None and runs < 2:
        raise ValueError(f"runs: expected at least 2 runs to compare, got {runs}")
    n_runs = np.isfinite(table).sum(axis=1)
    repeated = n_runs[n_runs >= 2]
    wanted = runs if runs is not None else int(repeated.min()) if len(repeated) else 2
    enough = table[n_runs >= wanted]
    if not len(enough):
        return np.empty((0, wanted))
    first = np.argsort(~np.isfinite(enough), axis=1, kind="stable")[:, :wanted]
    chosen: Floats = np.take_along_axis(enough, first, axis=1)
    return chosen


def top_fraction(truth: Floats, fraction: float) -> Floats:
    """The rows (n_archs, n_runs) with the highest means: the share `fraction`, and those tied with the last."""
    check_fraction(fraction)
    if not len(truth):
        return truth
    best: Floats = truth[_is_top(exact_row_means(truth), fraction)]  # exact, so that rounding breaks no tie
    return best


def _is_top(values: Floats, fraction: float) -> NDArray[np.bool_]:
    count = math.ceil(fraction * len(values) - 1e-9)
    return np.asarray(values >= np.sort(values)[len(values) - count])


def check_fraction(fraction: float) -> None:
    """`ValueError` unless `fraction` is a share above 0."""
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: expected a share above 0 and up to 1, got {fraction!r}")


@any_frame
def reliability_table(
    truth: Any,
    archs: Any = None,
    fractions: Sequence[float] = (1.0, 0.5, 0.1),
    n_boot: int = 1000,
    seed: int = 0,
    *,
    runs: int | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """Reliability of truth per (benchmark, dataset, split, schedule) and fraction of the best architectures.

    Parameters
    ----------
    truth: TRUTH frame with the seeds apart; rows of null seed (means) say nothing here and are left out.
    archs: architectures to restrict to (texts, or a table with a column `arch`): for example those with
        a live path.
    fractions: shares of the architectures, best first; a share below 1 is chosen by a run that is left out, see
        `reliability`.
    n_boot, seed, level, unit: of the Fisher z bootstrap over the architectures (the best part is chosen anew in every
        resample); `n_boot` 0 leaves intervals null. `resampling`: one `Resampling` in their place.
    runs: runs used of each architecture, see `reliability`.

    Returns columns benchmark, dataset, split, schedule, fraction, n_archs (in the part; on average over the runs that
    choose it), n_seeds (runs used, the one that chooses among them), reliability, ci_low, ci_high, resampled,
    reliability_of_mean (of the mean of `n_seeds` runs), ceiling (highest correlation with that mean that a perfect
    proxy can be expected to reach), reason (why there is no reliability: too few architectures, or a part of two runs).
    A negative reliability has no ceiling. `StudyError` for an empty truth.
    """
    resampling = asked(resampling, n_boot, seed, level, unit=unit)
    rows = []
    for key, (names, table) in runs_of_truth(truth, None if archs is None else _texts(archs)).items():
        classes = class_labels(names) if resampling.needs_classes else None
        for fraction in fractions:
            check_fraction(fraction)
            chosen, index = _runs_for(table, fraction, runs)
            units = resampling.units(len(chosen), None if classes is None else classes[index])
            rows.append({**dict(zip(_WHAT, key, strict=True)), **_measure(chosen, fraction, resampling, units)})
    text, whole, real = pl.String(), pl.Int64(), pl.Float64()
    schema = {
        "benchmark": text,
        "dataset": text,
        "split": text,
        "schedule": whole,
        "fraction": real,
        "n_archs": whole,
        "n_seeds": whole,
        "reliability": real,
        "ci_low": real,
        "ci_high": real,
        "resampled": text,
        "reliability_of_mean": real,
        "ceiling": real,
        "reason": text,
    }
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.Float64).fill_nan(None))


def _texts(archs: Any) -> list[str]:
    if isinstance(archs, str):
        raise StudyError(f"archs: expected several architectures, got one text {archs!r}; pass a list")
    values: Iterable[Any] = archs["arch"].to_list() if isinstance(archs, pl.DataFrame) else archs
    return sorted({str(arch) for arch in values})


def _measure(chosen: Floats, fraction: float, resampling: Resampling, units: Units) -> dict[str, object]:
    r, k = _measured(chosen, fraction), chosen.shape[1]
    sizes = [len(part) for part in _parts(chosen, fraction)] or [0]
    interval = None
    if resampling.n and np.isfinite(r) and units.can_be_drawn:
        counts = units.spread(bootstrap_counts(units.n, resampling.n, resampling.generator("reliability")))
        drawn = resampled_reliability(chosen, fraction, counts)
        interval = fisher_z_interval(drawn, r, max(round(units.n * fraction), FEWEST), level=resampling.level)
    return {
        "fraction": fraction,
        "n_archs": round(float(np.mean(sizes))),
        "n_seeds": k,
        "reliability": r,
        **ends(interval),
        "resampled": units.name if interval else None,
        "reliability_of_mean": spearman_brown(r, k),
        "ceiling": ceiling(r, k),
        "reason": None if np.isfinite(r) else _reason(chosen, fraction, min(sizes)),
    }


def resampled_reliability(chosen: Floats, fraction: float, counts: NDArray[np.int32]) -> Floats:
    """The reliability of every resample of the architectures, the best part chosen anew: (n_resamples,)."""
    each: list[Floats] = []
    runs = range(chosen.shape[1])
    for chooser in runs if fraction < 1 else [0]:
        whole = Resamples(chosen[:, chooser], counts)
        drawn = whole.best(fraction) if fraction < 1 else whole
        others = [i for i in runs if i != chooser or fraction == 1]
        each += [drawn.against(chosen[:, j]).spearman_rho(chosen[:, i]) for i, j in combinations(others, 2)]
    return np.asarray(np.mean(each, axis=0))


def _reason(chosen: Floats, fraction: float, n_archs: int) -> str:
    if not len(chosen):
        return "no architecture has two runs"
    if fraction < 1 and chosen.shape[1] < _CHOOSERS:
        return "the best part must be chosen by a run that is not correlated, and there are two runs"
    if n_archs < FEWEST:
        return f"expected at least {FEWEST} architectures, got {n_archs}"
    return "a run is constant"
