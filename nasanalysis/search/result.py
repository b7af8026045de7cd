"""What a search went through: `Search` records it, `SearchResult` tells it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ..core.errors import SearchError
from ..core.frames import check
from .fitness import Answers, Fitness, Floats

#: A search that learns nothing new for so many questions in a row has seen all there is.
PATIENCE = 10_000


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Every query of a search, in order.

    Attributes
    ----------
    algorithm, fitness, space: names.
    archs: (n_queries,) architectures asked (text ``space:key``).
    values: (n_queries,) their fitness, NaN where undefined.
    seconds: (n_queries,) cumulative cost.
    best: (n_queries,) number of the query (from 0) that holds the best so far; None where none is defined yet.
        Of equals the first stays.
    steps: (n_queries,) step at which each was asked; None for a fitness without steps. With steps the best is
        looked for at the highest step so far: values of different steps do not compare.
    exhausted: whether the search ended before its budget, since it found nothing new to ask.
    """

    algorithm: str
    fitness: str
    space: str
    archs: tuple[str, ...]
    values: Floats
    seconds: Floats
    best: tuple[int | None, ...]
    steps: tuple[int | None, ...]
    exhausted: bool = False

    def __len__(self) -> int:
        return len(self.archs)

    @property
    def best_arch(self) -> str:
        """The best of those asked, the first of equals."""
        return self.archs[self._last]

    @property
    def best_value(self) -> float:
        """Its fitness."""
        return float(self.values[self._last])

    @property
    def n_undefined(self) -> int:
        """Queries without a value."""
        return int(np.isnan(self.values).sum())

    @property
    def trajectory(self) -> pl.DataFrame:
        """One row for each query: query (from 1), arch, step, value, seconds (cumulative), best_arch, best_value."""
        best = [None if i is None else self.archs[i] for i in self.best]
        value = [None if i is None else float(self.values[i]) for i in self.best]
        return pl.DataFrame(
            {
                "query": np.arange(1, len(self) + 1),
                "arch": list(self.archs),
                "step": pl.Series(list(self.steps), dtype=pl.Int64),
                "value": pl.Series(self.values).fill_nan(None),
                "seconds": self.seconds,
                "best_arch": pl.Series(best, dtype=pl.String),
                "best_value": pl.Series(value, dtype=pl.Float64),
            }
        )

    def true_accuracy_of_best(self, truth: Mapping[str, float]) -> Floats:
        """(n_queries,) true accuracy of the best by fitness after each query; NaN where there is none or no truth."""
        return np.array([math.nan if i is None else truth.get(self.archs[i], math.nan) for i in self.best])

    def trace(
        self,
        benchmark: str,
        dataset: str,
        *,
        part: str | None = None,
        search_seed: int | None = None,
        truth: Mapping[str, float] | None = None,
    ) -> pl.DataFrame:
        """TRACE frame: method = the algorithm, setting = the fitness, epoch = query number, from 1.

        `part` and `search_seed` tell searches of one algorithm and fitness apart.
        Quantities: ``fitness``, ``best_fitness``, ``seconds`` (cumulative), ``step`` where there are steps,
        ``true_accuracy_of_best`` where `truth` (architecture -> percent) is given; as text ``arch``, ``best_arch``.
        """
        rows = self.trajectory
        numbers = {"fitness": rows["value"], "best_fitness": rows["best_value"], "seconds": rows["seconds"]}
        if rows["step"].null_count() < len(rows):
            numbers["step"] = rows["step"].cast(pl.Float64)
        if truth is not None:
            numbers["true_accuracy_of_best"] = pl.Series(self.true_accuracy_of_best(truth)).fill_nan(None)
        keys = {
            "benchmark": pl.lit(benchmark),
            "dataset": pl.lit(dataset),
            "method": pl.lit(self.algorithm),
            "setting": pl.lit(self.fitness),
            "part": pl.lit(part, pl.String),
            "seed": pl.lit(None, pl.Int64),
            "search_seed": pl.lit(search_seed, pl.Int64),
        }
        parts = [
            rows.select(
                epoch="query", quantity=pl.lit(name), value=values.cast(pl.Float64), text=pl.lit(None, pl.String)
            )
            for name, values in numbers.items()
        ]
        parts += [
            rows.select(epoch="query", quantity=pl.lit(name), value=pl.lit(None, pl.Float64), text=pl.col(name))
            for name in ("arch", "best_arch")
        ]
        return check(pl.concat(parts).with_columns(**keys), "TRACE")

    @property
    def _last(self) -> int:
        last = self.best[-1] if self.best else None
        if last is None:  # `Search.result` refuses such a search
            raise SearchError(f"{self.algorithm}: {self.fitness!r} was defined for none of {len(self)} queries")
        return last


