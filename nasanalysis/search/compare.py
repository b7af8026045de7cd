"""Several searches over several fitnesses and seeds, judged by the true accuracy of what they found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl

from ..core.errors import SearchError
from ..core.seeding import generator
from ..stats.bootstrap import bootstrap_counts, check_level, percentile_interval
from ..stats.verdicts import verdict
from .fitness import Fitness, Memoised
from .result import SearchResult
from .space import Listed, Moves
from .table import truth_values

#: How the interval of a mean was made.
OVER_SEEDS = "percentile bootstrap over search seeds"

RUNS_SCHEMA = {
    "algorithm": pl.String,
    "fitness": pl.String,
    "seed": pl.Int64,
    "query": pl.Int64,
    "seconds": pl.Float64,
    "value": pl.Float64,
    "arch": pl.String,
    "true_accuracy": pl.Float64,
}


class Algorithm(Protocol):
    """A search algorithm with its settings bound, for example ``partial(spos_evolution, settings="genas-nb201")``."""

    def __call__(
        self, fitness: Fitness, moves: Moves, rng: np.random.Generator, /, *, queries: int | None
    ) -> SearchResult: ...


def run_searches(
    algorithms: Mapping[str, Algorithm | Callable[..., SearchResult]],
    fitnesses: Mapping[str, Any],
    moves: Moves,
    truth: Any,
    *,
    seeds: int | Sequence[int] = 20,
    queries: int | None = 300,
    at: Sequence[int] | None = None,
    count_repeats: bool = True,
) -> pl.DataFrame:
    """Every algorithm on every fitness with every seed.

    Parameters
    ----------
    algorithms: label -> algorithm. fitnesses: label -> `Fitness` (for `successive_halving`: `SteppedFitness`).
    moves: see `get_moves`.
    truth: architecture -> true accuracy (percent): a mapping, a `TableFitness`, or TRUTH that is one list.
    seeds: how many (0, 1, ...), or which. A seed and an algorithm give the same random stream for every fitness.
    queries: budget of each search; None leaves the end to the algorithm.
    at: query numbers to report (from 1); by default about 60, evenly on a log scale, with
        all of 1, 2, 3, 5, 10, 20 ... A search that ended
        earlier keeps what it had found.
    count_repeats: see `Memoised`, which stands before every fitness: an architecture asked again costs no time.

    Returns one row for each (algorithm, fitness, seed, query): seconds (cumulative), value (fitness of the best so
    far), arch (the best so far), true_accuracy (percent; null where the best has no truth, or nothing is defined).
    """
    if not algorithms or not fitnesses:
        raise SearchError("run_searches: expected at least one algorithm and one fitness")
    numbers = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not numbers:
        raise SearchError(f"run_searches: expected at least one seed, got {seeds!r}")
    known = truth_values(truth)
    parts = []
    for algorithm, search in algorithms.items():
        for label, fitness in fitnesses.items():
            for seed in numbers:
                asked = fitness if _stepped(fitness) else Memoised(fitness, count_repeats=count_repeats)
                result = search(asked, moves, generator(seed, "search", algorithm), queries=queries)
                parts.append(_rows(result, algorithm, label, seed, known, at, queries))
    return pl.DataFrame(
        {name: [value for part in parts for value in part[name]] for name in RUNS_SCHEMA}, schema=RUNS_SCHEMA
    )


def summarise_searches(
    runs: pl.DataFrame,
    *,
    n_boot: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    best_possible: float | None = None,
) -> pl.DataFrame:
    """Mean over seeds of the true accuracy of the best found.

    Parameters
    ----------
    runs: of `run_searches`.
    n_boot, level: of the percentile bootstrap over seeds (the interval of the mean; 0: none); `seed` of its draws.
    best_possible: the highest true accuracy that could be found (percent), as a column.

    Returns, for each (algorithm, fitness, query): seconds (mean), mean, sd, ci_low, ci_high (of the mean), low, high
    (the central `level` of the seeds), interval, n_seeds, n_undefined (seeds without a true accuracy, left out).
    """
    check_level(level)
    missing = [name for name in RUNS_SCHEMA if name not in runs.columns]
    if missing:
        raise SearchError(f"summarise_searches: expected the columns of run_searches, {', '.join(missing)} missing")
    rows = []
    groups = runs.group_by("algorithm", "fitness", "query", maintain_order=True).agg("seconds", "true_accuracy")
    draws: dict[int, Any] = {}
    for algorithm, fitness, query, seconds, accuracies in groups.iter_rows():
        values = np.array(accuracies, dtype=np.float64)
        defined = values[np.isfinite(values)]
        n = len(defined)
        if (
            n and n_boot and n not in draws
        ):  # the same resamples at every query: bands are smooth, and the work is small
            draws[n] = bootstrap_counts(n, n_boot, generator(seed, "search", "bootstrap", n)) / n
        ci = percentile_interval(draws[n] @ defined if n > 1 and n_boot else [], OVER_SEEDS, level=level)
        spread = percentile_interval(defined, "seeds", level=level)
        rows.append(
            {
                "algorithm": algorithm,
                "fitness": fitness,
                "query": query,
                "seconds": float(np.mean(seconds)),
                "mean": float(defined.mean()) if n else None,
                "sd": float(defined.std(ddof=1)) if n > 1 else None,
                "ci_low": ci.low,
                "ci_high": ci.high,
                "low": spread.low,
                "high": spread.high,
                "interval": OVER_SEEDS if n_boot else None,
                "n_seeds": len(values),
                "n_undefined": len(values) - n,
                "best_possible": best_possible,
            }
        )
    text, whole = {"algorithm", "fitness", "interval"}, {"query", "n_seeds", "n_undefined"}
    schema = {k: pl.String if k in text else pl.Int64 if k in whole else pl.Float64 for k in rows[0]} if rows else {}
    table = pl.DataFrame(rows, schema=schema)
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def searches_beside_best(runs: pl.DataFrame, *, n_boot: int = 1000, level: float = 0.95, seed: int = 0) -> pl.DataFrame:
    """How each search stands beside the one with the best mean, after each number of queries.

    runs: of `run_searches`. n_boot, level, seed: of a percentile bootstrap over seeds of the difference, seed by seed.
    Returns columns algorithm, fitness, query, standing: ``best``, ``tied`` (the difference with the best is not told
    apart from 0, `nasanalysis.stats.verdict`), ``behind``, or null where it cannot be said: fewer than two seeds that
    both have, or a search that found nothing.
    """
    rows = []
    for (query,), here in runs.group_by("query", maintain_order=True):
        values = {
            (algorithm, fitness): np.array(part.sort("seed")["true_accuracy"].to_list(), dtype=np.float64)
            for (algorithm, fitness), part in here.group_by("algorithm", "fitness", maintain_order=True)
        }
        means = {key: float(np.mean(v)) for key, v in values.items() if np.isfinite(v).all()}
        best = max(means, key=lambda key: means[key], default=None)
        for key in values:
            standing = None if best is None else _beside(values[best], values[key], n_boot, level, seed)
            if key in means and best is not None and means[key] == means[best]:
                standing = "best"
            rows.append((*key, query, standing))
    schema = {"algorithm": pl.String, "fitness": pl.String, "query": pl.Int64, "standing": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _beside(best: Any, other: Any, n_boot: int, level: float, seed: int) -> str | None:
    if len(best) != len(other) or len(best) < 2 or not n_boot or not np.isfinite(other).all():
        return None
    draws = bootstrap_counts(len(best), n_boot, generator(seed, "search", "bootstrap", len(best))) / len(best)
    gaps = best - other
    interval = percentile_interval(draws @ gaps, OVER_SEEDS, level=level)
    said = verdict(float(gaps.mean()), interval.low, interval.high)
    return "behind" if said in ("ahead", "behind") else "tied"


def compare_searches(
    algorithms: Mapping[str, Algorithm | Callable[..., SearchResult]],
    fitnesses: Mapping[str, Any],
    moves: Moves,
    truth: Any,
    *,
    seeds: int | Sequence[int] = 20,
    queries: int | None = 300,
    at: Sequence[int] | None = None,
    count_repeats: bool = True,
    n_boot: int = 1000,
    level: float = 0.95,
) -> pl.DataFrame:
    """`run_searches`, then `summarise_searches`; the best possible is that of the architectures of `moves`."""
    known = truth_values(truth)
    runs = run_searches(
        algorithms, fitnesses, moves, known, seeds=seeds, queries=queries, at=at, count_repeats=count_repeats
    )
    among = moves.archs if isinstance(moves, Listed) else known
    reachable = [known[arch] for arch in among if arch in known]
    best = float(np.nanmax(reachable)) if reachable else None
    return summarise_searches(runs, n_boot=n_boot, level=level, best_possible=best)


def log_spaced(most: int, count: int = 60) -> list[int]:
    """About `count` whole numbers from 1 to `most`, evenly on a log scale, with 1, 2, 3, 5 of each decade."""
    even = {round(x) for x in np.geomspace(1, most, count).tolist()}
    plain = {first * 10**power for power in range(len(str(most))) for first in (1, 2, 3, 5)}
    return sorted(even | {n for n in plain if n <= most})


def _stepped(fitness: object) -> bool:
    """Whether a fitness is asked with a step: `SteppedTable`, or a live one of the kind."""
    return "step" in inspect.signature(fitness.__call__).parameters  # type: ignore[operator]


def _rows(
    search: SearchResult,
    algorithm: str,
    fitness: str,
    seed: int,
    truth: Mapping[str, float],
    at: Sequence[int] | None,
    queries: int | None,
) -> dict[str, list[Any]]:
    points = list(at) if at is not None else log_spaced(queries or len(search))
    if not points or min(points) < 1:
        raise SearchError(f"run_searches: at: expected query numbers from 1, got {points[:5]}")
    last = [min(point, len(search)) - 1 for point in points]
    best = [search.best[i] for i in last]
    archs = [None if i is None else search.archs[i] for i in best]
    true = [None if arch is None else truth.get(arch) for arch in archs]
    n = len(points)
    return {
        "algorithm": [algorithm] * n,
        "fitness": [fitness] * n,
        "seed": [seed] * n,
        "query": points,
        "seconds": [float(search.seconds[i]) for i in last],
        "value": [None if i is None else float(search.values[i]) for i in best],
        "arch": archs,
        "true_accuracy": true,
    }
