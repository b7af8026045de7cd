"""What a ``[[supernet]]`` item reads: kept files, scores with what is computed from them, and the truth beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Literal

import polars as pl
from scipy.stats import rankdata

from ... import stats
from ...core.errors import MissingDataError, StudyError, UnknownNameError
from ...core.frames import SCHEMAS
from ...loaders import Benchmark
from ...proxies import direction, needs_of, score, score_noise
from ..items import Resampling, Sources
from ..truth import read_truth
from .items import PARAMETERS, Arm, Reading, SupernetItem

#: Columns that tell arms apart.
ARM = ["method", "setting"]


@dataclass(frozen=True)
class ItemFrames:
    """One item with its benchmark at hand: scores, losses and truth under the same names."""

    item: SupernetItem
    sources: Sources
    benchmark: Benchmark
    resampling: Resampling

    # --- frames -----------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> pl.DataFrame:
        """SCORES of all arms and no others, named after the truth so that the two meet."""
        every = pl.concat(self._read()).drop_nulls("value")
        for arm in self.item.arms:
            if self.of(every, arm).is_empty():
                raise UnknownNameError("supernet of these scores", f"{arm.protocol} in {arm.part}", arms_of(every))
        wanted = pl.DataFrame(
            [(a.protocol, a.part) for a in self.item.arms], schema=dict.fromkeys(ARM, pl.String()), orient="row"
        )
        scores = every.join(wanted.unique(), on=ARM, how="semi")
        if self.item.sample != "all":
            scores = scores.filter(pl.col("arch").is_in(self.truth["arch"].unique().to_list()))
        scores = self._like_truth(scores)
        return pl.concat([scores, *self._sums(scores)])

    def _read(self) -> list[pl.DataFrame]:
        """SCORES of the files, and of the readings that losses under noise give."""
        return [self.sources.frame(self.item.scores, "SCORES"), *self._of_noise()]

    @cached_property
    def readings(self) -> pl.DataFrame:
        """The rows of `scores` that the item's readings are; `StudyError` where an arm lacks one."""
        every = [self._reading(reading, arm) for reading in self.item.readings for arm in self.item.arms]
        return pl.concat(every).unique(maintain_order=True)

    def _reading(self, reading: Reading, arm: Arm) -> pl.DataFrame:
        of_arm = self.of(self.scores, arm)
        of_proxy = of_arm.filter(pl.col("proxy") == reading.name)
        rows = of_proxy.filter(pl.col("step").eq_missing(reading.step))
        if of_proxy.is_empty():
            known = of_arm["proxy"].unique().sort()
            raise UnknownNameError(f"measure of {arm.protocol} in {arm.part}", reading.name, known)
        steps = ", ".join(map(str, of_proxy["step"].unique().sort()))
        if rows.is_empty() and reading.step is None:
            raise StudyError(f"{self.item.name}: {reading.name}: expected a step of {steps}, got none")
        if rows.is_empty():
            raise StudyError(
                f"{self.item.name}: {reading.name} of {arm.protocol} in {arm.part} is not read after "
                f"{reading.step} minibatches; it is after {steps}"
            )
        return rows

    @cached_property
    def perturbed(self) -> pl.DataFrame:
        """PERTURBED of all files, named after the truth."""
        return self._like_truth(self.sources.frame(self.item.perturbed, "PERTURBED"))

    @cached_property
    def losses(self) -> pl.DataFrame:
        """CURVES of all files, under their own names."""
        return self.sources.frame(self.item.losses, "CURVES")

    def _like_truth(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Scores of a small network are set against the truth of the published one: under its name."""
        return frame.with_columns(benchmark=pl.lit(self.benchmark.name), dataset=pl.lit(self.item.dataset))

    def _of_noise(self) -> list[pl.DataFrame]:
        """SCORES of the readings that are computed from losses under noise."""
        if not self.item.perturbed:
            return []
        named = dict.fromkeys(n for reading in self.item.readings for n in reading.read if needs_of(n) == "perturbed")
        scores = []
        for rows in (self.of(self.perturbed, arm) for arm in self.item.arms):
            kinds = rows.select("position", "direction", "draws").unique().to_dicts()
            for name, kind in product(named, kinds):  # a part has one kind of noise
                scores.append(score_noise(name, rows, **kind))
        return scores

    def _sums(self, scores: pl.DataFrame) -> list[pl.DataFrame]:
        """SCORES of the readings that are weighted sums, under their labels."""
        return [
            stats.combine(
                self.of(scores, arm), [stats.Term(**term.model_dump()) for term in reading.terms], reading.label
            ).drop_nulls("value")
            for reading in self.item.readings
            if reading.terms
            for arm in self.item.arms
        ]

    @staticmethod
    def of(frame: pl.DataFrame, arm: Arm) -> pl.DataFrame:
        return frame.filter(pl.col("method") == arm.protocol, pl.col("setting") == arm.part)

    @cached_property
    def truth(self) -> pl.DataFrame:
        return self._truth(self.benchmark)

    @cached_property
    def second(self) -> pl.DataFrame | None:
        """The second truth under the name of the first; None where none is asked for or its files are not here."""
        if self.item.second_truth is None:
            return None
        try:
            truth = self._truth(self.sources.benchmark(self.item.second_truth))
        except MissingDataError:
            return None
        return truth.with_columns(benchmark=pl.lit(self.benchmark.name))

    def _truth(self, benchmark: Benchmark) -> pl.DataFrame:
        i = self.item
        rows = None if i.truth_seed is None else pl.col("seed") == i.truth_seed
        return read_truth(
            self.sources,
            benchmark,
            i.dataset,
            split=i.split,
            schedule=i.schedule,
            sample=i.sample,
            asker=i.name,
            rows=rows,
        )

    @cached_property
    def params(self) -> pl.DataFrame:
        archs = self.truth["arch"].unique(maintain_order=True).to_list()
        return score(self.benchmark, "params", dataset=self.item.dataset, archs=archs)

    def labelled(self, arm: Arm) -> pl.DataFrame:
        """SCORES of one arm, a proxy for each reading, called by its label, without steps and turned so that higher is
        better; the parameter count is one more, the same for each seed."""
        if arm not in self._labelled:  # a page of claims asks for one arm dozens of times
            self._labelled[arm] = self._labels(arm)
        return self._labelled[arm]

    @cached_property
    def _labelled(self) -> dict[Arm, pl.DataFrame]:
        return {}

    def _labels(self, arm: Arm) -> pl.DataFrame:
        parts = [
            self._reading(reading, arm).with_columns(
                proxy=pl.lit(reading.label), value=direction(reading.name) * pl.col("value"), step=None, unit=None
            )
            for reading in self.item.readings
        ]
        seeds = parts[0].select("method", "setting", "seed").unique(maintain_order=True)
        params = self.params.drop("method", "setting", "seed").join(seeds, how="cross")
        columns = parts[0].columns
        every = [*parts, params.with_columns(proxy=pl.lit(PARAMETERS)).select(columns)]
        return pl.concat(part.cast(SCHEMAS["SCORES"].columns) for part in every)  # type: ignore[arg-type]

    @cached_property
    def params_as_truth(self) -> pl.DataFrame:
        """Ranks of the parameter count in place of the accuracy: rank correlations with it come out right."""
        ranks = 100 * rankdata(self.params["value"].to_numpy()) / len(self.params)
        return self.params.select(
            "benchmark",
            "dataset",
            "arch",
            split=pl.lit(self.item.split),
            schedule=pl.lit(self.item.schedule, pl.Int64),
            seed=pl.lit(None, pl.Int64),
            accuracy=pl.Series(ranks),
            origin=pl.lit("tabular"),
        )

    def seeded(self, truth: pl.DataFrame, scores: pl.DataFrame, statistic: str) -> pl.DataFrame:
        """STATS of `correlate_seeds`, with an interval where one is valid."""
        measure = stats.get_statistic(statistic)
        n_boot = self.resampling.n if measure.interval == "bootstrap" else 0
        parts: list[pl.DataFrame] = [
            stats.correlate_seeds(
                truth, rows, statistics=(statistic,), over=resampling_of(rows), n_boot=n_boot, seed=self.resampling.seed
            )
            for rows in scores.partition_by(ARM, maintain_order=True)
        ]
        return pl.concat(parts)


def arms_of(frame: pl.DataFrame) -> list[str]:
    """The arms that `frame` holds, in words."""
    return [f"{method} in {setting}" for method, setting in frame.select(ARM).unique().sort(ARM).iter_rows()]


def resampling_of(rows: pl.DataFrame) -> Literal["nested", "classes"]:
    """Seeds are resampled where there are several, beside architectures (by their classes)."""
    return "nested" if rows["seed"].n_unique() > 1 else "classes"


def resampled(intervals: Iterable[str | None]) -> str:
    """What the intervals (column ``interval``) resample, in words: ``functional classes and supernets``."""
    said = {text.partition(" over ")[2].partition(" (")[0] for text in intervals if text}
    return " or ".join(sorted(said)).replace("seeds", "supernets")
