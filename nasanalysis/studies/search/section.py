"""The section of a ``[[search]]`` item: its tables and figures."""

from __future__ import annotations

import warnings

import polars as pl

from ...report.model import Figure, Section, Table
from ...search.traces import read_search_trace
from ..items import Resampling, Sources
from ..own_scores import DirectionWarning, own_scores
from .figures import against_cost, against_queries
from .fitness_items import assumed_directions
from .fitnesses import Searched, truth_of
from .items import SearchItem
from .runs import Runs
from .table import search_table
from .traces import found_curvature, found_table


def search_section(item: SearchItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    dataset = item.dataset if "dataset" in item.model_fields_set else None
    benchmark = sources.benchmark(item.benchmark, unit=item.unit, space=item.space, dataset=dataset)
    if "dataset" not in item.model_fields_set and len(benchmark.datasets) == 1:
        item = item.model_copy(update={"dataset": benchmark.datasets[0]})
    for note in assumed_directions(item.fitnesses):
        warnings.warn(f"{item.name}: {note}", DirectionWarning, stacklevel=2)
    truth = truth_of(item, sources, benchmark)
    tables: list[Table] = []
    figures: dict[str, Figure] = {}
    if item.algorithms:
        runs = Runs(
            Searched(item, benchmark, truth, own_scores(sources, item.scores, benchmark, asker=item.name)), resampling
        )
        tables.append(search_table(runs))
        draw = {"queries": against_queries, "regret": against_queries, "budget": against_cost}
        figures = {f.name: draw[f.kind](runs, f) for f in item.figures if f.kind in draw}
    if item.traces:
        traces = pl.concat([read_search_trace(sources.kept(name)) for name in item.traces])
        tables.append(found_table(item, traces, truth))
        for figure in (f for f in item.figures if f.kind == "curvature"):
            perturbed = sources.frame(item.perturbed, "PERTURBED")
            figures[figure.name] = found_curvature(item, figure, traces, perturbed, truth)
    return Section(item.title, item.text, tuple(tables), tuple(figures[f.name] for f in item.figures))
