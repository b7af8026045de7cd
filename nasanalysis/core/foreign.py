"""Tables of other libraries: in through narwhals, out as pandas where a pandas caller asked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import polars as pl

from .errors import FrameError


def to_polars(frame: Any) -> pl.DataFrame:
    """polars as it is; any other table that narwhals knows, copied column by column (pyarrow not needed)."""
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    import narwhals as nw

    try:
        table = nw.from_native(frame, eager_only=True)
        names = list(table.columns)
    except TypeError as error:
        raise FrameError(f"expected a table (polars, pandas, pyarrow ...), got {type(frame).__name__}") from error
    except nw.exceptions.NarwhalsError as error:
        raise FrameError(f"expected a table whose columns have different names, got {error}") from error
    if not all(isinstance(name, str) for name in names):
        raise FrameError(f"expected a table whose columns are named by text, got {names[:5]}")
    columns = {}
    for name in names:
        values = table[name].to_list()
        columns[name] = pl.Series(name, [None if _is_missing(v) else v for v in values], strict=False)
    return pl.DataFrame(columns)


def _is_missing(value: object) -> bool:
    try:
        return value is None or bool(value != value)  # NaN and NaT do not equal themselves
    except (TypeError, ValueError):  # pandas.NA is neither equal nor unequal; an array is both
        return type(value).__name__ == "NAType"


def to_pandas(frame: pl.DataFrame) -> Any:
    """A pandas copy of a polars frame, without pyarrow; null becomes NaN or None."""
    import pandas as pd

    return pd.DataFrame(
        {c: frame[c].to_numpy() if frame[c].dtype.is_numeric() else frame[c].to_list() for c in frame.columns}
    )


P = ParamSpec("P")
R = TypeVar("R")


def any_frame(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function`, written for polars, take any table; a pandas caller gets pandas back."""

    def is_foreign(value: object) -> bool:
        return type(value).__module__.partition(".")[0] in {"pandas", "pyarrow", "modin", "cudf"} and hasattr(
            value, "columns"
        )

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        foreign = [v for v in (*args, *kwargs.values()) if is_foreign(v)]
        if not foreign:
            return function(*args, **kwargs)
        result = function(
            *(to_polars(v) if is_foreign(v) else v for v in args),  # type: ignore[arg-type]
            **{k: to_polars(v) if is_foreign(v) else v for k, v in kwargs.items()},  # type: ignore[arg-type]
        )
        if isinstance(result, pl.DataFrame) and type(foreign[0]).__module__.startswith("pandas"):
            return to_pandas(result)  # type: ignore[no-any-return]
        return result

    return wrapper
