"""What the searches of a ``[[search]]`` item ask: fitnesses as tables, on the architectures that all of them know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ...core.errors import StudyError
from ...core.frames import Quantity, truth_quantity
from ...core.schemas import ACCURACY
from ...loaders import Benchmark
from ...search import Combined, Part, SteppedTable, TableFitness, seconds_of
from ...search.table import Seconds
from ..items import Sources
from ..own_scores import scores_of
from ..truth import read_truth
from .fitness_items import TRUTH, Cost, FitnessItem
from .items import SearchItem


@dataclass(frozen=True)
class Searched:
    """One item with its benchmark and its truth (TRUTH, one row for each architecture) at hand."""

    item: SearchItem
    benchmark: Benchmark
    truth: pl.DataFrame
    own: pl.DataFrame | None = None

    @cached_property
    def quantity(self) -> Quantity:
        """What the truth is: accuracy in percent, or another quantity with its unit and direction."""
        return truth_quantity(self.truth)

    @cached_property
    def known(self) -> dict[str, float]:
        """Truth of the architectures that every fitness knows, in the truth's order; negated where less is better."""
        scored = [set(fitness.archs) for fitness in self._read.values()]
        pairs = self.truth.select("arch", pl.col(self.quantity.column) * self.quantity.direction).iter_rows()
        known = {arch: value for arch, value in pairs if all(arch in archs for archs in scored)}
        if len(known) < 2:
            raise StudyError(
                f"{self.item.name}: expected architectures that have a truth and every fitness, got {len(known)}"
            )
        return known

    @cached_property
    def _read(self) -> dict[str, TableFitness | SteppedTable]:
        """Label -> fitness on all architectures that it knows; sums are made later."""
        read: dict[str, TableFitness | SteppedTable] = {}
        for fitness in self.item.fitnesses:
            if fitness.stepped:
                read[fitness.label] = self._stepped(fitness)
            elif fitness.terms:
                for term in fitness.terms:
                    read[f"{fitness.label}: {term.proxy}"] = self._scored(fitness, term.proxy)
            else:
                read[fitness.label] = self._scored(fitness, fitness.proxy)
        return read

    @cached_property
    def fitnesses(self) -> dict[str, TableFitness | SteppedTable]:
        """Label -> fitness, and the truth under its own label; tables hold the searched architectures only."""
        fitnesses: dict[str, TableFitness | SteppedTable] = {}
        for fitness in self.item.fitnesses:
            if fitness.terms:
                fitnesses[fitness.label] = self._sum(fitness)
            else:
                read = self._read[fitness.label]
                fitnesses[fitness.label] = read.restricted(self.known) if isinstance(read, TableFitness) else read
        fitnesses[TRUTH] = TableFitness(TRUTH, self.benchmark.space, self.known)
        return fitnesses

    def whole(self, label: str) -> TableFitness:
        """A fitness that is not stepped."""
        fitness = self.fitnesses[label]
        assert isinstance(fitness, TableFitness)  # checked with the item
        return fitness

    def _scored(self, fitness: FitnessItem, proxy: str) -> TableFitness:
        dataset = fitness.dataset or self.item.dataset
        if not proxy:
            frame = self.benchmark.truth(dataset, split=fitness.accuracy, schedule=fitness.schedule)
            cost = self._seconds(fitness)
            return TableFitness.from_truth(frame, seed=fitness.seed, seconds=cost, name=fitness.label)
        how = {"step": fitness.step, "schedule": fitness.schedule}
        frame = scores_of(self.benchmark, self.own, proxy, dataset=dataset, **how)
        stepped = fitness.step if frame["step"].is_not_null().any() else None
        if stepped is None and frame["step"].is_not_null().any():
            raise StudyError(f"{self.item.name}: fitness {fitness.label!r}: expected a step, {proxy} has several")
        seedless = fitness.terms and frame["seed"].is_null().all()  # a term such as params, beside one of a training
        return TableFitness.from_scores(
            frame,
            direction=fitness.pointing.sign if fitness.proxy else None,  # of a term: its proxy's own
            method=fitness.method,
            setting=fitness.setting,
            seed=None if seedless else fitness.seed,
            seconds=self._seconds(fitness),
            name=fitness.label,
        )

    def _stepped(self, fitness: FitnessItem) -> SteppedTable:
        dataset = fitness.dataset or self.item.dataset
        frame = scores_of(self.benchmark, self.own, fitness.proxy, dataset=dataset, schedule=fitness.schedule)
        return SteppedTable.from_scores(
            frame,
            direction=fitness.pointing.sign,
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
            of_term = self._read[f"{fitness.label}: {term.proxy}"]
            assert isinstance(of_term, TableFitness)
            of_term = of_term.restricted(archs)
            reference = of_term(archs).values if term.rule in ("z", "rank") else None
            parts.append(Part(of_term, term.weight, term.rule, term.sigma_1, reference))
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
            seconds = seconds_of(frame, cost.proxy, setting=cost.setting)
        else:
            frame = self.benchmark.curves(dataset, schedule=cost.schedule or fitness.schedule)
            frame = frame.filter(pl.col("step").is_between(1, cost.epochs)).drop_nulls("seconds")
            if frame.is_empty():
                raise StudyError(f"{self.item.name}: cost of {fitness.label!r}: no seconds recorded on {dataset}")
            each = frame.group_by("arch").agg(pl.col("seconds").cast(pl.Float64).mean() * cost.epochs)
            seconds = dict(each.iter_rows())
        share = cost.times / (cost.epochs or 1 if each_step else 1)
        return {arch: share * cost_of_one for arch, cost_of_one in seconds.items()}


def truth_of(item: SearchItem, sources: Sources, benchmark: Benchmark) -> pl.DataFrame:
    """TRUTH, one row for each architecture: its mean over seeds, or the training that `truth_seed` names."""
    frame = read_truth(
        sources,
        benchmark,
        item.dataset,
        split=item.split,
        schedule=item.schedule,
        sample=item.sample,
        asker=item.name,
        quantity=item.quantity,
    )
    quantity = truth_quantity(frame)
    if item.traces and quantity.name != ACCURACY:
        raise StudyError(f"{item.name}: expected a truth in accuracies for live searches, got {quantity.label}")
    oriented = TableFitness.from_truth(frame, seed=item.truth_seed).values
    values = pl.col("arch").replace_strict(oriented, return_dtype=pl.Float64) * quantity.direction
    return (
        frame.unique("arch", maintain_order=True)
        .with_columns(values.alias(quantity.column), seed=pl.lit(item.truth_seed, pl.Int64))
        .filter(pl.col(quantity.column).is_not_nan())
    )
