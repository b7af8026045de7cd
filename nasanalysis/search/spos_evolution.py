"""The evolutionary search of single-path one-shot NAS (Guo et al. 2020, Algorithm 1), which GeNAS takes over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.errors import SearchError, UnknownNameError
from .fitness import Fitness
from .result import Search, SearchResult, check_space, or_worst
from .space import Moves, draw_fresh


@dataclass(frozen=True)
class SposSettings:
    """Sizes of the search.

    Attributes
    ----------
    population: architectures of an iteration, all of them new to the search.
    iterations: how many populations are evaluated.
    top_k: parents: the best so far of all iterations.
    mutation, crossover: how many of the next population come from each; the rest is drawn at random.
    probability: that a decision is redrawn in a mutation (its old value may come again).
    """

    population: int = 50
    iterations: int = 20
    top_k: int = 10
    mutation: int = 25
    crossover: int = 25
    probability: float = 0.1

    def __post_init__(self) -> None:
        sizes = (self.population, self.iterations, self.top_k)
        if min(sizes) < 1 or min(self.mutation, self.crossover) < 0:
            raise SearchError(f"spos_evolution: expected sizes of at least 1, got {self}")
        if self.mutation + self.crossover > self.population:
            raise SearchError(f"spos_evolution: expected mutation + crossover within the population, got {self}")
        if not 0 < self.probability <= 1:
            raise SearchError(f"spos_evolution: probability: expected a share in (0, 1], got {self.probability}")


#: Published settings by name.
SPOS_PRESETS: dict[str, SposSettings] = {
    # Guo et al. 2020: population 50, 20 iterations, k = 10, half mutation, half crossover, probability 0.1
    "spos": SposSettings(),
    # GeNAS, NAS-Bench-201: population 100, 20 iterations, "following RLNAS", whose public code has k = 30
    "genas-nb201": SposSettings(population=100, top_k=30, mutation=50, crossover=50),
    # GeNAS, DARTS: its public code has population 50, k = 10
    "genas-darts": SposSettings(),
}


def spos_evolution(
    fitness: Fitness,
    moves: Moves,
    rng: np.random.Generator,
    *,
    queries: int | None = None,
    seconds: float | None = None,
    settings: SposSettings | str = "spos",
) -> SearchResult:
    """A random population; then the best so far are parents of the next, half by mutation, half by crossover.

    Parameters
    ----------
    fitness, moves, rng: as in `random_search`.
    queries, seconds: an earlier end than ``population * iterations`` queries.
    settings: `SposSettings`, or the name of one of `SPOS_PRESETS`.

    Nothing is asked twice. As in the published code, each kind of child is tried 10 times as often as it is
    wanted, and random architectures fill what is missing. Two habits of that code are not copied: RLNAS's
    mutations on NAS-Bench-201 never draw ``none``, and GeNAS's on DARTS change the normal cell only.
    `SearchError` where the whole first population is undefined; later, what is undefined is below all others.
    """
    if isinstance(settings, str):
        if settings not in SPOS_PRESETS:
            raise UnknownNameError("preset of spos_evolution", settings, SPOS_PRESETS)
        settings = SPOS_PRESETS[settings]
    check_space("spos_evolution", fitness.space, moves.space)
    size = settings.population
    most = size * settings.iterations
    limit = most if queries is None else min(most, queries)
    search = Search("spos_evolution", fitness.name, fitness.space, limit, seconds)
    seen: set[str] = set()
    best: list[tuple[float, str]] = []
    population = moves.fresh(size, rng)
    while search.left:
        if not population:
            search.exhausted = True
            break
        seen.update(population)
        values = search.ask(fitness, population)
        search.require_defined()
        best += zip(map(or_worst, values), population, strict=False)
        best = sorted(best, key=lambda pair: -pair[0])[: settings.top_k]  # stable: of equals the older stays
        parents = [arch for _, arch in best]
        population = _mutants(moves, parents, settings, rng, seen)
        population += _crosses(moves, parents, settings, rng, seen | set(population))
        population += moves.fresh(size - len(population), rng, seen | set(population))
    return search.result()


def _mutants(
    moves: Moves, parents: list[str], settings: SposSettings, rng: np.random.Generator, seen: set[str]
) -> list[str]:
    def draw() -> str:
        return moves.perturb(parents[int(rng.integers(len(parents)))], settings.probability, rng)

    return draw_fresh(draw, settings.mutation, seen, 10 * settings.mutation)


def _crosses(
    moves: Moves, parents: list[str], settings: SposSettings, rng: np.random.Generator, seen: set[str]
) -> list[str]:
    def draw() -> str:
        first, second = rng.integers(len(parents), size=2).tolist()
        return moves.crossover(parents[first], parents[second], rng)

    return draw_fresh(draw, settings.crossover, seen, 10 * settings.crossover)
