"""How well truth repeats from seed to seed, and what that allows any proxy to reach.

Published runs of NAS-Bench-201 on CIFAR-10 (``test_accuracy_per_seed_cifar10.p``) repeat with Spearman
0.986 over all architectures, 0.91 in the top half and 0.59 in the top 10 %. These are the first two
runs of the 13,400 architectures that have two or three, ordered by the mean of those two runs:
what this module does by default, where it gives 0.9857, 0.9074 and 0.5932 (those tied with the last
architecture of a fraction are kept). The 7,961 with three runs, all pairs: 0.987, 0.912, 0.631.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..core.means import exact_row_means
from .alignment import runs_of_truth
from .bootstrap import bootstrap_counts, fisher_z_interval
from .rank import Floats, spearman_rho
from .resamples import Resamples
from .resampling import Resampling, asked
from .rows import ends
from .series import FEWEST

_WHAT = ("benchmark", "dataset", "split", "schedule")


def reliability(truth: ArrayLike, *, fraction: float = 1.0, runs: int | None = None) -> float:
    """Mean Spearman's rho over all pairs of runs.

    Parameters
    ----------
    truth: (n_archs, n_seeds), NaN where a run is missing.
    fraction: share of the architectures, the best by their mean over the runs used; architectures tied
        with the last of them are kept too.
    runs: how many runs of each architecture are used, see `select_runs`.

    NaN where fewer than three architectures have the runs, or one run is constant.
    """
    chosen = top_fraction(select_runs(truth, runs), fraction)
    if len(chosen) < FEWEST:
        return float("nan")
    pairs = combinations(range(chosen.shape[1]), 2)
    return float(np.mean([spearman_rho(chosen[:, i], chosen[:, j]) for i, j in pairs]))


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
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: expected a share above 0 and up to 1, got {fraction!r}")
    if not len(truth):
        return truth
    means = exact_row_means(truth)  # so that rounding in the mean breaks no tie
    count = math.ceil(fraction * len(truth) - 1e-9)
    best: Floats = truth[means >= np.sort(means)[len(means) - count]]
    return best


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
    resampling: Resampling | None = None,
) -> Any:
    """Reliability of truth per (benchmark, dataset, split, schedule) and fraction of the best architectures.

    Parameters
    ----------
    truth: TRUTH frame with the seeds apart; rows of null seed (means) say nothing here and are left out.
    archs: architectures to restrict to (texts, or a table with a column `arch`): for example those with
        a live path.
    fractions: shares of the architectures, best first.
    n_boot, seed, level: of the Fisher z bootstrap over the architectures of the fraction; `n_boot` 0
        leaves intervals null. `resampling`: one `Resampling` in their place.
    runs: runs used of each architecture, see `select_runs`.

    Returns columns benchmark, dataset, split, schedule, fraction, n_archs, n_seeds (runs used), reliability,
    ci_low, ci_high, reliability_of_mean (of the mean of `n_seeds` runs), ceiling (highest correlation with
    that mean that a perfect proxy can be expected to reach). Null where fewer than three architectures
    have the runs. A negative reliability has no ceiling. `StudyError` for an empty truth.
    """
    resampling = asked(resampling, n_boot, seed, level)
    rows = []
    for key, table in runs_of_truth(truth, None if archs is None else _texts(archs)).items():
        chosen = select_runs(table, runs)
        for fraction in fractions:
            rows.append({**dict(zip(_WHAT, key, strict=True)), **_measure(chosen, fraction, resampling)})
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
        "reliability_of_mean": real,
        "ceiling": real,
    }
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.Float64).fill_nan(None))


def _texts(archs: Any) -> list[str]:
    if isinstance(archs, str):
        raise StudyError(f"archs: expected several architectures, got one text {archs!r}; pass a list")
    values: Iterable[Any] = archs["arch"].to_list() if isinstance(archs, pl.DataFrame) else archs
    return sorted({str(arch) for arch in values})


def _measure(chosen: Floats, fraction: float, resampling: Resampling) -> dict[str, object]:
    best = top_fraction(chosen, fraction)
    r, k = reliability(best, runs=best.shape[1]), best.shape[1]
    interval = None
    if resampling.n and np.isfinite(r):
        counts = bootstrap_counts(len(best), resampling.n, resampling.generator("reliability"))
        drawn = [Resamples(best[:, j], counts) for j in range(1, k)]
        each = [drawn[j - 1].spearman_rho(best[:, i]) for i, j in combinations(range(k), 2)]
        interval = fisher_z_interval(np.mean(each, axis=0), r, len(best), level=resampling.level)
    return {
        "fraction": fraction,
        "n_archs": len(best),
        "n_seeds": k,
        "reliability": r,
        **ends(interval),
        "reliability_of_mean": spearman_brown(r, k),
        "ceiling": ceiling(r, k),
    }