@dataclass
class Search:
    """A search under way: it asks the fitness, minds the budget and writes down every query.

    queries: how many may be asked; seconds: after how many no more is asked (the query that passes the limit still
    counts). At least one of the two must be given.
    """

    algorithm: str
    fitness_name: str
    space: str
    queries: int | None = None
    seconds: float | None = None
    spent: float = 0.0
    exhausted: bool = False
    _archs: list[str] = field(default_factory=list)
    _values: list[float] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)
    _best: list[int | None] = field(default_factory=list)
    _steps: list[int | None] = field(default_factory=list)
    _idle: int = 0

    def __post_init__(self) -> None:
        if self.queries is None and self.seconds is None:
            raise SearchError(f"{self.algorithm}: expected a budget: queries=, seconds= or both")
        if self.queries is not None and (isinstance(self.queries, bool) or self.queries < 1):
            raise SearchError(f"{self.algorithm}: queries: expected at least 1, got {self.queries!r}")
        if self.seconds is not None and not self.seconds > 0:
            raise SearchError(f"{self.algorithm}: seconds: expected a positive number, got {self.seconds!r}")

    def __len__(self) -> int:
        return len(self._archs)

    @property
    def left(self) -> int:
        """How many queries may be asked at once; 0 where the search is over."""
        if self.exhausted or (self.seconds is not None and self.spent >= self.seconds):
            return 0
        return PATIENCE if self.queries is None else max(0, self.queries - len(self))

    def ask(self, fitness: Fitness, archs: Sequence[str]) -> list[float]:
        """Fitness of `archs`, of the first of them only where the budget ends: NaN where undefined."""
        if self.seconds is None:
            archs = archs[: self.left]
            return self.note(archs, fitness(archs)) if archs else []
        values: list[float] = []
        for arch in archs:  # one by one: what each costs decides whether the next is asked
            if not self.left:
                break
            values += self.note([arch], fitness([arch]))
        return values

    def note(self, archs: Sequence[str], answers: Answers, step: int | None = None) -> list[float]:
        """Write down what a fitness said of `archs`; its values."""
        values: list[float] = answers.values.tolist()
        if len(values) != len(archs):
            raise SearchError(f"{self.fitness_name}: expected {len(archs)} values, got {len(values)}")
        counted = None if answers.counted is None else answers.counted.tolist()
        best = self._best[-1] if self._best else None
        for i, (arch, value, cost) in enumerate(zip(archs, values, answers.seconds.tolist(), strict=True)):
            self.spent += cost
            counts = counted is None or counted[i]
            self._idle = 0 if cost > 0 or (counts and self.queries is not None) else self._idle + 1
            if not counts:
                continue
            # values of an earlier step do not compare: the first defined one of a new step takes the place
            if value == value and (best is None or step != self._steps[best] or value > self._values[best]):
                best = len(self._archs)
            self._archs.append(arch)
            self._values.append(value)
            self._seconds.append(self.spent)
            self._steps.append(step)
            self._best.append(best)
        if self._idle >= PATIENCE:
            self.exhausted = True
        return values

    def require_defined(self) -> None:
        """`SearchError` where nothing asked so far has a value."""
        if not self._best or self._best[-1] is None:
            shown = self._archs[0] if self._archs else "none"
            raise SearchError(
                f"{self.algorithm}: {self.fitness_name!r} is undefined (NaN) for all {len(self)} architectures tried, "
                f"first {shown}: there is nothing to rank. Check that the proxy was computed for architectures of "
                f"{self.space}, keep the search among those that have a score (get_moves(space, archs=...)), or start "
                "with more architectures"
            )

    def result(self) -> SearchResult:
        """What was found; `SearchError` where nothing is defined."""
        self.require_defined()
        return SearchResult(
            self.algorithm,
            self.fitness_name,
            self.space,
            tuple(self._archs),
            np.array(self._values, dtype=np.float64),
            np.array(self._seconds, dtype=np.float64),
            tuple(self._best),
            tuple(self._steps),
            self.exhausted,
        )


def check_space(algorithm: str, fitness_space: str, moves_space: str) -> None:
    """`SearchError` unless the fitness and the moves are of one space."""
    if fitness_space != moves_space:
        raise SearchError(f"{algorithm}: expected moves of the fitness's space {fitness_space!r}, got {moves_space!r}")


def or_worst(value: float) -> float:
    """A value to compare with: what is undefined is below everything."""
    return value if value == value else -math.inf
