"""A study: what is compared with what, read from TOML, run into tables, figures and provenance.

A study file is a title and a list of comparisons::

    title = "SoTL against validation accuracy"
    seed = 0                            # of every bootstrap
    bootstrap = 1000                    # resamples of the architectures

    [[compare]]
    name = "digits"                     # file stem of its tables and figures
    title = "Which proxy ranks best?"
    benchmark = "digits"
    datasets = ["digits"]               # default: all of the benchmark
    split = "test"                      # of the truth
    schedule = 12                       # total epochs of the truth
    sample = "uniform-live"             # see `SAMPLES`; default "all"
    proxies = ["params", "sotl", "val_acc"]
    statistics = ["spearman_rho", "kendall_tau", "topk_mean@10"]
    by_step = true                      # a figure of the first statistic against epochs
    scatter = ["params"]                # figures of score against truth

Other keys: ``scores_dataset`` (where curves were recorded on another dataset than the truth),
``scores_seed`` and ``truth_seed`` (scores of one training run against the truth of another), ``table``
(a table of `nasanalysis.studies.tables` in place of a comparison),
``rival`` (two proxies whose difference is followed step by step), ``reliability = true`` (how well the
truth repeats itself, and the ceiling that follows), ``text``, and ``[[compare.published]]`` entries
(``dataset``, ``proxy``, ``statistic``, ``value``, ``where``) that stand beside our figures.

Scores of live supernets are compared by ``[[supernet]]`` items: see `nasanalysis.studies.supernet.items`. Searches are
compared by ``[[search]]`` items: see `nasanalysis.studies.search.items`.
"""

from __future__ import annotations

import reprlib
import tomllib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .. import plots, stats
from ..core.errors import MissingDataError, StudyError, UnknownNameError
from ..core.provenance import provenance
from ..core.resources import shipped
from ..loaders import Benchmark, available, load_benchmark
from ..loaders.samples import SAMPLES, named_archs, sample_file, take_sample
from ..plots.style import proxy_label, statistic_label
from ..proxies import canonical, score
from ..report.model import Figure, Result, Section, Table
from ..report.tables import plain_table, reliability_text, statistics_table
from .search.items import SearchItem
from .search.section import search_inputs, search_section
from .supernet.items import SupernetItem
from .supernet.section import supernet_inputs, supernet_section
from .tables import make_table, table_inputs

#: Studies shipped with the package: name -> file.
STUDIES = {
    name: f"reports/{name}.toml" for name in ("digits", "nb201", "nb101", "darts", "supernets", "weights", "search")
}

