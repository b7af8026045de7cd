"""The truth of an item: which accuracy of a benchmark, of which architectures."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..core.errors import StudyError
from ..loaders import Benchmark
from .items import Sources


def read_truth(
    sources: Sources,
    benchmark: Benchmark,
    dataset: str,
    *,
    split: str,
    schedule: int | None,
    sample: str,
    asker: str,
    quantity: str | None = None,
    rows: pl.Expr | None = None,
    archs: Sequence[str] | None = None,
) -> pl.DataFrame:
    """TRUTH of one dataset and sample; `StudyError` in the name of `asker` where the benchmark has none such.

    Parameters
    ----------
    schedule: total epochs; None for every one recorded.
    quantity: which, where there are several; by default the accuracy, or the only one there is.
    sample: see `nasanalysis.loaders.samples.take_sample`. rows: which rows count, such as those of one seed; a random
        sample is drawn from what is left. archs: these alone are read, of a space that is large.
    """
    listed = sources.named_archs(sample, benchmark.space)
    named = listed if archs is None else list(archs)  # then nothing else need be read
    frame = benchmark.truth(dataset, split=split, schedule=schedule, quantity=quantity, archs=named)
    if quantity is None and "accuracy" in (several := set(frame["quantity"])) and len(several) > 1:
        frame = frame.filter(quantity="accuracy")
    if frame.is_empty():
        of = f"{benchmark.name}/{dataset}" if dataset else benchmark.name
        known = benchmark.truth(dataset).select("split", "schedule").unique().sort("split", "schedule").rows()
        there = ", ".join(f"{one}{_of(epochs)}" for one, epochs in known) or "nothing"
        raise StudyError(
            f"{asker}: {of} has no {split} {quantity or 'accuracy'}{_of(schedule)}; it has {there} (sample {sample!r})"
        )
    return sources.take_sample(frame if rows is None else frame.filter(rows), sample, benchmark)


def _of(schedule: int | None) -> str:
    return "" if schedule is None else f" of schedule {schedule}"
