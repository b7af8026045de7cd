"""Which rows of scores an item means, where a proxy stands under several settings or steps."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..core.errors import StudyError
from ..loaders import Benchmark


def the_dataset(asker: str, dataset: str | None, benchmark: Benchmark) -> str:
    """`dataset`, or the only one of the benchmark; `StudyError` in the name of `asker` where there are several."""
    if dataset is None and len(benchmark.datasets) > 1:
        raise StudyError(f"{asker}: expected dataset, one of {', '.join(benchmark.datasets)}, got none")
    return dataset or benchmark.datasets[0]


def of_setting(scores: pl.DataFrame, setting: str | None) -> pl.DataFrame:
    """Rows of `setting` of the proxies that stand under several settings; None for all."""
    if setting is None:
        return scores
    several = pl.col("setting").n_unique().over("proxy") > 1
    return scores.filter((pl.col("setting") == setting) | ~several)


def at_steps(scores: pl.DataFrame, steps: Sequence[int] | None) -> pl.DataFrame:
    """Rows at `steps`, by default the last of each proxy; those without steps stay."""
    step = pl.col("step")
    wanted = step == step.max().over("proxy") if steps is None else step.is_in(list(steps))
    return scores.filter(step.is_null() | wanted)
