"""TRACE files of searches: those of today, and those that version 0.1 wrote."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ..core.frames import check, read_frame


def read_search_trace(path: Path | str) -> pl.DataFrame:
    """TRACE of searches, with the name of the fitness in ``setting``, and ``part`` and ``search_seed`` of each."""
    return columns_of_0_1(read_frame(path, "TRACE"))


def columns_of_0_1(trace: pl.DataFrame) -> pl.DataFrame:
    """A trace as 0.1 wrote it, facts in columns: ``fitness=NAME;PART`` became setting and part, seed search_seed.

    Rows of today pass unchanged.
    """
    old = pl.col("setting").str.starts_with("fitness=") & pl.col("part").is_null() & pl.col("search_seed").is_null()
    words = pl.col("setting").str.strip_prefix("fitness=").str.splitn(";", 2)
    facts = {
        "setting": words.struct[0],
        "part": words.struct[1],
        "search_seed": pl.col("seed"),
        "seed": pl.lit(None, pl.Int64),
    }
    columns = [pl.when(old).then(value).otherwise(pl.col(name)).alias(name) for name, value in facts.items()]
    return check(trace.with_columns(columns), "TRACE")
