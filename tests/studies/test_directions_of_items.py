"""Directions of a ``[[compare]]``: given in the file, told where they are in doubt."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from nasanalysis.core.errors import StudyError
from nasanalysis.core.toml import validated
from nasanalysis.loaders import load_benchmark
from nasanalysis.studies.comparison.items import Comparison
from nasanalysis.studies.comparison.section import ComparisonRun
from nasanalysis.studies.items import Resampling, Sources

KEYS: dict[str, Any] = {"name": "x", "title": "X", "benchmark": "digits", "schedule": 12, "proxies": ["params", "tse"]}


def _run(**keys: Any) -> ComparisonRun:
    item = validated(Comparison, {**KEYS, "statistics": ["spearman_rho"], **keys}, where="x.toml")
    return ComparisonRun(item, Sources(None), load_benchmark("digits"), Resampling(0, 0))


def test_a_direction_in_the_file_holds_and_is_said() -> None:
    plain, turned = _run(), _run(directions={"tse": "higher"})
    ours, given = (
        run.statistics.filter(pl.col("proxy") == "sotl", pl.col("step") == 12).row(0, named=True)
        for run in (plain, turned)
    )
    assert given["estimate"] == pytest.approx(-ours["estimate"])
    assert (given["direction"], given["direction_source"]) == (1, "given")
    assert hash(turned.item) != hash(plain.item)
    assert "Better: sotl higher (given)." in turned.tables()[0].note
    assert "Better:" not in plain.tables()[0].note


def test_a_direction_must_be_one_and_of_a_proxy_of_the_item() -> None:
    with pytest.raises(StudyError, match="directions"):
        _run(directions={"params": "up"})
    with pytest.raises(StudyError, match="directions: 'nwot' is not among the proxies"):
        _run(directions={"nwot": "lower"})
