"""Means over seeds in order: one seed each takes a short way, which gives what the long one gives."""

from __future__ import annotations

import polars as pl
import pytest

from nasanalysis.core.means import exact_means
from nasanalysis.stats.averages import over_seeds


@pytest.mark.parametrize("seeds", [[0], [0, 1], [None]])
def test_the_short_way_gives_what_exact_means_give(seeds: list[int | None]) -> None:
    rows = [
        (setting, step, f"nb201:{i}", seed, value)
        for i, value in enumerate([0.3, None, 0.1, 0.2])
        for setting, step in (("b", 1), ("b", None), ("a", 10), ("a", 9))
        for seed in seeds
    ]
    schema = {"setting": pl.String, "step": pl.Int64, "arch": pl.String, "seed": pl.Int64, "value": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row").sample(fraction=1, shuffle=True, seed=0)
    keys = ["setting", "step"]
    expected = exact_means(table.sort(*keys, "arch", "seed"), [*keys, "arch"], "value")
    got = over_seeds(table, keys, "value")
    assert got.equals(expected)
    assert got.schema == expected.schema
    assert over_seeds(table, [], "value").equals(exact_means(table.sort("arch", "seed"), ["arch"], "value"))
