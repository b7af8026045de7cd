"""The searches of a ``[[search]]`` item, run on tables: milliseconds for each, so they are run with the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from ...search import get_moves, run_searches, summarise_searches
from ...search.compare import log_spaced
from ..items import Resampling
from .fitnesses import Searched

#: What the truth as fitness is called in tables and figures.
TRUTH_SHOWN = "the truth itself"


@dataclass(frozen=True)
class Runs:
    """What every algorithm finds with every fitness that it asks."""

    searched: Searched
    resampling: Resampling

    @cached_property
    def summary(self) -> pl.DataFrame:
        """`summarise_searches` of all, by label."""
        item, known, space = self.searched.item, self.searched.known, self.searched.benchmark.space
        moves = get_moves(space, archs=known)
        parts = [
            run_searches(
                {algorithm.key: algorithm.bound()},
                {label: self.searched.fitnesses[label] for label in item.asked_by(algorithm)},
                moves,
                known,
                seeds=item.seeds,
                queries=item.queries,
                at=sorted({*log_spaced(item.queries), *item.at}),
            )
            for algorithm in item.algorithms
        ]
        return summarise_searches(
            pl.concat(parts), n_boot=self.resampling.n, seed=self.resampling.seed, best_possible=self.best
        )

    @property
    def best(self) -> float:
        """True accuracy of the best architecture that is searched, percent."""
        return max(self.searched.known.values())

    @property
    def mean(self) -> float:
        """Mean true accuracy of all, percent."""
        return float(np.mean(list(self.searched.known.values())))
