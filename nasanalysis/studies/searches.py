"""Searches from the command line: what ``nasanalysis search`` asks, as an item of a study would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import Quantity
from ..core.notes import told
from ..core.toml import validated
from ..loaders.sources import Sources
from ..report.cells import with_interval
from ..report.model import Figure
from .items import Resampling
from .own_scores import own_scores
from .search.figures import against_queries
from .search.fitness_items import TRUTH, assumed_directions
from .search.fitnesses import Searched, truth_of
from .search.items import HALVING, SearchFigure, SearchItem
from .search.runs import TRUTH_SHOWN, Runs


@dataclass(frozen=True)
class Found:
    """What searches with proxies found.

    Attributes
    ----------
    table: a row for each algorithm, fitness and number of queries: algorithm, fitness (``truth``: the true accuracy
        itself), query, mean (truth of the best by fitness, over searches, in its unit), ci_low, ci_high (of that
        mean), cost (of the queries, in the unit of `costs`; null of the truth), standing (``best``, ``tied`` with the
        best, ``behind``; null of the truth), regret (to the best possible, in the truth's unit or percentage points).
    quantity: what the truth is. sentences: what follows by rule. figure: regret against queries.
    """

    table: pl.DataFrame
    quantity: Quantity
    sentences: tuple[str, ...]
    figure: Figure


def found_with(
    proxies: Sequence[str],
    truth: str,
    *,
    algorithms: Sequence[str] = ("random_search", "regularised_evolution"),
    queries: int = 200,
    seeds: int = 20,
    step: int | None = None,
    rungs: Sequence[int] = (),
    score_seed: int | None = None,
    costs: Mapping[str, float] | None = None,
    directions: Mapping[str, str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    data: Path | str | None = None,
    say: Callable[[str], None] = lambda _: None,
    **keys: Any,
) -> Found:
    """Search a table with every proxy by every algorithm, and with the truth itself.

    Parameters
    ----------
    proxies: what the searches ask. truth: a benchmark, a TOML description or a plain table.
    algorithms: names of `nasanalysis.search.ALGORITHMS`; ``successive_halving`` asks at the steps `rungs` (default: its
        own), the others at `step`.
    queries: of each search. seeds: searches of each kind. score_seed: training run of the scores; None: their mean.
    costs: proxy -> cost of a query (of a step, for successive halving).
    keys: of ``[[search]]`` (dataset, split, schedule, quantity, sample, scores, unit, space); None is left at its
        default.

    `StudyError` where the truth has several data sets and none is named, or a proxy does not fit; `UnknownNameError`
    for a cost or direction of a proxy that is not asked.
    """
    for what, named in (("a cost", costs), ("a direction", directions)):
        if strange := [name for name in named or () if name not in proxies]:
            raise UnknownNameError(f"proxy of these searches ({what})", strange[0], proxies)
    sources = Sources(data)
    asked = {key: value for key, value in keys.items() if value not in (None, (), [])}
    benchmark = sources.benchmark(truth, unit=asked.get("unit"), space=asked.get("space"), dataset=asked.get("dataset"))
    if "dataset" not in asked:
        if len(benchmark.datasets) != 1:
            raise StudyError(f"{benchmark.name}: expected --dataset, one of {', '.join(benchmark.datasets)}")
        asked["dataset"] = benchmark.datasets[0]
    at = sorted({max(1, queries // 10), max(1, queries // 3), queries})
    fitnesses = [
        {
            "label": proxy, "proxy": proxy, "step": None if HALVING in algorithms else step, "seed": score_seed,
            "stepped": HALVING in algorithms, "cost": (costs or {}).get(proxy, 0.0),
            "direction": (directions or {}).get(proxy),
        }
        for proxy in proxies
    ]  # fmt: skip
    if rungs and HALVING not in algorithms:
        raise StudyError(f"rungs: expected {HALVING} among the algorithms, got {', '.join(algorithms)}")
    chosen = [{"name": a, "options": {"steps": list(rungs)} if rungs and a == HALVING else {}} for a in algorithms]
    head = {"name": "search", "title": "What searches find", "benchmark": truth, "queries": queries, "seeds": seeds}
    item = validated(
        SearchItem,
        {**head, "at": at, "algorithms": chosen, "fitnesses": fitnesses, **asked},
        where="search",
    )
    with told(say):
        for note in assumed_directions(item.fitnesses, "--direction {}=lower"):
            say(note)
        own = own_scores(sources, item.scores, benchmark, asker="search")
        runs = Runs(Searched(item, benchmark, truth_of(item, sources, benchmark), own), Resampling(n_boot, seed))
        table = _table(runs)
        if queries >= (n := len(runs.searched.known)):
            fewer = max(1, n // 10)
            say(
                f"{queries:,} queries may ask all {n:,} architectures, and then find the best; fewer: --queries {fewer}"
            )
    last = item.algorithms[-1]
    drawn = SearchFigure(name="regret", kind="regret", algorithms=(last.key,), fitnesses=item.asked_by(last))
    return Found(table, runs.searched.quantity, tuple(_sentences(runs, table)), against_queries(runs, drawn))


def _table(runs: Runs) -> pl.DataFrame:
    item = runs.searched.item
    rows = runs.summary.filter(pl.col("query").is_in(list(item.at)))
    sign = runs.searched.quantity.direction
    best = sign * pl.col("mean") == (sign * pl.col("mean")).filter(pl.col("fitness") != TRUTH).max().over("query")
    tied = pl.Series([key in runs.ties for key in rows.select("algorithm", "fitness", "query").iter_rows()])
    standing = pl.when(pl.col("fitness") != TRUTH).then(
        pl.when(best).then(pl.lit("best")).when(tied).then(pl.lit("tied")).otherwise(pl.lit("behind"))
    )
    kept = rows.select("algorithm", "fitness", "query", "mean", "ci_low", "ci_high", "seconds")
    return kept.with_columns(
        standing=standing, regret=sign * (runs.best - pl.col("mean")),
        seconds=pl.when(pl.col("fitness") != TRUTH).then("seconds"),
    ).rename({"seconds": "cost"})  # fmt: skip


def _sentences(runs: Runs, table: pl.DataFrame) -> list[str]:
    item = runs.searched.item
    last = table.filter(query=item.queries)
    top = last.filter(standing="best").row(0, named=True)
    quantity, digits = runs.searched.quantity, runs.decimals
    shown = with_interval(top["mean"], top["ci_low"], top["ci_high"], digits)
    searched = f"{len(runs.searched.known):,} architectures"
    said = [
        f"After {item.queries:,} queries {top['algorithm']} with {top['fitness']} finds {shown} {quantity.sign} in the "
        f"mean of {item.seeds} searches of {searched} (best possible: {runs.best:.{digits}f} {quantity.sign}, mean of "
        f"all: {runs.mean:.{digits}f} {quantity.sign})."
    ]
    if tied := [f"{a} with {f}" for a, f in last.filter(standing="tied").select("algorithm", "fitness").iter_rows()]:
        said.append(f"Not told apart from it: {', '.join(tied)}.")
    sign, near = quantity.direction, "ci_low" if quantity.direction > 0 else "ci_high"
    lucky = last.filter(pl.col("fitness") != TRUTH, ~(sign * pl.col(near) > sign * runs.mean))
    if poor := [f"{a} with {f}" for a, f in lucky.select("algorithm", "fitness").iter_rows()]:
        said.append(f"Not better for certain than one architecture drawn at random: {', '.join(poor)}.")
    if not (
        truth := last.filter(fitness=TRUTH).sort(sign * pl.col("mean"), descending=True)
    ).is_empty():  # halving has no truth to ask
        said.append(
            f"With {TRUTH_SHOWN} as fitness {truth['algorithm'][0]} finds {truth['mean'][0]:.{digits}f} "
            f"{quantity.sign}."
        )
    return said
