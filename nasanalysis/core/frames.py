"""The tidy frames that every layer hands to the next: `check`, and the files they lie in.

`nasanalysis.core.schemas` says what each frame holds. Architectures are text, ``space:key``. Undefined values are null,
never a sentinel. Inside, frames are polars; a public function decorated with `any_frame` also takes whatever narwhals
knows (pandas, pyarrow ...) and answers a pandas caller with pandas.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .atomic import write_atomically
from .errors import FrameError, UnknownNameError
from .foreign import any_frame, to_pandas, to_polars
from .reading import reading
from .schemas import ACCURACY, SCHEMAS, Schema

__all__ = [
    "SCHEMAS",
    "Quantity",
    "Schema",
    "any_frame",
    "check",
    "complete",
    "read_frame",
    "read_provenance",
    "to_pandas",
    "to_polars",
    "truth_quantity",
    "write_frame",
]


def check(frame: Any, name: str, *, where: str = "") -> pl.DataFrame:
    """Return `frame` as polars with the columns, types and order of schema `name`, or say what is wrong.

    Columns that a schema calls optional are added, and its defaults filled in: a file of an older version reads as
    what it meant. Integers that came as floats (pandas does this where a value is missing), categoricals and NaN are
    brought to their canonical form; columns beyond the schema are kept, last. `FrameError` names the
    column and shows the first offending rows; `where` (a file, a loader) opens the message.
    """
    schema = _schema(name)
    table = to_polars(frame)
    label = f"{where}: {name}" if where else name
    if missing := schema.lacks(table):
        raise FrameError(
            f"{label}: missing column(s) {', '.join(missing)}; got {', '.join(table.columns)}. "
            f"A {name} frame has {', '.join(schema.columns)}."
        )
    table = _with_absent(table, schema)
    table = table.with_columns(*(_cast(table[c], dtype, label) for c, dtype in schema.columns.items()))
    table = _ordered(_filled(table, schema), schema)
    _refuse_rows(table, schema, label)
    return table


def complete(table: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """A lazy frame with the columns that schema `name` adds or fills in, in its order; nothing is read or checked."""
    schema = _schema(name)
    return _ordered(_filled(_with_absent(table, schema), schema), schema)


@dataclass(frozen=True)
class Quantity:
    """What the numbers of a TRUTH frame are.

    Attributes
    ----------
    name: ``accuracy``, ``loss``, ``latency`` ...; unit: ``percent``, ``nats``, ``ms`` ...
    direction: +1 where more is better, -1 where less is.
    """

    name: str
    unit: str
    direction: int

    @property
    def column(self) -> str:
        """The column of TRUTH that holds the numbers."""
        return ACCURACY if self.name == ACCURACY else "value"

    @property
    def label(self) -> str:
        """For an axis: ``accuracy (%)``, ``latency (ms)``."""
        return f"{self.words} ({self.sign})"

    @property
    def words(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ")

    @property
    def sign(self) -> str:
        """Its unit behind a number: ``%``, ``nats`` ..."""
        return unit_sign(self.unit)


def unit_sign(unit: str) -> str:
    """A unit as it stands behind a number: ``%`` for percent, others as they are."""
    return "%" if unit == "percent" else unit


def truth_quantity(truth: pl.DataFrame) -> Quantity:
    """The one quantity of a checked TRUTH frame (an empty one holds accuracies); `FrameError` where there are several.

    >>> from nasanalysis.loaders import load_benchmark
    >>> truth_quantity(load_benchmark("digits").truth())
    Quantity(name='accuracy', unit='percent', direction=1)
    """
    kinds = truth.select("quantity", "quantity_unit", "quantity_direction").unique(maintain_order=True).rows()
    if len(kinds) > 1:
        raise FrameError(
            f"TRUTH: expected one quantity, got {', '.join(name for name, *_ in kinds)}; "
            "filter the frame by its column 'quantity'"
        )
    return Quantity(*kinds[0]) if kinds else Quantity(ACCURACY, "percent", 1)


def _schema(name: str) -> Schema:
    if name not in SCHEMAS:
        raise UnknownNameError("frame", name, SCHEMAS)
    return SCHEMAS[name]


Table = TypeVar("Table", pl.DataFrame, pl.LazyFrame)


def _with_absent(table: Table, schema: Schema) -> Table:
    there = table.collect_schema().names()
    return table.with_columns(pl.lit(None, dtype).alias(c) for c, dtype in schema.columns.items() if c not in there)


def _filled(table: Table, schema: Schema) -> Table:
    for column, default in schema.defaults.items():  # one by one: a later default looks at an earlier column
        table = table.with_columns(pl.col(column).fill_null(default))
    return table


def _ordered(table: Table, schema: Schema) -> Table:
    return table.select(*schema.columns, *(c for c in table.collect_schema().names() if c not in schema.columns))


def varying(table: pl.DataFrame, keys: Sequence[str]) -> list[str]:
    """Keys that tell rows apart (the first where none does): those with one value throughout do not, and comparing ten
    of them in millions of rows takes gigabytes.
    """
    same = table.select(pl.col(key).eq_missing(pl.col(key).first()).all() for key in keys).row(0)
    return [key for key, constant in zip(keys, same, strict=True) if not constant] or list(keys[:1])


def distinct(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The different rows of `keys`, in any order."""
    if table.is_empty():
        return table.select(keys)
    different = varying(table, keys)
    return _with_constant(table.select(different).unique(), table, keys)