#: Shipped study -> the benchmark whose files it is about; without them it is not run by default.
STUDY_NEEDS = {"nb201": "nb201", "nb101": "nb101", "darts": "darts-214", "supernets": "nb201", "weights": "nb201"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedFigure(_Model):
    """A figure somebody else published, as printed."""

    dataset: str
    proxy: str
    statistic: str
    value: str = Field(pattern=r"^[-+]?[0-9]*\.?[0-9]+$")
    where: str

    @field_validator("proxy")
    @classmethod
    def _one_name(cls, name: str) -> str:
        return canonical(name)


class Comparison(_Model):
    """One truth, one sample of architectures, several proxies (keys: see the module's docstring)."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    benchmark: str = ""
    table: str | None = None
    datasets: tuple[str, ...] | None = None
    scores_dataset: str | None = None
    scores_seed: int | None = None
    truth_seed: int | None = None
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    proxies: tuple[str, ...] = ()
    statistics: tuple[str, ...] = Field(default=("spearman_rho", "kendall_tau"), min_length=1)
    by_step: bool = False
    rival: tuple[str, str] | None = None
    scatter: tuple[str, ...] = ()
    reliability: bool = False
    text: str = ""
    published: tuple[PublishedFigure, ...] = ()

    @field_validator("proxies", "rival", "scatter")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(canonical(name) for name in names)

    @model_validator(mode="after")
    def _draws_what_it_scores(self) -> Self:
        for key, names in (("rival", self.rival or ()), ("scatter", self.scatter)):
            if lost := [name for name in names if name not in self.proxies]:
                raise ValueError(f"{key}: {lost[0]!r} is not among the proxies ({', '.join(self.proxies)})")
        return self


class Study(_Model):
    """What is compared with what. `run` is a pure function of the study and the data."""

    name: str
    title: str
    description: str = ""
    seed: int = Field(default=0, ge=0)
    bootstrap: int = Field(default=1000, ge=0)
    compare: tuple[Comparison, ...] = ()
    supernet: tuple[SupernetItem, ...] = ()
    search: tuple[SearchItem, ...] = ()

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.compare and not self.supernet and not self.search:
            raise ValueError("expected at least one [[compare]], [[supernet]] or [[search]], got none")
        return self

    @classmethod
    def load(cls, name_or_path: str | Path) -> Study:
        """A shipped study by name (`STUDIES`), or a TOML file; `StudyError` says what is wrong in it."""
        text = str(name_or_path)
        if text in STUDIES:
            path = shipped(STUDIES[text])
        elif Path(text).suffix == ".toml":
            path = Path(text)
        else:
            raise UnknownNameError("study", text, [*STUDIES, "FILE.toml"])
        try:
            keys = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StudyError(f"{path}: expected a study file, found nothing there") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StudyError(f"{path}: expected TOML, got {error}") from error
        try:
            study = cls.model_validate({"name": path.stem, **keys})
        except ValidationError as error:
            lines = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']} (got {reprlib.repr(e['input'])})"
                for e in error.errors()[:5]
            )
            raise StudyError(f"{path}: {lines}") from error
        names = [c.name for c in study.compare]
        names += [item.name for item in study.supernet] + [item.name for item in study.search]
        if len(set(names)) < len(names):
            raise StudyError(f"{path}: two comparisons share a name; got {', '.join(names)}")
        return study

    def run(self, data: Path | str | None = None, *, say: Callable[[str], None] = lambda _: None) -> Result:
        """Run every comparison whose data is here; `Result.skipped` says which could not run and why."""
        sections, skipped, inputs, notes = [], [], {}, {}
        for comparison in self.compare:
            say(f"{self.name}: {comparison.title}")
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", stats.MismatchWarning)
                    sections.append(self._section(comparison, data))
                for warning in caught:
                    say(f"note: {warning.message}")
            except MissingDataError as error:
                skipped.append(f"{comparison.title}: not run here. {error}")
                continue
            if comparison.benchmark:
                benchmark = load_benchmark(comparison.benchmark, data)
                inputs.update(dict.fromkeys(benchmark.inputs))
                if sample := sample_file(comparison.sample, benchmark=benchmark, data=data):
                    inputs[sample] = None
                notes[benchmark.name] = [*benchmark.notes]
            if comparison.table:
                inputs.update(dict.fromkeys(table_inputs(comparison.table, data)))
        for item in self.supernet:
            say(f"{self.name}: {item.title}")
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", stats.MismatchWarning)
                    sections.append(supernet_section(item, data, n_boot=self.bootstrap, seed=self.seed))
                for text in dict.fromkeys(str(warning.message) for warning in caught):
                    say(f"note: {text}")
            except MissingDataError as error:
                skipped.append(f"{item.title}: not run here. {error}")
                continue
            inputs.update(dict.fromkeys(supernet_inputs(item, data)))
            if item.benchmark:
                benchmark = load_benchmark(item.benchmark, data)
                notes[benchmark.name] = [*benchmark.notes]
        for searched in self.search:
            say(f"{self.name}: {searched.title}")
            try:
                sections.append(search_section(searched, data, n_boot=self.bootstrap, seed=self.seed))
            except MissingDataError as error:
                skipped.append(f"{searched.title}: not run here. {error}")
                continue
            inputs.update(dict.fromkeys(search_inputs(searched, data)))
            benchmark = load_benchmark(searched.benchmark, data)
            notes[benchmark.name] = [*benchmark.notes]
        record = provenance(seeds={"bootstrap": self.seed}, inputs=inputs, config=self.model_dump(mode="json"))
        record["notes"] = notes
        return Result(self.name, self.title, self.description, tuple(sections), record, tuple(skipped))

    def _section(self, comparison: Comparison, data: Path | str | None) -> Section:
        if comparison.table is not None:
            table = make_table(comparison.table, data, self.bootstrap, self.seed)
            return Section(comparison.title, comparison.text, (table,))
        return _Run(self, comparison, load_benchmark(comparison.benchmark, data), data).section()


@dataclass(frozen=True)
class _Run:
    """One comparison with its benchmark at hand."""

    study: Study
    comparison: Comparison
    benchmark: Benchmark
    data: Path | str | None

    def section(self) -> Section:
        c = self.comparison
        datasets = c.datasets or self.benchmark.datasets
        truths = [(d, self._truth(d)) for d in datasets]
        truth = pl.concat([frame for _, frame in truths])
        tables: list[Table] = []
        figures: list[Figure] = []
        if c.proxies:
            scores = pl.concat([self._scores(d) for d in datasets])
            by_step = stats.correlate(
                truth,
                scores,
                statistics=c.statistics,
                n_boot=self.study.bootstrap,
                seed=self.study.seed,
                sample_name=c.sample,
            )
            last = by_step.filter(
                pl.col("step").is_null()
                | (pl.col("step") == pl.col("step").max().over("dataset", "proxy", "setting", "method"))
            )
            order = {name: i for i, name in enumerate(c.proxies)}
            last = last.sort(
                pl.col("dataset").replace_strict({d: i for i, d in enumerate(datasets)}, return_dtype=pl.Int64),
                pl.col("proxy").replace_strict(order, return_dtype=pl.Int64),
                maintain_order=True,
            )
            tables.append(statistics_table(c.name, c.title, last, self._published(), self._note(last)))
            if c.rival:
                tables.append(self._rivals(truth, scores))
            if c.by_step:
                figures += [self._steps_figure(by_step, d) for d in datasets]
            for proxy in c.scatter:
                figures += [self._scatter_figure(t, scores, d, proxy) for d, t in truths]
        if c.reliability:
            seeds = pl.concat([self._truth(d, runs=True) for d in datasets])
            table = stats.reliability_table(seeds, n_boot=self.study.bootstrap, seed=self.study.seed)
            tables.append(
                reliability_text(f"{c.name}-reliability", "How well the truth repeats itself", table, _RELIABILITY_NOTE)
            )
        return Section(c.title, c.text, tuple(tables), tuple(figures))

    def _truth(self, dataset: str, *, runs: bool = False) -> pl.DataFrame:
        c = self.comparison
        frame = self.benchmark.truth(dataset, split=c.split, schedule=c.schedule, archs=self._archs())
        if frame.is_empty():
            known = self.benchmark.truth(dataset).select("split", "schedule").unique().sort("split", "schedule").rows()
            raise StudyError(
                f"{self.study.name}: {self.benchmark.name}/{dataset} has no {c.split} accuracy of schedule "
                f"{c.schedule}; it has {known}"
            )
        if runs:
            frame = frame.filter(pl.col("seed").is_not_null())
        elif c.truth_seed is not None:
            frame = frame.filter(pl.col("seed") == c.truth_seed)
        return take_sample(frame, c.sample, benchmark=self.benchmark, data=self.data)

    def _archs(self) -> list[str] | None:
        """The sample where it is a list: then nothing else need be read."""
        return named_archs(self.comparison.sample, benchmark=self.benchmark, data=self.data)

    def _scores(self, dataset: str) -> pl.DataFrame:
        c = self.comparison
        source = c.scores_dataset or dataset
        frame = score(self.benchmark, c.proxies, dataset=source, archs=self._archs())
        if c.scores_seed is not None:
            frame = frame.filter(pl.col("seed").is_null() | (pl.col("seed") == c.scores_seed))
        frame = take_sample(frame, c.sample, benchmark=self.benchmark, data=self.data)
        if source != dataset:
            frame = frame.with_columns(
                dataset=pl.lit(dataset), setting=pl.lit(f"scored on {source};") + pl.col("setting")
            )
        return frame

    def _published(self) -> dict[tuple[str, str, str], tuple[str, str]]:
        return {(p.dataset, p.proxy, p.statistic): (p.value, p.where) for p in self.comparison.published}

    def _note(self, last: pl.DataFrame) -> str:
        c = self.comparison
        epochs = f" after {c.schedule} epochs" if c.schedule else ""
        seeds = ", ".join(sorted(set(last["truth_seeds"].drop_nulls())))
        sentences = [
            f"Truth: {c.split} accuracy{epochs} ({seeds}).",
            f"Architectures: {SAMPLES.get(c.sample, c.sample)}.",
            "Scores that are better when lower are turned round first.",
        ]
        intervals = sorted({text for text in last["interval"].drop_nulls() if "halves" not in text})
        if intervals:
            draws = f"{self.study.bootstrap:,} draws, seed {self.study.seed}"
            sentences.append(f"Brackets: 95 % intervals, {'; '.join(intervals)} ({draws}).")
        if c.published:
            sentences.append(f"Published: {'; '.join(sorted({p.where for p in c.published}))}.")
        return " ".join(sentences)

    def _steps_figure(self, by_step: pl.DataFrame, dataset: str) -> Figure:
        c = self.comparison
        rank = {name: i for i, name in enumerate(c.proxies)}
        frame = by_step.filter(pl.col("dataset") == dataset)
        frame = frame.sort(pl.col("proxy").replace_strict(rank, return_dtype=pl.Int64), maintain_order=True)
        n = int(frame["n_archs"].to_numpy().max())
        caption = f"{c.title}: {dataset}, {n:,} architectures; bands are 95 % intervals."
        return Figure(
            f"{c.name}-{dataset}-by-step".lower(),
            caption,
            lambda: plots.plot_correlation_by_step(frame, c.statistics[0]),
            frame.filter(pl.col("statistic") == c.statistics[0]),
        )

    def _scatter_figure(self, truth: pl.DataFrame, scores: pl.DataFrame, dataset: str, proxy: str) -> Figure:
        chosen = scores.filter(pl.col("proxy") == proxy, pl.col("dataset") == dataset)
        chosen = chosen.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max()))
        pairs = plots.score_against_truth(truth, chosen)
        target = f"{self.comparison.split} accuracy on {dataset}"
        return Figure(
            f"{self.comparison.name}-{dataset}-{proxy}-scatter".lower().replace("@", "-"),
            f"{proxy} against {target}, one point for each of {len(pairs):,} architectures.",
            lambda: plots.plot_scatter(pairs, proxy=proxy, target=target),
            pairs,
        )

    def _rivals(self, truth: pl.DataFrame, scores: pl.DataFrame) -> Table:
        assert self.comparison.rival is not None
        first, second = self.comparison.rival
        frame = stats.difference_by_step(
            truth,
            scores,
            first,
            second,
            statistic=self.comparison.statistics[0],
            n_boot=self.study.bootstrap,
            seed=self.study.seed,
        )
        labels = {name: proxy_label(name) for name in (first, second)}
        header = ["step", labels[first], labels[second], "difference", "low", "high", "ahead"]
        shown = frame.select("step", "first", "second", "difference", "ci_low", "ci_high", "ahead")
        shown = shown.with_columns(pl.col("ahead").replace(labels))
        return plain_table(
            f"{self.comparison.name}-rivals",
            f"{statistic_label(self.comparison.statistics[0])}: {labels[first]} against {labels[second]}, step by step",
            shown,
            header,
            ["d", ".3f", ".3f", "+.3f", "+.3f", "+.3f", "s"],
            "Difference on the same architectures with its 95 % paired bootstrap interval; 'neither' where the "
            "interval holds zero."
            + (" Some steps are shown, all are in the CSV file." if len(shown) > MOST_ROWS else ""),
            rows=_some(len(shown)),
        )


#: A table of steps shows at most this many of them; its CSV file holds all.
MOST_ROWS = 20


def _some(n: int) -> list[int]:
    """All rows of a short table; of a long one about `MOST_ROWS`, evenly spaced in the logarithm."""
    if n <= MOST_ROWS:
        return list(range(n))
    return sorted({round(n ** (i / (MOST_ROWS - 1))) - 1 for i in range(MOST_ROWS)})


_RELIABILITY_NOTE = (
    "Reliability: rank correlation (Spearman) of the accuracies of two training runs of the same architectures, "
    "over architectures chosen by their mean. Ceiling: the highest correlation any proxy can reach in expectation "
    "with the mean over runs, the square root of that mean's reliability (Spearman and Brown)."
)


def default_studies(data: Path | str | None = None) -> list[str]:
    """The studies that ``nasanalysis report`` runs without names: digits, and those whose files are here."""
    here = available(tuple(STUDY_NEEDS.values()), data)
    return [name for name in STUDIES if name not in STUDY_NEEDS or STUDY_NEEDS[name] in here]


__all__ = ["STUDIES", "Comparison", "PublishedFigure", "Study", "default_studies"]
