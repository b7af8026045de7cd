"""Successive halving (Jamieson and Talwalkar 2016) on a proxy that grows with training, such as SoTL."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..core.errors import SearchError
from .fitness import SteppedFitness
from .result import Search, SearchResult, check_space, or_worst
from .space import Moves


def successive_halving(
    fitness: SteppedFitness,
    moves: Moves,
    rng: np.random.Generator,
    *,
    start: int = 81,
    eta: float = 3,
    steps: Sequence[int] = (1, 3, 9, 27),
    queries: int | None = None,
    seconds: float | None = None,
) -> SearchResult:
    """Train many a little, keep the best, train these on.

    Parameters
    ----------
    fitness: see `SteppedFitness`: what it says after each of `steps`, and what the steps in between cost.
    moves, rng: as in `random_search`.
    start: distinct random architectures of the first rung (fewer where a table holds fewer).
    eta: the best ``1 / eta`` of a rung go on, rounded down, at least one. The defaults are those of Hyperband (Li
        et al. 2018): eta = 3, and 81 architectures.
    steps: completed steps of each rung, ascending.
    queries, seconds: an earlier end; a rung that the budget cuts short is the last.

    What is undefined at a rung does not go on. A query is one architecture at one rung; the best is that of the
    highest rung reached, since values of different steps do not compare. `SearchError` where a whole rung is
    undefined.
    """
    ladder = list(steps)
    if not ladder or ladder[0] < 1 or any(a >= b for a, b in itertools.pairwise(ladder)):
        raise SearchError(f"successive_halving: steps: expected ascending steps from 1, got {tuple(steps)}")
    if start < 1 or not eta > 1:
        raise SearchError(f"successive_halving: expected start of at least 1 and eta above 1, got {start} and {eta}")
    check_space("successive_halving", fitness.space, moves.space)
    most = start * len(ladder)
    limit = most if queries is None else min(most, queries)
    search = Search("successive_halving", fitness.name, fitness.space, limit, seconds)
    alive, before = moves.fresh(start, rng), 0
    for rung, step in enumerate(ladder):
        values: list[float] = []
        batch = len(alive) if seconds is None else 1
        for i in range(0, len(alive), batch):
            part = alive[i : i + batch][: search.left]
            if part:
                values += search.note(part, fitness(part, step, before), step)
        ranked = sorted(zip(map(or_worst, values), alive, strict=False), key=lambda pair: -pair[0])
        defined = [arch for value, arch in ranked if value > -np.inf]
        if values and not defined:
            raise SearchError(
                f"successive_halving: {fitness.name!r} is undefined (NaN) at step {step} for all {len(values)} "
                "architectures of the rung; choose steps at which it is defined"
            )
        if not search.left or len(values) < len(alive) or rung + 1 == len(ladder):
            break
        alive, before = defined[: max(1, int(len(alive) / eta))], step
    return search.result()
