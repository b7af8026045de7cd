"""Traces of searches: facts are columns, and files of 0.1 read as what they said."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nasanalysis.core.frames import SCHEMAS, check, read_frame, write_frame
from nasanalysis.core.resources import shipped
from nasanalysis.search.traces import columns_of_0_1, read_search_trace

SUM = "angle + 16 flatness@alpha=0,sigmas=0.1/0.2"
ROW = {
    "benchmark": "live-nb201",
    "dataset": "digits",
    "method": "spos_evolution",
    "epoch": 1,
    "quantity": "best_arch",
    "value": None,
    "text": "nb201:x",
}


@pytest.mark.parametrize(
    ("setting", "fitness", "part"),
    [
        ("fitness=angle;both", "angle", "both"),
        (f"fitness={SUM};angle-flat", SUM, "angle-flat"),
        ("fitness=truth", "truth", None),
        ("fitness=truth;x=1", "truth", "x=1"),
    ],
)  # fmt: skip
def test_a_file_of_0_1_reads_as_columns(setting: str, fitness: str, part: str | None, tmp_path: Path) -> None:
    old = pl.DataFrame({**ROW, "setting": setting, "seed": [3]}, schema_overrides={"value": pl.Float64})
    path = write_frame(old, tmp_path / "trace.parquet")
    read = read_search_trace(path)
    assert list(read.columns) == list(SCHEMAS["TRACE"].columns)
    named = read.row(0, named=True)
    assert (named["setting"], named["part"], named["search_seed"], named["seed"]) == (fitness, part, 3, None)
    assert {key: named[key] for key in ROW} == ROW
    assert_frame_equal(columns_of_0_1(read), read)


def test_a_trace_of_today_passes_unchanged() -> None:
    today = check(
        pl.DataFrame({**ROW, "setting": "fitness=odd;name", "part": ["a", "b"], "seed": 0, "search_seed": [1, None]}),
        "TRACE",
    )
    assert_frame_equal(columns_of_0_1(today), today)


def test_the_kept_traces_have_their_facts_in_columns() -> None:
    kept = read_frame(shipped("reports/results/nb201_search_traces.parquet"), "TRACE")
    assert kept["part"].null_count() == kept["search_seed"].null_count() == 0
    assert not kept["setting"].str.contains("[=;]").any()
    assert sorted(kept["search_seed"].unique()) == [0, 1, 2]
