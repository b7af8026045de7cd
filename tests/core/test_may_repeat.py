"""The quick look for rows that stand twice: it may ask for a second look, it never misses one."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.frames import may_repeat

CELLS = st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0, 1, None]), st.sampled_from([0.5, None]))


@given(st.lists(CELLS, min_size=1, max_size=12))
def test_no_repeated_row_is_missed(rows: list[tuple[str | None, int | None, float | None]]) -> None:
    schema = {"arch": pl.String, "seed": pl.Int64, "value": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    assert may_repeat(table, ["arch", "seed", "value"]) == (len({*rows}) < len(rows))
    assert may_repeat(table, ["arch"]) == (len({row[0] for row in rows}) < len(rows))
