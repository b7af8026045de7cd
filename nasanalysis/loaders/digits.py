"""The embedded benchmark: NAS-Bench-201 cells really trained on scikit-learn's digits, by us."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ..core.frames import read_frame, read_provenance
from ..core.resources import shipped
from .benchmark import Benchmark


def load(data: Path | None = None) -> Benchmark:
    """The table inside the package (`data` is not looked at): no download, no torch."""
    return from_file(shipped("data/digits.parquet"))


def from_file(path: Path) -> Benchmark:
    """A table written by ``nasanalysis benchmark build digits``.

    TRUTH is the last epoch: ``test`` and ``valid`` accuracy in percent for each training seed, and
    their mean over seeds (seed null).
    """
    record = read_provenance(path)

    def curves() -> pl.LazyFrame:
        return read_frame(path, "CURVES").lazy()

    def truth() -> pl.LazyFrame:
        last = curves().filter(pl.col("step") == pl.col("schedule"))
        keys = ["benchmark", "dataset", "arch", "schedule"]
        runs = pl.concat(
            [
                last.select(
                    *keys, "seed", accuracy=pl.col(f"{split}_accuracy").cast(pl.Float64).round(4), split=pl.lit(split)
                )
                for split in ("test", "valid")
            ]
        )
        means = runs.group_by(*keys, "split", maintain_order=True).agg(pl.col("accuracy").mean())
        means = means.with_columns(seed=pl.lit(None, pl.Int64))
        order = [*keys[:3], "split", "schedule", "seed", "accuracy"]
        return pl.concat([runs.select(order), means.select(order)]).with_columns(origin=pl.lit("trained"))

    return Benchmark(
        name="digits",
        space="nb201",
        datasets=("digits",),
        inputs=(path,),
        read={"CURVES": curves, "TRUTH": truth},
        notes=(f"{record.get('uniform_archs', 0)} of the architectures are a uniform sample of the space",),
        metadata=record,
    )
