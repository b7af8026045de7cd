"""Random search: the bar that every search must clear (Li and Talwalkar 2019)."""

from __future__ import annotations

import numpy as np

from .fitness import Fitness
from .result import Search, SearchResult, check_space
from .space import Moves

#: Architectures asked at once.
BATCH = 100


def random_search(
    fitness: Fitness,
    moves: Moves,
    rng: np.random.Generator,
    *,
    queries: int | None = None,
    seconds: float | None = None,
) -> SearchResult:
    """Distinct architectures, uniform without replacement, until the budget is spent or all are seen.

    Parameters
    ----------
    fitness, moves: see `Fitness`, `Moves`; of one space.
    rng: the only source of randomness.
    queries, seconds: the budget; at least one.

    `SearchError` where the fitness is undefined for every architecture tried.
    """
    check_space("random_search", fitness.space, moves.space)
    search = Search("random_search", fitness.name, fitness.space, queries, seconds)
    seen: set[str] = set()
    while search.left:
        archs = moves.fresh(min(BATCH, search.left), rng, seen)
        if not archs:
            search.exhausted = True
            break
        seen.update(archs)
        search.ask(fitness, archs)
        search.require_defined()
    return search.result()
