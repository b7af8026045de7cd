"""What a budget buys: expected true accuracy of the architecture that a proxy picks, against the seconds spent.

No search here, only scoring and picking: n architectures are drawn without replacement from the N of a table, all
are scored, the best score wins. For one proxy the expectation is exact. Sort the table by score, best first; the
pick is the i-th of them (from 0) exactly if it is drawn and none of the i better ones is::

    P(pick = i) = C(N - 1 - i, n - 1) / C(N, n)

Ties are broken at random, so tied architectures share the mean of their accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import gammaln

from ..core.errors import SearchError
from .fitness import Floats
from .table import TableFitness, truth_values

BUDGET_SCHEMA = {
    "seconds": pl.Float64,
    "n_scored": pl.Int64,
    "n_ranked": pl.Int64,
    "expected_accuracy": pl.Float64,
    "accuracy_sd": pl.Float64,
    "standard_error": pl.Float64,
    "best_possible": pl.Float64,
    "n_archs": pl.Int64,
}


def chance_of_pick(total: int, drawn: int) -> Floats:
    """(total,) probability that the i-th best of `total` is the best of `drawn`, drawn without replacement."""
    if not 1 <= drawn <= total:
        raise SearchError(f"budget: expected to draw 1 to {total} architectures, got {drawn}")
    i = np.arange(total - drawn + 1)
    log = _log_choose(total - 1 - i, np.full(len(i), drawn - 1)) - _log_choose(np.array([total]), np.array([drawn]))
    chance = np.zeros(total)
    chance[: len(i)] = np.exp(log)
    return np.asarray(chance / chance.sum())  # the logs are good to 1e-11 or so: make the chances a distribution


def expected_pick(score: ArrayLike, truth: ArrayLike, drawn: int) -> tuple[float, float]:
    """Exact mean and standard deviation of the true accuracy of the pick.

    Parameters
    ----------
    score: (N,) higher is better. Undefined (NaN) ranks below all others: such an architecture is picked only where
        nothing defined was drawn, at random.
    truth: (N,) percent, finite.
    drawn: how many are drawn and scored, 1 to N.
    """
    x, y = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise SearchError(f"budget: expected (N,) scores and accuracies, got {x.shape} and {y.shape}")
    if not np.isfinite(y).all():
        raise SearchError("budget: expected a true accuracy of every architecture; leave out those without one")
    chance = chance_of_pick(len(x), drawn)
    _, group = np.unique(np.where(np.isfinite(x), -x, np.inf), return_inverse=True)  # best first
    order = np.argsort(group, kind="stable")
    mass = np.bincount(group[order], weights=chance)  # of each tied group
    size = np.bincount(group)
    first, second = (np.bincount(group, weights=power) / size for power in (y, y * y))
    mean = float(mass @ first)
    return mean, float(np.sqrt(max(0.0, float(mass @ second) - mean * mean)))


def budget_curve(
    fitness: TableFitness,
    truth: Any,
    *,
    n_scored: Sequence[int] | None = None,
    fixed_seconds: float = 0.0,
) -> pl.DataFrame:
    """Exact budget curve of one proxy.

    Parameters
    ----------
    fitness: scores and seconds of each architecture.
    truth: architecture -> true accuracy, as in `run_searches`; architectures without one are left out.
    n_scored: how many are scored; by default about 40 numbers from 1 to all, evenly on a log scale.
    fixed_seconds: spent before the first score (a supernet's training).

    Returns a frame: seconds (expected: `fixed_seconds` and n times the mean cost), n_scored, n_ranked (null: one
    stage), expected_accuracy, accuracy_sd (of the pick, over draws), standard_error (0: exact), best_possible
    (percent), n_archs (N).
    """
    archs, y = _judged(fitness.values, truth)
    x = np.array([fitness.values[arch] for arch in archs])
    each = float(fitness(archs).seconds.mean())
    rows = []
    for n in _sizes(n_scored, len(archs)):
        mean, sd = expected_pick(x, y, n)
        rows.append((fixed_seconds + n * each, n, None, mean, sd, 0.0, float(y.max()), len(archs)))
    return pl.DataFrame(rows, schema=BUDGET_SCHEMA, orient="row")


def filtered_budget_curve(
    first: TableFitness,
    second: TableFitness,
    truth: Any,
    rng: np.random.Generator,
    *,
    keep: float = 0.1,
    n_scored: Sequence[int] | None = None,
    draws: int = 1000,
    fixed_seconds: float = 0.0,
) -> pl.DataFrame:
    """Budget curve of a filter: `first` scores n architectures, `second` ranks the best `keep` of them.

    Parameters
    ----------
    first, second: the filter (``params``: free) and the proxy that decides. Both must hold an architecture.
    keep: share that goes on, rounded up.
    rng, draws: Monte Carlo; the columns are those of `budget_curve`, with its standard error.
    n_scored: scored by `first`; ``n_ranked`` of them by `second`.

    Where all that were kept are undefined under `second`, the pick is random among them.
    """
    if not 0 < keep <= 1 or draws < 2:
        raise SearchError(f"budget: expected keep in (0, 1] and at least 2 draws, got {keep} and {draws}")
    archs, y = _judged([arch for arch in first.values if arch in second.values], truth)
    a = _lowest_if_undefined(np.array([first.values[arch] for arch in archs]))
    b = _lowest_if_undefined(np.array([second.values[arch] for arch in archs]))
    cost_a, cost_b = first(archs).seconds, second(archs).seconds
    rows = []
    for n in _sizes(n_scored, len(archs)):
        kept = int(np.ceil(keep * n - 1e-9))
        picked, spent = np.empty(draws), np.empty(draws)
        for d in range(draws):
            drawn = rng.permutation(len(archs))[:n] if 4 * n > len(archs) else _distinct(len(archs), n, rng)
            stay = drawn[np.argsort(-a[drawn], kind="stable")[:kept]]  # drawn in random order: ties are random
            again = rng.permutation(stay)
            picked[d] = y[again[np.argmax(b[again])]]
            spent[d] = cost_a[drawn].sum() + cost_b[stay].sum()
        sd = float(picked.std(ddof=1))
        seconds = fixed_seconds + float(spent.mean())
        rows.append((seconds, n, kept, float(picked.mean()), sd, sd / draws**0.5, float(y.max()), len(archs)))
    return pl.DataFrame(rows, schema=BUDGET_SCHEMA, orient="row")


def _judged(archs: Mapping[str, float] | Sequence[str], truth: Any) -> tuple[list[str], Floats]:
    """Those of `archs` that have a true accuracy, and it."""
    known = truth_values(truth)
    kept = [arch for arch in archs if np.isfinite(known.get(arch, np.nan))]
    if not kept:
        raise SearchError("budget: expected architectures that have a score and a true accuracy, got none")
    return kept, np.array([known[arch] for arch in kept])


def _sizes(asked: Sequence[int] | None, total: int) -> list[int]:
    if asked is None:
        return sorted({round(x) for x in np.geomspace(1, total, 40).tolist()})
    wrong = [n for n in asked if not 1 <= n <= total]
    if wrong or not asked:
        raise SearchError(f"budget: n_scored: expected 1 to {total} architectures, got {wrong or 'none'}")
    return list(asked)


def _lowest_if_undefined(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, -np.inf)


def _distinct(total: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` of `total`, without replacement, in random order."""
    return rng.choice(total, size=n, replace=False)


def _log_choose(n: np.ndarray, k: np.ndarray) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), dtype=np.float64)
