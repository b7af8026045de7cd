"""The table of a ``[[search]]`` item: how good the architectures are that each search found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from inspect import signature
from typing import Any

import polars as pl

from ...loaders.samples import sample_label
from ...report.cells import EMPHASIS_NOTE, emphasis, number, with_interval
from ...report.model import Mark, Table
from ...search import successive_halving
from .fitness_items import TRUTH
from .items import HALVING, AlgorithmItem
from .runs import TRUTH_SHOWN, Runs

#: (algorithm, fitness, query) -> row of the summary.
Rows = dict[tuple[str, str, int], dict[str, Any]]


def search_table(runs: Runs) -> Table:
    """One row for each algorithm and fitness, after the rows that need no search."""
    i = runs.searched.item
    rows: Rows = {(r["algorithm"], r["fitness"], r["query"]): r for r in runs.summary.to_dicts()}
    lines = [(algorithm, label) for algorithm in i.algorithms for label in i.asked_by(algorithm)]
    standing = {(r["algorithm"], r["fitness"], r["query"]): r for r in runs.oriented.to_dicts()}
    marks = _marks(standing, [(a.key, label) for a, label in lines if label != TRUTH], i.at, runs.ties)
    bars = {"best possible": runs.best, "mean of all architectures": runs.mean}
    shown = [[name, "–", *[number(value, runs.decimals)] * len(i.at), "–"] for name, value in bars.items()]
    emphasised = [[Mark.NONE] * len(line) for line in shown]
    record: list[dict[str, Any]] = []
    for algorithm, label in lines:
        cells = [rows[algorithm.key, label, n] for n in i.at]
        marked = [marks.get((algorithm.key, label, n), Mark.NONE) for n in i.at]
        shown.append([algorithm.shown, TRUTH_SHOWN if label == TRUTH else label, *_texts(cells, label, runs.decimals)])
        emphasised.append([Mark.NONE, Mark.NONE, *marked, Mark.NONE])
        record += [_record(runs, row, mark) for row, mark in zip(cells, marked, strict=True)]
    header = ["algorithm", "fitness", *(f"after {n:,} queries" for n in i.at), f"cost ({i.cost_unit})"]
    data = pl.DataFrame(record, infer_schema_length=None)
    numeric = [False, False, *[True] * (len(i.at) + 1)]
    return Table(i.name, i.title, header, shown, data, numeric, " ".join(_note(runs)), emphasised)


def _marks(
    rows: Rows, judged: Sequence[tuple[str, str]], at: Sequence[int], ties: Set[tuple[str, str, int]]
) -> dict[tuple[str, str, int], Mark]:
    """Emphasis among the searches with a proxy, at each number of queries: the truth as fitness is no rival."""
    marks: dict[tuple[str, str, int], Mark] = {}
    for n in at:
        keys = [(algorithm, label, n) for algorithm, label in judged]
        column = [rows[key] for key in keys]
        marks |= dict(zip(keys, emphasis([r["mean"] for r in column], [key in ties for key in keys]), strict=True))
    return marks


def _texts(cells: Sequence[Mapping[str, Any]], label: str, decimals: int) -> list[str]:
    """Truths with their intervals, and the cost after the last query."""
    texts = [with_interval(r["mean"], r["ci_low"], r["ci_high"], decimals) for r in cells]
    return [*texts, f"{cells[-1]['seconds']:,.0f}" if label != TRUTH else "–"]


def _record(runs: Runs, row: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    """A row of the CSV file; the truth costs what no search could pay, so it has none."""
    cost = None if row["fitness"] == TRUTH else row["seconds"]
    beside = {"cost": cost, "cost_unit": runs.searched.item.cost_unit, "mean_of_all": runs.mean,
              "quantity": runs.searched.quantity.name, "quantity_unit": runs.searched.quantity.unit}  # fmt: skip
    kept = {name: value for name, value in row.items() if name != "seconds"}
    return {**kept, **beside, "n_archs": len(runs.searched.known), "mark": mark.words}


def _note(runs: Runs) -> Iterator[str]:
    i, known, benchmark, quantity = (
        runs.searched.item, runs.searched.known, runs.searched.benchmark, runs.searched.quantity
    )  # fmt: skip
    after = f" after {i.schedule} epochs" if i.schedule else ""
    run = "mean over training runs" if i.truth_seed is None else f"training seed {i.truth_seed}"
    where = i.dataset if i.dataset == benchmark.name else f"{benchmark.name}, {i.dataset}"
    outside = len(runs.searched.truth) - len(known)
    draws = f"({runs.resampling.n:,} draws, seed {runs.resampling.seed})"
    brackets = f"; brackets: 95 % interval of that mean, percentile bootstrap over searches {draws}"
    yield (
        f"True {quantity.words} ({quantity.unit}) of the best by fitness after so many queries: mean of {i.seeds} "
        f"searches{brackets if i.seeds > 1 and runs.resampling.n else ''}."
    )
    lower = "" if quantity.direction > 0 else ", of which less is better"
    yield f"Truth: {i.split} {quantity.words}{after} of {where} ({run}){lower}."
    lacking = f"; {outside:,} are left out because they lack a fitness" if outside else ""
    yield f"Searched: {len(known):,} architectures ({sample_label(i.sample)}{lacking})."
    fitnesses = "; ".join(f.label if f.source == f.label else f"{f.label}: {f.source}" for f in i.fitnesses)
    yield f"Fitnesses: {fitnesses}; {TRUTH_SHOWN}: what the algorithm finds with a fitness that makes no error."
    for algorithm in i.algorithms:
        yield from _settings(algorithm, i.queries, len(known))
    yield (
        "An architecture that is asked again is a query, but costs nothing. Cost: mean over searches after "
        f"{i.at[-1]:,} queries ({i.cost_unit}; 0: needs no training)."
    )
    yield f"Without the truth as fitness: {EMPHASIS_NOTE[0].lower()}{EMPHASIS_NOTE[1:]}"


def _settings(algorithm: AlgorithmItem, queries: int, archs: int) -> Iterator[str]:
    """What an algorithm does other than by default."""
    if algorithm.name == HALVING:
        yield _rungs(algorithm, queries, archs)
    elif algorithm.preset or algorithm.options:
        given = ", ".join(f"{name} {value}" for name, value in algorithm.options.items())
        yield f"{capital(algorithm.shown)}: settings {' with '.join(p for p in (algorithm.preset or '', given) if p)}."


def _rungs(algorithm: AlgorithmItem, queries: int, archs: int) -> str:
    """What a successive halving asks, in words."""
    defaults = {name: p.default for name, p in signature(successive_halving).parameters.items()}
    start, eta, steps = (algorithm.options.get(name, defaults[name]) for name in ("start", "eta", "steps"))
    alive, left, rungs = min(int(start), archs), queries, []
    for step in steps:
        rungs.append((min(alive, left), step))
        left -= rungs[-1][0]
        if left < 1:
            break
        alive = max(1, int(alive / eta))
    said = ", ".join(f"{n} at step {step}" for n, step in rungs)
    ended = f": {queries - left} queries; it keeps what it found then" if left else ""
    return f"{capital(algorithm.shown)} asks {said}{ended}."


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
