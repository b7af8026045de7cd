"""The Pareto front of two quantities: what costs least for what it is worth."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame


@any_frame
def with_front(table: pl.DataFrame, cost: str, value: str, *, direction: int = 1) -> pl.DataFrame:
    """`table` with a column ``on_front``: no other row costs at most as much and is at least as good, one strictly.

    `cost`: lower is better; `value`: better when higher (`direction` +1) or lower (-1). Rows in which either
    is undefined are not on the front. Equal rows are on it together.
    """
    for column in (cost, value):
        if column not in table.columns:
            raise StudyError(f"front: expected a column {column!r}, got {', '.join(table.columns)}")
    if direction not in (1, -1):
        raise StudyError(f"front: direction: expected +1 or -1, got {direction!r}")
    x = table[cost].cast(pl.Float64).fill_null(np.nan).to_numpy()
    y = direction * table[value].cast(pl.Float64).fill_null(np.nan).to_numpy()
    front = np.zeros(len(table), dtype=bool)
    best, at = -np.inf, np.nan  # the best value so far, and the cost it was first reached at
    for i in np.lexsort((-y, x)):
        if not (np.isfinite(x[i]) and np.isfinite(y[i])):
            continue
        if y[i] > best or (y[i] == best and x[i] == at):
            front[i] = True
            best, at = y[i], x[i]
    return table.with_columns(pl.Series("on_front", front))
