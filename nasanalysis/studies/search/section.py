"""Sections of a study about searches: tables and figures of ``[[search]]`` items (`search_items`).

Every search is run when the report is made: a table of scores answers it in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...core.seeding import generator
from ...loaders import Benchmark, load_benchmark
from ...loaders.samples import SAMPLES, named_archs, sample_file, take_sample
from ...plots.search import budget_frame, plot_budget, plot_search, search_frame
from ...plots.style import legend_beside
from ...proxies import score
from ...report.model import Figure, Mark, Section, Table
from ...report.tables import EMPHASIS_NOTE, emphasis, number, with_interval
from ...search import (
    Combined,
    Part,
    SteppedTable,
    TableFitness,
    budget_curve,
    filtered_budget_curve,
    get_moves,
    run_searches,
    seconds_of,
    summarise_searches,
)
from ...search.compare import log_spaced
from ...search.table import Seconds
from ..supernet.frames import kept_file
from .items import HALVING, TRUTH, AlgorithmItem, BudgetCurve, Cost, FitnessItem, SearchFigure, SearchItem
from .traces import found_curvature, found_table

#: What the truth as fitness is called in tables and figures.
TRUTH_SHOWN = "the truth itself"
#: About how many sizes of a sample a budget curve shows.
_SIZES = 25


def search_section(item: SearchItem, data: Path | str | None, *, n_boot: int, seed: int) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    benchmark = load_benchmark(item.benchmark, data)
    truth = _truth(item, benchmark, data)
    tables: list[Table] = []
    figures: dict[str, Figure] = {}
    if item.algorithms:
        run = _Run(item, benchmark, truth, n_boot, seed)
        tables.append(run.table())
        draw = {"queries": run.against_queries, "budget": run.against_cost}
        figures = {f.name: draw[f.kind](f) for f in item.figures if f.kind in draw}
    if item.traces:
        traces, perturbed = ([kept_file(name) for name in names] for names in (item.traces, item.perturbed))
        tables.append(found_table(item, traces, truth))
        figures |= {
            f.name: found_curvature(item, f, traces, perturbed, truth) for f in item.figures if f.kind == "curvature"
        }
    return Section(item.title, item.text, tuple(tables), tuple(figures[f.name] for f in item.figures))


def search_inputs(item: SearchItem, data: Path | str | None) -> list[Any]:
    """The files behind `item`, for provenance."""
    benchmark = load_benchmark(item.benchmark, data)
    found = [*(kept_file(name) for name in (*item.traces, *item.perturbed)), *benchmark.inputs]
    return [p for p in (*found, sample_file(item.sample, benchmark=benchmark, data=data)) if p is not None]


def _truth(item: SearchItem, benchmark: Benchmark, data: Path | str | None) -> pl.DataFrame:
    """TRUTH, one row for each architecture."""
    named = named_archs(item.sample, benchmark=benchmark, data=data)
    frame = benchmark.truth(item.dataset, split=item.split, schedule=item.schedule, archs=named)
    frame = take_sample(frame, item.sample, benchmark=benchmark, data=data)
    if frame.is_empty():
        raise StudyError(
            f"{item.name}: {benchmark.name}/{item.dataset} has no {item.split} accuracy of schedule {item.schedule} "
            f"for sample {item.sample!r}"
        )
    values = TableFitness.from_truth(frame, seed=item.truth_seed).values
    return (
        frame.select(pl.exclude("seed", "accuracy"))
        .unique("arch", maintain_order=True)
        .with_columns(
            seed=pl.lit(item.truth_seed, pl.Int64),
            accuracy=pl.col("arch").replace_strict(values, return_dtype=pl.Float64),
        )
        .filter(pl.col("accuracy").is_not_nan())
    )


@dataclass(frozen=True)
class _Run:
    """One item with its benchmark and its truth at hand."""

    item: SearchItem
    benchmark: Benchmark
    truth: pl.DataFrame
    n_boot: int
    seed: int

    # --- what is searched -------------------------------------------------------------------------------

    @cached_property
    def known(self) -> dict[str, float]:
        """True accuracy of the architectures that every fitness knows, in the truth's order."""
        held = [set(fitness.archs) for fitness in self._read.values()]
        known = {a: y for a, y in self.truth.select("arch", "accuracy").iter_rows() if all(a in own for own in held)}
        if len(known) < 2:
            raise StudyError(
                f"{self.item.name}: expected architectures that have a truth and every fitness, got {len(known)}"
            )
        return known

    @cached_property
    def _read(self) -> dict[str, TableFitness | SteppedTable]:
        """Label -> fitness on all architectures that it knows; sums are made later."""
        made: dict[str, TableFitness | SteppedTable] = {}
        for fitness in self.item.fitnesses:
            if fitness.stepped:
                made[fitness.label] = self._stepped(fitness)
            elif fitness.terms:
                for term in fitness.terms:
                    made[f"{fitness.label}: {term.proxy}"] = self._scored(fitness, term.proxy)
            else:
                made[fitness.label] = self._scored(fitness, fitness.proxy)
        return made

    @cached_property
    def fitnesses(self) -> dict[str, TableFitness | SteppedTable]:
        """Label -> fitness, and the truth under its own label; tables hold the searched architectures only."""
        made: dict[str, TableFitness | SteppedTable] = {}
        for fitness in self.item.fitnesses:
            if fitness.terms:
                made[fitness.label] = self._sum(fitness)
            else:
                held = self._read[fitness.label]
                made[fitness.label] = held.restricted(self.known) if isinstance(held, TableFitness) else held
        made[TRUTH] = TableFitness(TRUTH, self.benchmark.space, self.known)
        return made

    def _scored(self, fitness: FitnessItem, proxy: str) -> TableFitness:
        dataset = fitness.dataset or self.item.dataset
        if not proxy:
            frame = self.benchmark.truth(dataset, split=fitness.accuracy, schedule=fitness.schedule)
            cost = self._seconds(fitness)
            return TableFitness.from_truth(frame, seed=fitness.seed, seconds=cost, name=fitness.label)
        frame = score(self.benchmark, proxy, dataset=dataset, step=fitness.step, schedule=fitness.schedule)
        stepped = fitness.step if frame["step"].is_not_null().any() else None
        if stepped is None and frame["step"].is_not_null().any():
            raise StudyError(f"{self.item.name}: fitness {fitness.label!r}: expected a step, {proxy} has several")
        seedless = fitness.terms and frame["seed"].is_null().all()  # a term such as params, beside one of a training
        return TableFitness.from_scores(
            frame,
            method=fitness.method,
            setting=fitness.setting,
            seed=None if seedless else fitness.seed,
            seconds=self._seconds(fitness),
            name=fitness.label,
        )

    def _stepped(self, fitness: FitnessItem) -> SteppedTable:
        dataset = fitness.dataset or self.item.dataset
        frame = score(self.benchmark, fitness.proxy, dataset=dataset, schedule=fitness.schedule)
        return SteppedTable.from_scores(
            frame,
            seconds_per_step=self._seconds(fitness, each_step=True),
            name=fitness.label,
            method=fitness.method,
            setting=fitness.setting,
            seed=fitness.seed,
        )

    def _sum(self, fitness: FitnessItem) -> TableFitness:
        """A weighted sum as a table; ranks and deviations are those among the searched architectures."""
        archs, parts = list(self.known), []
        for term in fitness.terms:
            own = self._read[f"{fitness.label}: {term.proxy}"]
            assert isinstance(own, TableFitness)
            own = own.restricted(archs)
            reference = own(archs).values if term.rule in ("z", "rank") else None
            parts.append(Part(own, term.weight, term.rule, term.sigma_1, reference))
        answers = Combined(fitness.label, parts)(archs)
        cost = parts[0].fitness(archs).seconds  # of the whole fitness: the terms share it
        pairs = zip(archs, answers.values.tolist(), strict=True)
        return TableFitness(
            fitness.label, self.benchmark.space, dict(pairs), dict(zip(archs, cost.tolist(), strict=True))
        )

    def _seconds(self, fitness: FitnessItem, *, each_step: bool = False) -> Seconds:
        """Cost of a query, or of one step of it."""
        cost = fitness.cost
        if not isinstance(cost, Cost):
            return cost
        dataset = cost.dataset or fitness.dataset or self.item.dataset
        if cost.epochs is None:
            frame = self.benchmark.scores(dataset, proxy=cost.proxy)
            if frame.is_empty():
                raise StudyError(f"{self.item.name}: cost of {fitness.label!r}: no {cost.proxy} recorded on {dataset}")
            held = seconds_of(frame, cost.proxy, setting=cost.setting)
        else:
            frame = self.benchmark.curves(dataset, schedule=cost.schedule or fitness.schedule)
            frame = frame.filter(pl.col("step").is_between(1, cost.epochs)).drop_nulls("seconds")
            if frame.is_empty():
                raise StudyError(f"{self.item.name}: cost of {fitness.label!r}: no seconds recorded on {dataset}")
            each = frame.group_by("arch").agg(pl.col("seconds").cast(pl.Float64).mean() * cost.epochs)
            held = dict(each.iter_rows())
        share = cost.times / (cost.epochs or 1 if each_step else 1)
        return {arch: share * seconds for arch, seconds in held.items()}

    # --- what is found ----------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> pl.DataFrame:
        """`summarise_searches` of every algorithm with the fitnesses that it asks, by label."""
        i = self.item
        moves = get_moves(self.benchmark.space, archs=self.known)
        at = sorted({*log_spaced(i.queries), *i.at})
        parts = []
        for algorithm in i.algorithms:
            asked = {label: self.fitnesses[label] for label in i.asked_by(algorithm)}
            parts.append(
                run_searches(
                    {algorithm.key: algorithm.bound()},
                    asked,
                    moves,
                    self.known,
                    seeds=i.seeds,
                    queries=i.queries,
                    at=at,
                )
            )
        runs = pl.concat(parts)
        return summarise_searches(runs, n_boot=self.n_boot, seed=self.seed, best_possible=max(self.known.values()))

    def table(self) -> Table:
        """One row for each algorithm and fitness, after the rows that need no search."""
        i = self.item
        rows = {(r["algorithm"], r["fitness"], r["query"]): r for r in self.summary.to_dicts()}
        lines = [(a, label) for a in i.algorithms for label in i.asked_by(a)]
        judged = [line for line in lines if line[1] != TRUTH]
        said: dict[tuple[str, str, int], Mark] = {}
        for n in i.at:
            column = [rows[a.key, label, n] for a, label in judged]
            ends = [r["ci_low"] for r in column], [r["ci_high"] for r in column]
            marks = emphasis([r["mean"] for r in column], *ends)
            said |= {(a.key, label, n): mark for (a, label), mark in zip(judged, marks, strict=True)}
        best, mean = max(self.known.values()), float(np.mean(list(self.known.values())))
        shown = [[name, "–", *[number(value, 2)] * len(i.at), "–"] for name, value in self._bars(best, mean)]
        emphasised = [[Mark.NONE] * len(line) for line in shown]
        record: list[dict[str, Any]] = []
        for algorithm, label in lines:
            own = [rows[algorithm.key, label, n] for n in i.at]
            texts = [with_interval(r["mean"], r["ci_low"], r["ci_high"], 2) for r in own]
            cost = f"{own[-1]['seconds']:,.0f}" if label != TRUTH else "–"
            shown.append([algorithm.shown, TRUTH_SHOWN if label == TRUTH else label, *texts, cost])
            marked = [said.get((algorithm.key, label, n), Mark.NONE) for n in i.at]
            emphasised.append([Mark.NONE, Mark.NONE, *marked, Mark.NONE])
            for row, mark in zip(own, marked, strict=True):
                beside = {"cost": None if label == TRUTH else row.pop("seconds"), "cost_unit": i.cost_unit}
                row.pop("seconds", None)
                record.append({**row, **beside, "mean_of_all": mean, "n_archs": len(self.known), "mark": mark.words})
        header = ["algorithm", "fitness", *(f"after {n:,} queries" for n in i.at), f"cost ({i.cost_unit})"]
        data = pl.DataFrame(record, infer_schema_length=None)
        numeric = [False, False, *[True] * (len(i.at) + 1)]
        return Table(i.name, i.title, header, shown, data, numeric, self._note(lines), emphasised)

    @staticmethod
    def _bars(best: float, mean: float) -> Iterator[tuple[str, float]]:
        yield "best possible", best
        yield "mean of all architectures", mean

    def _note(self, lines: Sequence[tuple[AlgorithmItem, str]]) -> str:
        i = self.item
        after = f" after {i.schedule} epochs" if i.schedule else ""
        run = "mean over training runs" if i.truth_seed is None else f"training seed {i.truth_seed}"
        where = i.dataset if i.dataset == self.benchmark.name else f"{self.benchmark.name}, {i.dataset}"
        outside = len(self.truth) - len(self.known)
        sentences = [
            f"True accuracy (percent) of the best by fitness after so many queries: mean of {i.seeds} searches"
            + (
                f"; brackets: 95 % interval of that mean, percentile bootstrap over searches ({self.n_boot:,} draws, "
                f"seed {self.seed})."
                if i.seeds > 1 and self.n_boot
                else "."
            ),
            f"Truth: {i.split} accuracy{after} of {where} ({run}).",
            f"Searched: {len(self.known):,} architectures ({SAMPLES.get(i.sample, i.sample)}"
            + (f"; {outside:,} are left out because they lack a fitness)." if outside else ")."),
            f"Fitnesses: {'; '.join(f'{f.label}: {f.source}' for f in i.fitnesses)}; {TRUTH_SHOWN}: what the algorithm "
            "finds with a fitness that makes no error.",
        ]
        for algorithm in i.algorithms:
            if algorithm.name == HALVING:
                sentences.append(_rungs(algorithm, i.queries, len(self.known)))
            elif algorithm.preset or algorithm.options:
                given = ", ".join(f"{name} {value}" for name, value in algorithm.options.items())
                settings = " with ".join(part for part in (algorithm.preset or "", given) if part)
                sentences.append(f"{_capital(algorithm.shown)}: settings {settings}.")
        sentences.append(
            "An architecture that is asked again is a query, but costs nothing. Cost: mean over searches after "
            f"{i.at[-1]:,} queries ({i.cost_unit}; 0: needs no training)."
        )
        return f"{' '.join(sentences)} Without the truth as fitness: {EMPHASIS_NOTE[0].lower()}{EMPHASIS_NOTE[1:]}"

    # --- figures ----------------------------------------------------------------------------------------

    def against_queries(self, figure: SearchFigure) -> Figure:
        """True accuracy of the best found against queries."""
        shown = {a.key: a.shown for a in self.item.algorithms}
        chosen = self.summary.filter(
            pl.col("algorithm").is_in(list(figure.algorithms)), pl.col("fitness").is_in(list(figure.fitnesses))
        )
        order = {name: k for k, name in enumerate((*figure.algorithms, *figure.fitnesses))}
        chosen = chosen.sort(
            pl.col("algorithm").replace_strict(order, return_dtype=pl.Int64),
            pl.col("fitness").replace_strict(order, return_dtype=pl.Int64),
            maintain_order=True,
        ).with_columns(pl.col("algorithm").replace(shown), pl.col("fitness").replace({TRUTH: TRUTH_SHOWN}))
        one = figure.algorithms[0] if len(figure.algorithms) == 1 else None
        subject = shown[one] if one else f"fitness: {figure.fitnesses[0].replace(TRUTH, TRUTH_SHOWN)}"
        target = f"{self.item.split} accuracy"
        return Figure(
            f"{self.item.name}-{figure.name}",
            f"{figure.caption or 'True accuracy of the best found, by queries.'} {_capital(subject)}; bands: 95 % "
            f"intervals of the mean over {self.item.seeds} searches.",
            lambda: plot_search(chosen, target=target, low=figure.low),
            search_frame(chosen),
        )

    def against_cost(self, figure: SearchFigure) -> Figure:
        """Expected true accuracy of the pick against cost."""
        curves = {curve.label: self._curve(curve) for curve in figure.curves}
        unit, target = self.item.cost_unit, f"{self.item.split} accuracy"

        def draw() -> Any:
            ax = plot_budget(curves, target=target, low=figure.low)
            ax.set_xlabel(unit)
            legend_beside(ax)
            return ax

        drawn = any(curve.filter for curve in figure.curves)
        caption = figure.caption or "What is expected of scoring architectures drawn at random and picking the best."
        bands = " Bands: 95 % intervals of the random samples of a filter; the other curves are exact." if drawn else ""
        return Figure(f"{self.item.name}-{figure.name}", f"{caption}{bands}", draw, budget_frame(curves))

    def _curve(self, curve: BudgetCurve) -> pl.DataFrame:
        n, second = len(self.known), self._whole(curve.fitness)
        if curve.filter is None:
            return budget_curve(second, self.known, n_scored=_spaced(n))
        kept = _spaced(max(1, int(curve.keep * n)))  # whole architectures: the filter lets 1, 2, ... through
        sizes = sorted({min(n, round(k / curve.keep)) for k in kept} | {n})
        rng = generator(self.seed, "search study", self.item.name, curve.label)
        return filtered_budget_curve(
            self._whole(curve.filter), second, self.known, rng, keep=curve.keep, n_scored=sizes, draws=curve.draws
        )

    def _whole(self, label: str) -> TableFitness:
        held: Mapping[str, TableFitness | SteppedTable] = self.fitnesses
        found = held[label]
        assert isinstance(found, TableFitness)  # checked with the item
        return found


def _spaced(most: int) -> list[int]:
    """About `_SIZES` whole numbers from 1 to `most`, evenly on a log scale."""
    return sorted({round(n) for n in np.geomspace(1, most, _SIZES).tolist()})


def _rungs(algorithm: AlgorithmItem, queries: int, archs: int) -> str:
    """What a successive halving asks, in words."""
    from inspect import signature

    from ...search import successive_halving

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
    return f"{_capital(algorithm.shown)} asks {said}{ended}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
