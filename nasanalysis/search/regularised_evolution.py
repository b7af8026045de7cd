"""Regularised (ageing) evolution (Real et al. 2019, Algorithm 1)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ..core.errors import SearchError, UnknownNameError
from .fitness import Fitness
from .result import Search, SearchResult, check_space, or_worst
from .space import Moves


@dataclass(frozen=True)
class EvolutionSettings:
    """population: architectures alive. sample: drawn with replacement; the best of them is the parent."""

    population: int = 100
    sample: int = 25

    def __post_init__(self) -> None:
        if self.population < 1 or self.sample < 1:
            raise SearchError(f"regularised_evolution: expected population and sample of at least 1, got {self}")


#: Published settings by name.
EVOLUTION_PRESETS: dict[str, EvolutionSettings] = {
    "real-2019": EvolutionSettings(100, 25),  # Real et al. 2019, NASNet space: P = 100, S = 25
    "nas-bench-201": EvolutionSettings(10, 3),  # Dong and Yang 2020, REA: population 10, sample 3
}


def regularised_evolution(
    fitness: Fitness,
    moves: Moves,
    rng: np.random.Generator,
    *,
    queries: int | None = None,
    seconds: float | None = None,
    settings: EvolutionSettings | str = "real-2019",
) -> SearchResult:
    """A random population; then, again and again, the best of a sample has a mutated child and the oldest dies.

    Parameters
    ----------
    fitness, moves, rng, queries, seconds: as in `random_search`.
    settings: `EvolutionSettings`, or the name of one of `EVOLUTION_PRESETS`.

    An undefined fitness loses against every other; `SearchError` where the whole first population is undefined.
    An architecture may be asked again, as in the paper: see `Memoised` for what a repeat costs.
    """
    if isinstance(settings, str):
        if settings not in EVOLUTION_PRESETS:
            raise UnknownNameError("preset of regularised_evolution", settings, EVOLUTION_PRESETS)
        settings = EVOLUTION_PRESETS[settings]
    check_space("regularised_evolution", fitness.space, moves.space)
    search = Search("regularised_evolution", fitness.name, fitness.space, queries, seconds)
    first = [moves.sample(rng) for _ in range(min(settings.population, search.left))]
    alive = deque(zip(map(or_worst, search.ask(fitness, first)), first, strict=False))
    search.require_defined()
    while search.left:
        drawn = rng.integers(len(alive), size=settings.sample).tolist()
        parent = max([alive[i] for i in drawn], key=_value)[1]
        child = moves.mutate(parent, rng)
        values = search.ask(fitness, [child])
        alive.append((or_worst(values[0]), child))
        alive.popleft()
    return search.result()


def _value(member: tuple[float, str]) -> float:
    return member[0]
