"""The section of a ``[[compare]]`` item: its tables and figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ... import stats
from ...core.errors import StudyError
from ...core.frames import truth_quantity
from ...core.schemas import ACCURACY
from ...loaders import Benchmark
from ...loaders.samples import sample_label
from ...loaders.unnamed import STAND_IN
from ...proxies import direction_of
from ...report.model import Board, Figure, Section, Table
from ...report.published import by_cell
from ...report.tables import reliability_text, statistics_table
from ...spaces.capabilities import COSTS
from ...stats.direction_notes import key
from ...stats.infinite import RANKED_LAST
from ..boards import board, compared
from ..items import Resampling, Sources
from ..own_scores import DirectionWarning, own_scores, scores_of
from ..truth import read_truth
from .figures import scatter_figure, steps_figure
from .items import Comparison
from .rivals import rivals_table

_RELIABILITY_NOTE = (
    "Reliability: rank correlation (Spearman) of the accuracies of two training runs of the same architectures, "
    "the best part chosen by a run that is left out. Ceiling: the highest correlation any proxy can reach in "
    "expectation with the mean over runs, the square root of that mean's reliability (Spearman and Brown)."
)


def comparison_section(item: Comparison, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where the benchmark is not here."""
    dataset = item.datasets[0] if item.datasets and len(item.datasets) == 1 else None
    benchmark = sources.benchmark(item.benchmark, unit=item.unit, space=item.space, dataset=dataset)
    scores = own_scores(
        sources,
        item.scores,
        benchmark,
        asker=item.name,
        transfer=item.scores_dataset is not None,
        infinite=item.infinite,
        directions=dict(item.directions),
    )
    if scores is not None and not item.proxies:
        item = item.model_copy(update={"proxies": tuple(scores["proxy"].unique(maintain_order=True))})
    run = ComparisonRun(item, sources, benchmark, resampling, scores)
    tables: list[Table] = []
    figures: list[Figure] = []
    if item.proxies:
        tables, figures = run.tables(), run.figures()
    if item.reliability:
        tables.append(run.reliability())
    boards = tuple(run.boards()) if item.proxies else ()
    return Section(item.title, item.text, tuple(tables), tuple(figures), boards=boards)


