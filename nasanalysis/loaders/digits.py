"""The embedded benchmark: NAS-Bench-201 cells really trained on scikit-learn's digits, by us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ..core.frames import read_frame, read_provenance
from ..core.means import common_denominator, exact_means
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
        return truth_of_curves(curves())

    return Benchmark(
        name="digits",
        space="nb201",
        datasets=("digits",),
        inputs=(path,),
        read={"CURVES": curves, "TRUTH": truth},
        notes=(f"{record.get('uniform_archs', 0)} of the architectures are a uniform sample of the space",),
        metadata=record,
    )


def truth_of_curves(curves: pl.LazyFrame) -> pl.LazyFrame:
    """TRUTH of the last epoch of CURVES: test and valid accuracy of each seed, and their mean (seed null)."""
    last = curves.filter(pl.col("step") == pl.col("schedule")).collect()
    runs = pl.concat([_final(last, split) for split in ("test", "valid")])
    means = exact_means(runs, [c for c in runs.columns if c not in ("seed", "accuracy")], "accuracy")
    means = means.with_columns(seed=pl.lit(None, pl.Int64)).select(runs.columns)
    return pl.concat([runs, means]).with_columns(origin=pl.lit("trained")).lazy()


def _final(last: pl.DataFrame, split: str) -> pl.DataFrame:
    """TRUTH of each training: so many of so many images, as a file of 32 bits recorded it, in full precision."""
    recorded = last[f"{split}_accuracy"].cast(pl.Float64).to_numpy()
    images = common_denominator(recorded[np.isfinite(recorded)], np.float32)
    # numpy divides; polars multiplies by the inverse, which is not the nearest number to so many of so many images
    exact = recorded.round(4) if images is None else np.rint(recorded * images) / images
    return last.select(
        "benchmark",
        "dataset",
        "arch",
        pl.lit(split).alias("split"),
        "schedule",
        "seed",
        pl.Series("accuracy", exact).fill_nan(None),
    )
