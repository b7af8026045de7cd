"""The searches of a ``[[search]]`` item, run on tables: milliseconds for each, so they are run with the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from ...search import get_moves, run_searches, summarise_searches
from ...search.compare import log_spaced, searches_beside_best
from ..items import Resampling
from .fitness_items import TRUTH
from .fitnesses import Searched

#: What the truth as fitness is called in tables and figures.
TRUTH_SHOWN = "the truth itself"


@dataclass(frozen=True)
class Runs:
    """What every algorithm finds with every fitness that it asks."""

    searched: Searched
    resampling: Resampling

    @cached_property
    def each(self) -> pl.DataFrame:
        """`run_searches` of all, by label."""
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
        return pl.concat(parts)

    @cached_property
    def oriented(self) -> pl.DataFrame:
        """`summarise_searches` of all, negated where less of the truth is better."""
        best = max(self.searched.known.values())
        return summarise_searches(self.each, n_boot=self.resampling.n, seed=self.resampling.seed, best_possible=best)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """`oriented` in the truth's own numbers."""
        if self.searched.quantity.direction > 0:
            return self.oriented
        ends = {"mean": "mean", "ci_low": "ci_high", "ci_high": "ci_low", "low": "high", "high": "low"}
        return self.oriented.with_columns(
            **{name: -pl.col(of) for name, of in ends.items()}, best_possible=-pl.col("best_possible")
        )

    @cached_property
    def ties(self) -> frozenset[tuple[str, str, int]]:
        """(algorithm, fitness, query) of those that are not told apart from the best search with a proxy."""
        rivals = self.each.filter(pl.col("fitness") != TRUTH, pl.col("query").is_in(list(self.searched.item.at)))
        table = searches_beside_best(rivals, n_boot=self.resampling.n, seed=self.resampling.seed)
        return frozenset(table.filter(standing="tied").select("algorithm", "fitness", "query").rows())

    @property
    def best(self) -> float:
        """Truth of the best architecture that is searched, in its unit."""
        return self.searched.quantity.direction * max(self.searched.known.values())

    @property
    def mean(self) -> float:
        """Mean truth of all, in its unit."""
        return self.searched.quantity.direction * float(np.mean(list(self.searched.known.values())))

    @property
    def decimals(self) -> int:
        """Of numbers of the truth: two of a percentage, of others as many as give the best four digits."""
        if self.searched.quantity.unit == "percent" or not self.best:
            return 2
        return max(0, 3 - math.floor(math.log10(abs(self.best))))
