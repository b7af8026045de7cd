"""Search over any proxy, or combination of proxies, on a table or on a live network.

Fitness
    `Fitness` (protocol), `Answers`, `Memoised`, `FunctionFitness`, `TableFitness` (from SCORES or TRUTH),
    `Combined` of `Part`s, `SteppedFitness`, `SteppedTable`, `seconds_of`.
Space
    `Moves` (protocol), `get_moves`, `Constraint`.
Algorithms, each ``algorithm(fitness, moves, rng, queries=..., seconds=...) -> SearchResult``
    `random_search`, `regularised_evolution`, `spos_evolution`, `successive_halving`.
Judged by the truth
    `run_searches`, `summarise_searches`, `compare_searches`; `budget_curve`, `filtered_budget_curve`,
    `expected_pick`.

The shipped ``digits`` table holds 800 of the 15,625 cells of ``nb201``: a search over it stays among these
(`nasanalysis.search.within` says how).

>>> import numpy as np
>>> import nasanalysis as na
>>> from nasanalysis import search
>>> digits = na.load_benchmark("digits")
>>> sotl = search.TableFitness.from_scores(na.score(digits, "sotl", step=6), seconds=6.0)
>>> truth = search.TableFitness.from_truth(digits.truth(split="test"))
>>> moves = search.get_moves("nb201", archs=sotl.archs)
>>> found = search.regularised_evolution(sotl, moves, np.random.default_rng(0), queries=200)
>>> len(found), found.trajectory.columns
(200, ['query', 'arch', 'step', 'value', 'seconds', 'best_arch', 'best_value'])
>>> bool(truth.values[found.best_arch] > 70)  # the best of the table has 74.5 %
True
>>> halving = search.SteppedTable.from_scores(na.score(digits, "sotl"), "sotl", seconds_per_step=1.0)
>>> found = search.successive_halving(halving, moves, np.random.default_rng(0), start=81, steps=(1, 3, 6, 12))
>>> len(found), float(found.seconds[-1])  # 81 + 27 + 9 + 3 queries
(120, 180.0)
>>> table = search.budget_curve(sotl, truth, n_scored=[1, 10, 100])
>>> table.columns[:4]
['seconds', 'n_scored', 'n_ranked', 'expected_accuracy']
"""

from __future__ import annotations

from collections.abc import Callable

from .budget import budget_curve, chance_of_pick, expected_pick, filtered_budget_curve
from .combined import Combined, Part
from .compare import Algorithm, compare_searches, run_searches, summarise_searches
from .constraints import Constrained, Constraint, get_moves
from .fitness import Answers, Fitness, FunctionFitness, Memoised, SteppedFitness
from .random_search import random_search
from .regularised_evolution import EVOLUTION_PRESETS, EvolutionSettings, regularised_evolution
from .result import Search, SearchResult
from .space import CellMoves, Moves, Positional
from .spos_evolution import SPOS_PRESETS, SposSettings, spos_evolution
from .successive_halving import successive_halving
from .table import SteppedTable, TableFitness, seconds_of
from .within import Within

#: Name -> algorithm ``(fitness, moves, rng, queries=..., seconds=...) -> SearchResult``, or ``module:object``. Add to
#: it; further keywords are the algorithm's options.
ALGORITHMS: dict[str, str | Callable[..., SearchResult]] = {
    "random_search": random_search,
    "regularised_evolution": regularised_evolution,
    "spos_evolution": spos_evolution,
    "successive_halving": successive_halving,
}

__all__ = [
    "ALGORITHMS",
    "EVOLUTION_PRESETS",
    "SPOS_PRESETS",
    "Algorithm",
    "Answers",
    "CellMoves",
    "Combined",
    "Constrained",
    "Constraint",
    "EvolutionSettings",
    "Fitness",
    "FunctionFitness",
    "Memoised",
    "Moves",
    "Part",
    "Positional",
    "Search",
    "SearchResult",
    "SposSettings",
    "SteppedFitness",
    "SteppedTable",
    "TableFitness",
    "Within",
    "budget_curve",
    "chance_of_pick",
    "compare_searches",
    "expected_pick",
    "filtered_budget_curve",
    "get_moves",
    "random_search",
    "regularised_evolution",
    "run_searches",
    "seconds_of",
    "spos_evolution",
    "successive_halving",
    "summarise_searches",
]
