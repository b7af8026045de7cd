"""The Pareto front against its definition."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis import stats
from nasanalysis.core.errors import StudyError


@given(
    st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 6))), min_size=1, max_size=25),
    st.sampled_from([1, -1]),
)
def test_front_is_what_no_other_dominates(points: list[tuple[int, int | None]], direction: int) -> None:
    table = pl.DataFrame(points, schema={"cost": pl.Int64, "value": pl.Int64}, orient="row")
    got = stats.with_front(table, "cost", "value", direction=direction)["on_front"].to_list()

    def dominated(i: int) -> bool:
        x, y = points[i]
        assert y is not None
        return any(
            v is not None and c <= x and direction * v >= direction * y and (c < x or direction * v > direction * y)
            for c, v in points
        )

    assert got == [y is not None and not dominated(i) for i, (_, y) in enumerate(points)]


def test_front_names_the_missing_column() -> None:
    with pytest.raises(StudyError, match="expected a column 'flops', got cost"):
        stats.with_front(pl.DataFrame({"cost": [1]}), "flops", "cost")