def reordered(table: pl.DataFrame, order: pl.Series) -> pl.DataFrame:
    """The rows of `table` in the order of an index; a column of one value is not copied."""
    if table.is_empty():
        return table
    return _with_constant(table.select(varying(table, table.columns))[order], table, table.columns)


def _with_constant(part: pl.DataFrame, table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """`part` with those of `columns` that it lacks and that have one value throughout `table`."""
    constant = (pl.lit(table[key][0], table.schema[key]).alias(key) for key in columns if key not in part.columns)
    return part.with_columns(constant).select(columns)


def may_repeat(table: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether two rows may be equal in `columns`: false is certain, true asks for a look (a hash may be another's).

    Comparing the rows themselves takes tens of times as long on millions of them.
    """
    return table.select(columns).hash_rows().n_unique() < len(table)


def _refuse_rows(table: pl.DataFrame, schema: Schema, label: str) -> None:
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
    for rule in schema.rules:
        _refuse(table, rule.bad, f"{label}: {rule.what}", rule.todo)
    if may_repeat(table, keys := varying(table, list(schema.keys))):
        _refuse(
            table, pl.struct(*keys).is_duplicated(), f"{label}: duplicate rows for one key", "keep one row for each"
        )


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


def write_frame(frame: pl.DataFrame, path: Path | str, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write Parquet (zstd) atomically, with `provenance` as JSON in the file's own metadata."""
    metadata = {"nasanalysis": json.dumps(provenance or {}, sort_keys=True)}

    def write(temp: Path) -> None:
        try:
            frame.write_parquet(temp, compression="zstd", metadata=metadata)
        except pl.exceptions.ComputeError as error:  # polars' way to say that the disk is full
            code = re.search(r"os error (\d+)", str(error))
            if code is None:
                raise
            raise OSError(int(code[1]), os.strerror(int(code[1]))) from error

    return write_atomically(Path(path), write)


def read_frame(path: Path | str, name: str | None = None) -> pl.DataFrame:
    """Read a Parquet file and, where `name` is given, check it against that schema."""
    with reading(path, "a whole Parquet file"):
        frame = pl.read_parquet(path, glob=False)
    return frame if name is None else check(frame, name, where=str(path))


def read_provenance(path: Path | str) -> dict[str, Any]:
    """The provenance that `write_frame` put into a Parquet file ({} if there is none)."""
    with reading(path, "a whole Parquet file"):
        provenance: dict[str, Any] = json.loads(pl.read_parquet_metadata(path).get("nasanalysis", "{}"))
    return provenance
