"""The tidy frames that every layer hands to the next, their schemas, and `check`.

========== ==================================================================================
ARCHS      what an architecture costs, and which architectures are the same
TRUTH      accuracy (percent) of trained, tabulated or predicted architectures
CURVES     losses (nats) and accuracies (percent) by completed epoch or minibatch
PERTURBED  loss (nats) under weight noise: any flatness is computed from it
SCORES     what a proxy says of an architecture: raw, never sign-flipped
STATS      a statistic of scores against truth, with its interval
TRACE      what a search or a training went through
========== ==================================================================================

Architectures are text, ``space:key``. Undefined values are null, never a sentinel. Inside, frames are
polars; a public function decorated with `any_frame` also takes whatever narwhals knows (pandas,
pyarrow ...) and answers a pandas caller with pandas.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import polars as pl

from .atomic import write_atomically
from .errors import DataFileError, FrameError, UnknownNameError

_TEXT, _INT, _FLOAT, _SMALL = pl.String(), pl.Int64(), pl.Float64(), pl.Float32()
_PERCENT = (0.0, 100.0)


@dataclass(frozen=True)
class Schema:
    """Columns of a frame.

    Attributes
    ----------
    keys: columns that together name a row; no two rows may share them.
    values: the measured columns.
    nullable: key columns in which null has a meaning (a null seed is the mean over seeds).
    optional: value columns that are added as null where absent.
    ranges: closed interval that a value must lie in.
    choices: the words a text column may hold.
    """

    keys: Mapping[str, pl.DataType]
    values: Mapping[str, pl.DataType]
    nullable: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {**self.keys, **self.values}

    def empty(self) -> pl.DataFrame:
        """A frame of this schema without rows."""
        return pl.DataFrame(schema=self.columns)


_WHERE = {"benchmark": _TEXT, "dataset": _TEXT, "arch": _TEXT}
_HOW = {"method": _TEXT, "setting": _TEXT}
_SPLITS = ("train", "valid", "test", "valtest")
_CURVE_VALUES = {f"{split}_{what}": _SMALL for split in _SPLITS for what in ("loss", "accuracy")}
_UNITS = frozenset({"epoch", "minibatch"})

SCHEMAS: dict[str, Schema] = {
    "ARCHS": Schema(
        keys=_WHERE,
        values={"unique_arch": _TEXT, "params": _INT, "flops": _FLOAT},
        ranges={"params": (0, 2**62), "flops": (0, 1e18)},
    ),
    "TRUTH": Schema(
        keys={**_WHERE, "split": _TEXT, "schedule": _INT, "seed": _INT},
        values={"accuracy": _FLOAT, "origin": _TEXT},
        nullable=frozenset({"schedule", "seed"}),
        ranges={"accuracy": _PERCENT},
        choices={
            "split": frozenset({"valid", "test", "valtest"}),
            "origin": frozenset({"tabular", "surrogate", "trained"}),
        },
    ),
    "CURVES": Schema(
        keys={**_WHERE, **_HOW, "schedule": _INT, "seed": _INT, "unit": _TEXT, "step": _INT},
        values={**_CURVE_VALUES, "seconds": _FLOAT},
        nullable=frozenset({"seed"}),
        optional=frozenset({*_CURVE_VALUES, "seconds"}),
        ranges={name: _PERCENT for name in _CURVE_VALUES if name.endswith("accuracy")} | {"step": (0, 2**62)},
        choices={"unit": _UNITS},
    ),
    "PERTURBED": Schema(
        keys={
            **_WHERE,
            **_HOW,
            "seed": _INT,
            "position": _TEXT,
            "direction": _TEXT,
            "draws": _TEXT,
            "sigma": _FLOAT,
            "draw": _INT,
        },
        values={"loss": _FLOAT},
        nullable=frozenset({"seed"}),
        choices={
            "position": frozenset({"all", "cells"}),
            "direction": frozenset({"random", "hessian"}),
            "draws": frozenset({"independent", "cumulative"}),
        },
    ),
    "SCORES": Schema(
        keys={**_WHERE, **_HOW, "proxy": _TEXT, "seed": _INT, "unit": _TEXT, "step": _INT},
        values={"value": _FLOAT},
        nullable=frozenset({"seed", "unit", "step"}),
        choices={"unit": _UNITS},
    ),
    "STATS": Schema(
        keys={
            "benchmark": _TEXT,
            "dataset": _TEXT,
            **_HOW,
            "proxy": _TEXT,
            "truth_split": _TEXT,
            "truth_schedule": _INT,
            "truth_seeds": _TEXT,
            "sample": _TEXT,
            "statistic": _TEXT,
            "unit": _TEXT,
            "step": _INT,
        },
        values={
            "estimate": _FLOAT,
            "ci_low": _FLOAT,
            "ci_high": _FLOAT,
            "interval": _TEXT,
            "n_archs": _INT,
            "n_missing": _INT,
        },
        nullable=frozenset(
            {"method", "setting", "truth_split", "truth_schedule", "truth_seeds", "sample", "unit", "step"}
        ),
        choices={"unit": _UNITS},
    ),
    "TRACE": Schema(
        keys={"benchmark": _TEXT, "dataset": _TEXT, **_HOW, "seed": _INT, "epoch": _INT, "quantity": _TEXT},
        values={"value": _FLOAT, "text": _TEXT},
        nullable=frozenset({"seed"}),
        optional=frozenset({"value", "text"}),
    ),
}


def check(frame: Any, name: str, *, where: str = "") -> pl.DataFrame:
    """Return `frame` as polars with the columns, types and order of schema `name`, or say what is wrong.

    Integers that came as floats (pandas does this where a value is missing), categoricals and NaN are
    brought to their canonical form; columns beyond the schema are kept, last. `FrameError` names the
    column and shows the first offending rows; `where` (a file, a loader) opens the message.
    """
    if name not in SCHEMAS:
        raise UnknownNameError("frame", name, SCHEMAS)
    schema = SCHEMAS[name]
    table = to_polars(frame)
    label = f"{where}: {name}" if where else name
    missing = [c for c in schema.columns if c not in table.columns and c not in schema.optional]
    if missing:
        raise FrameError(
            f"{label}: missing column(s) {', '.join(missing)}; got {', '.join(table.columns)}. "
            f"A {name} frame has {', '.join(schema.columns)}."
        )
    table = table.with_columns(
        *(pl.lit(None, dtype).alias(c) for c, dtype in schema.columns.items() if c not in table.columns),
    )
    table = table.with_columns(*(_cast(table[c], dtype, label) for c, dtype in schema.columns.items()))
    for column in schema.keys:
        if column not in schema.nullable:
            _refuse(
                table, pl.col(column).is_null(), f"{label}: column {column!r} is null", "every row needs a value there"
            )
    for column, (low, high) in schema.ranges.items():
        bad = ~pl.col(column).is_between(low, high) & pl.col(column).is_not_null()
        _refuse(
            table, bad, f"{label}: {column!r} outside [{low:g}, {high:g}]", "check the unit: accuracy is in percent"
        )
    for column, words in schema.choices.items():
        bad = ~pl.col(column).is_in(list(words)) & pl.col(column).is_not_null()
        _refuse(table, bad, f"{label}: {column!r} must be one of {', '.join(sorted(words))}", "correct these rows")
    if "arch" in schema.keys:
        _refuse(
            table,
            ~pl.col("arch").str.contains("^[^:]+:.+"),
            f"{label}: 'arch' must read 'space:key'",
            "add the space, for example 'nb201:'",
        )
    _refuse(
        table, pl.struct(*schema.keys).is_duplicated(), f"{label}: duplicate rows for one key", "keep one row for each"
    )
    extra = [c for c in table.columns if c not in schema.columns]
    return table.select(*schema.columns, *extra)


def _cast(column: pl.Series, dtype: pl.DataType, label: str) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if column.is_infinite().any():
            raise FrameError(
                f"{label}: column {column.name!r} holds infinite values; leave undefined values empty (null)"
            )
        if dtype.is_integer() and (column != column.round()).any():
            raise FrameError(f"{label}: column {column.name!r}: expected whole numbers, got {column.to_list()[:3]} ...")
    if dtype.is_numeric() and column.dtype == pl.Boolean():
        raise FrameError(f"{label}: column {column.name!r}: expected numbers, got true/false")
    try:
        cast = column.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise FrameError(f"{label}: column {column.name!r}: expected {dtype}, got {column.dtype}: {error}") from error
    if dtype == pl.Float32() and cast.is_infinite().any():
        raise FrameError(
            f"{label}: column {column.name!r}: expected numbers below 3.4e38, got {column.abs().max()!r}; "
            "leave diverged values empty (null)"
        )
    return cast


def _refuse(table: pl.DataFrame, bad: pl.Expr, what: str, todo: str) -> None:
    rows = table.filter(bad)
    if len(rows):
        shown = "; ".join(str({k: v for k, v in row.items() if v is not None}) for row in rows.head(2).to_dicts())
        raise FrameError(f"{what} in {len(rows)} of {len(table)} rows, first: {shown}. To do: {todo}.")


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


def write_frame(frame: pl.DataFrame, path: Path | str, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write Parquet (zstd) atomically, with `provenance` as JSON in the file's own metadata."""
    metadata = {"nasanalysis": json.dumps(provenance or {}, sort_keys=True)}

    def write(temp: Path) -> None:
        try:
            frame.write_parquet(temp, compression="zstd", metadata=metadata)
        except pl.exceptions.ComputeError as error:  # polars' way to say that the disk is full
            found = re.search(r"os error (\d+)", str(error))
            if found is None:
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1]))) from error

    return write_atomically(Path(path), write)


def read_frame(path: Path | str, name: str | None = None) -> pl.DataFrame:
    """Read a Parquet file and, where `name` is given, check it against that schema."""
    try:
        frame = pl.read_parquet(path, glob=False)
    except FileNotFoundError:
        raise DataFileError(f"{path}: expected a Parquet file, found nothing there") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFileError(f"{path}: expected a whole Parquet file, got {error}") from error
    return frame if name is None else check(frame, name, where=str(path))


def read_provenance(path: Path | str) -> dict[str, Any]:
    """The provenance that `write_frame` put into a Parquet file ({} if there is none)."""
    try:
        found: dict[str, Any] = json.loads(pl.read_parquet_metadata(path).get("nasanalysis", "{}"))
    except FileNotFoundError:
        raise DataFileError(f"{path}: expected a Parquet file, found nothing there") from None
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataFileError(f"{path}: expected a whole Parquet file, got {error}") from error
    return found