@dataclass(frozen=True)
class ComparisonRun:
    """One comparison with its benchmark at hand."""

    item: Comparison
    sources: Sources
    benchmark: Benchmark
    resampling: Resampling
    own: pl.DataFrame | None = None

    # --- frames -----------------------------------------------------------------------------------------

    @property
    def datasets(self) -> tuple[str, ...]:
        return self.item.datasets or self.benchmark.datasets

    @cached_property
    def truths(self) -> dict[str, pl.DataFrame]:
        """Dataset -> TRUTH."""
        seed = self.item.truth_seed
        rows = None if seed is None else pl.col("seed") == seed
        return {dataset: self._truth(dataset, rows) for dataset in self.datasets}

    @cached_property
    def truth(self) -> pl.DataFrame:
        return pl.concat(self.truths.values())

    @cached_property
    def scores(self) -> pl.DataFrame:
        return pl.concat([one_kind(self._scores(dataset), self.item) for dataset in self.datasets])

    @cached_property
    def statistics(self) -> pl.DataFrame:
        """STATS of every step."""
        frame: pl.DataFrame = stats.correlate(
            self.truth,
            self.scores,
            statistics=self.item.statistics,
            n_boot=self.resampling.n,
            seed=self.resampling.seed,
            directions=dict(self.item.directions),
            sample_name=self.item.sample,
        )
        for note in stats.direction_notes(frame, self.scores, dict(self.item.directions), given=key):
            warnings.warn(note, DirectionWarning, stacklevel=2)
        return frame

    def _truth(self, dataset: str, rows: pl.Expr | None) -> pl.DataFrame:
        i = self.item
        return read_truth(
            self.sources,
            self.benchmark,
            dataset,
            split=i.split,
            schedule=i.schedule,
            sample=i.sample,
            asker=i.name,
            quantity=i.quantity,
            rows=rows,
        )

    def _scores(self, dataset: str) -> pl.DataFrame:
        i = self.item
        source = i.scores_dataset or dataset
        archs = self.sources.named_archs(i.sample, self.benchmark.space)
        frame = scores_of(self.benchmark, self.own, i.proxies, dataset=source, archs=archs)
        if i.scores_seed is not None:
            frame = frame.filter(pl.col("seed").is_null() | (pl.col("seed") == i.scores_seed))
        frame = self.sources.take_sample(frame, i.sample, self.benchmark)
        if source != dataset:
            frame = frame.with_columns(
                dataset=pl.lit(dataset), setting=pl.lit(f"scored on {source};") + pl.col("setting")
            )
        return frame

    # --- what is shown ----------------------------------------------------------------------------------

    def tables(self) -> list[Table]:
        """The statistics of the last step, and how two rivals differ step by step."""
        i = self.item
        last = _in_order(_last_step(self.statistics), self.datasets, i.proxies)
        standings = stats.beside_best(
            self.truth,
            _last_step(self.scores),
            i.statistics,
            directions=dict(i.directions),
            resampling=self.resampling,
        )
        tables = [statistics_table(i.name, i.title, last, by_cell(i.published), self._note(last), standings)]
        if i.rival:
            tables.append(rivals_table(i, self.truth, self.scores, self.resampling))
        return tables

    def figures(self) -> list[Figure]:
        figures = [steps_figure(self.item, self.statistics, d) for d in self.datasets] if self.item.by_step else []
        for i, proxy in enumerate(self.item.scatter):
            shown = None if i else self.benchmark  # one chart shows every proxy
            figures += [scatter_figure(self.item, t, self.scores, d, proxy, shown) for d, t in self.truths.items()]
        return figures

    def boards(self) -> Iterator[Board]:
        """The last step of every proxy beside the parameter count, for the leaderboard of the page."""
        i = self.item
        if truth_quantity(self.truth).name != ACCURACY:
            return
        for dataset in self.datasets:
            own = pl.col("dataset") == dataset
            scores = _last_step(self.scores.filter(own))
            frame = compared(self.truths[dataset], scores, self.resampling, dict(i.directions))
            if frame is not None:
                yield board(
                    frame,
                    benchmark=self.benchmark.name,
                    dataset=dataset,
                    split=i.split,
                    sample=i.sample,
                    schedule=i.schedule,
                    truth_seed=i.truth_seed,
                    scores_seed=i.scores_seed,
                )

    def reliability(self) -> Table:
        """How well the truth repeats itself: on all runs, whichever `truth_seed` is compared."""
        runs = pl.concat([self._truth(dataset, pl.col("seed").is_not_null()) for dataset in self.datasets])
        table = stats.reliability_table(runs, n_boot=self.resampling.n, seed=self.resampling.seed)
        name = f"{self.item.name}-reliability"
        return reliability_text(name, "How well the truth repeats itself", table, _RELIABILITY_NOTE)

    @property
    def _quantity(self) -> str:
        """The truth's quantity in words, with its unit where it is no accuracy."""
        quantity = truth_quantity(self.truth)
        if quantity.name == ACCURACY:
            return quantity.name
        return f"{quantity.label}, {'more' if quantity.direction > 0 else 'less'} is better"

    def _note(self, last: pl.DataFrame) -> str:
        i = self.item
        epochs = f" after {i.schedule} epochs" if i.schedule else ""
        seeds = ", ".join(sorted(set(last["truth_seeds"].drop_nulls())))
        sentences = [
            f"Truth: {i.split} {self._quantity}{epochs} ({seeds}).",
            f"Architectures: {sample_label(i.sample)}.",
            "Scores that are better when lower are turned round first.",
        ]
        doubtful = last.filter(pl.col("direction_source") != "ours").unique("proxy", maintain_order=True)
        if not doubtful.is_empty():
            named = (f"{name} {direction_of(name, dict(i.directions))}" for name in doubtful["proxy"])
            sentences.append(f"Better: {', '.join(named)}.")
        if (
            last_ones := last.filter(pl.col("setting").str.contains(RANKED_LAST, literal=True))["proxy"]
            .unique()
            .sort()
            .to_list()
        ):
            sentences.append(f"{', '.join(last_ones)}: {RANKED_LAST}.")
        costs = [*i.proxies, *(name.partition("@")[2] for name in i.statistics)]
        if "" in self.datasets and any(name in COSTS for name in costs):
            sentences.append(f"Parameters and FLOPs as for {STAND_IN}: the truth names no data set.")
        intervals = sorted({text for text in last["interval"].drop_nulls() if "halves" not in text})
        if intervals:
            draws = f"{self.resampling.n:,} draws, seed {self.resampling.seed}"
            sentences.append(f"Brackets: 95 % intervals, {'; '.join(intervals)} ({draws}).")
        if i.published:
            sentences.append(f"Published: {'; '.join(sorted({figure.where for figure in i.published}))}.")
        return " ".join(sentences)


def one_kind(scores: pl.DataFrame, item: Comparison) -> pl.DataFrame:
    """One method and one setting of each proxy: a table has one row for it. `StudyError` where one must be chosen."""
    for column, wanted in (("method", item.method), ("setting", item.setting)):
        several = pl.col(column).n_unique().over("proxy") > 1
        scores = scores if wanted is None else scores.filter((pl.col(column) == wanted) | ~several)
        if not (clash := scores.filter(several)).is_empty():
            name = clash["proxy"][0]
            known = ", ".join(map(repr, clash.filter(proxy=name)[column].unique().sort()))
            raise StudyError(
                f"{item.name}: {name!r} stands under several {column}s; say one as {column} = ..., of {known}"
            )
    return scores


def _last_step(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows without steps, and of those that have some the last of each kind of score."""
    last = pl.col("step").max().over("dataset", "proxy", "setting", "method")
    return frame.filter(pl.col("step").is_null() | (pl.col("step") == last))


def _in_order(frame: pl.DataFrame, datasets: Sequence[str], proxies: Sequence[str]) -> pl.DataFrame:
    """As the study file lists them."""
    places = {"dataset": datasets, "proxy": proxies}
    orders = [
        pl.col(column).replace_strict({name: k for k, name in enumerate(names)}, return_dtype=pl.Int64)
        for column, names in places.items()
    ]
    return frame.sort(*orders, maintain_order=True)
