"""What a ``[[supernet]]`` item reads: kept files, scores with what is computed from them, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Literal

import polars as pl
from scipy.stats import rankdata

from ... import stats
from ...core.errors import MissingDataError, StudyError, UnknownNameError
from ...core.frames import read_frame
from ...core.resources import shipped
from ...loaders import Benchmark, load_benchmark
from ...loaders.samples import named_archs, take_sample
from ...proxies import needs_of, score, score_noise
from .items import Arm, SupernetItem

_FILES = "reports/results"
#: Columns that tell arms apart.
ARM = ["method", "setting"]


def kept_file(name: str) -> Path:
    """A file by its path, or by the name under which the package keeps it; `MissingDataError` where it is neither."""
    if Path(name).is_file():
        return Path(name)
    if Path(name).name == name:
        try:
            return shipped(f"{_FILES}/{name}")
        except MissingDataError:
            pass
    raise MissingDataError(
        f"{name}: expected a Parquet file that `nasanalysis supernet` wrote, found nothing there; "
        "run it with a configuration of reports/configs first, or correct the path"
    )


@dataclass(frozen=True)
class ItemFrames:
    """One item with its benchmark at hand: scores, losses and truth under the same names."""

    item: SupernetItem
    benchmark: Benchmark
    data: Path | str | None
    n_boot: int
    seed: int

    # --- frames -----------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> pl.DataFrame:
        """SCORES of all arms and no others, named after the truth so that the two meet."""
        frames = [read_frame(kept_file(name), "SCORES") for name in self.item.scores]
        held = pl.concat([*frames, *self._of_noise()]).drop_nulls("value")
        for arm in self.item.arms:
            if self.of(held, arm).is_empty():
                there = [f"{m} in {s}" for m, s in held.select(ARM).unique().sort(ARM).iter_rows()]
                raise UnknownNameError("supernet of these scores", f"{arm.protocol} in {arm.part}", there)
        wanted = pl.DataFrame(
            [(a.protocol, a.part) for a in self.item.arms], schema=dict.fromkeys(ARM, pl.String()), orient="row"
        )
        held = held.join(wanted.unique(), on=ARM, how="semi")
        if self.item.sample != "all":
            held = held.filter(pl.col("arch").is_in(self.truth["arch"].unique().to_list()))
        held = held.with_columns(benchmark=pl.lit(self.benchmark.name), dataset=pl.lit(self.item.dataset))
        return pl.concat([held, *self._sums(held)])

    @cached_property
    def perturbed(self) -> pl.DataFrame:
        """PERTURBED of all files, named after the truth."""
        held = pl.concat([read_frame(kept_file(name), "PERTURBED") for name in self.item.perturbed])
        return held.with_columns(benchmark=pl.lit(self.benchmark.name), dataset=pl.lit(self.item.dataset))

    def _of_noise(self) -> list[pl.DataFrame]:
        """SCORES of the readings that are computed from losses under noise."""
        if not self.item.perturbed:
            return []
        named = dict.fromkeys(n for reading in self.item.readings for n in reading.read if needs_of(n) == "perturbed")
        made = []
        for rows in (self.of(self.perturbed, arm) for arm in self.item.arms):
            kinds = rows.select("position", "direction", "draws").unique().to_dicts()
            for name, kind in product(named, kinds):  # a part has one kind of noise
                made.append(score_noise(name, rows, **kind))
        return made

    def _sums(self, held: pl.DataFrame) -> list[pl.DataFrame]:
        """SCORES of the readings that are weighted sums, under their labels."""
        return [
            stats.combine(
                self.of(held, arm), [stats.Term(**term.model_dump()) for term in reading.terms], reading.label
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
            found = self._truth(load_benchmark(self.item.second_truth, self.data))
        except MissingDataError:
            return None
        return found.with_columns(benchmark=pl.lit(self.benchmark.name))

    def _truth(self, benchmark: Benchmark) -> pl.DataFrame:
        i = self.item
        named = named_archs(i.sample, benchmark=benchmark, data=self.data)
        frame = benchmark.truth(i.dataset, split=i.split, schedule=i.schedule, archs=named)
        if frame.is_empty():
            raise StudyError(
                f"{i.name}: {benchmark.name}/{i.dataset} has no {i.split} accuracy of schedule {i.schedule} for "
                f"sample {i.sample!r}"
            )
        return take_sample(frame, i.sample, benchmark=benchmark, data=self.data)

    @cached_property
    def params(self) -> pl.DataFrame:
        archs = self.truth["arch"].unique(maintain_order=True).to_list()
        return score(self.benchmark, "params", dataset=self.item.dataset, archs=archs)

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
        n_boot = self.n_boot if measure.interval == "bootstrap" else 0
        made: list[pl.DataFrame] = [
            stats.correlate_seeds(
                truth, rows, statistics=(statistic,), over=resampling(rows), n_boot=n_boot, seed=self.seed
            )
            for rows in scores.partition_by(ARM, maintain_order=True)
        ]
        return pl.concat(made)


def resampling(rows: pl.DataFrame) -> Literal["nested", "archs"]:
    """Seeds are resampled where there are several."""
    return "nested" if rows["seed"].n_unique() > 1 else "archs"


def resampled(seeds: int) -> str:
    return "architectures and supernets" if seeds > 1 else "architectures"
