"""A CSV, Parquet, JSON or pickle file -> columns of equal length, and what to call each row in a message."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import DataFileError
from ...core.registry import resolve
from ...core.shown import shown, words
from .descriptor import BARE, TableDescriptor
from .paths import nested_column

_PACKED = {".gz", ".bz2", ".pbz2"}


@dataclass(frozen=True)
class Rows:
    """A file as columns of equal length, and what to call a row in a message."""

    path: Path
    columns: dict[str, Any]
    count: int
    label: Callable[[int], str]
    keys: list[Any] | None = None

    def column(self, name: str) -> Any:
        """A column, or what a path such as ``synflow.score`` or ``results.0`` finds in the cells of one."""
        if name not in self.columns:
            if (nested := nested_column(self, name)) is not None:
                return nested
            close = difflib.get_close_matches(name, list(self.columns), n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            got = "bare numbers" if list(self.columns) == [BARE] else words(self.columns, 40)
            raise DataFileError(f"{self.path}: expected a column {name!r}, got {got}.{hint}")
        return self.columns[name]

    def fail(self, row: int, problem: object) -> DataFileError:
        return DataFileError(f"{self.path}: {self.label(row)}: {problem}")


#: Ending of a file -> ``module:function``, or the function: ``(path, table) -> content`` as a list, a dict of columns,
#: a dict keyed by architecture, a polars frame, or `Rows`. A format from outside is one entry more.
FORMATS: dict[str, str | Callable[[Path, TableDescriptor], Any]] = {
    ".csv": "nasanalysis.loaders.tables.formats:read_csv",
    ".tsv": "nasanalysis.loaders.tables.formats:read_csv",
    ".parquet": "nasanalysis.loaders.tables.formats:read_parquet",
    ".json": "nasanalysis.loaders.tables.formats:read_json",
    **dict.fromkeys((".p", ".pkl", ".pickle"), "nasanalysis.loaders.tables.formats:read_pickle"),
}


def open_rows(table: TableDescriptor, path: Path) -> Rows:
    """The rows of the file at `path`, read as its description says; `DataFileError` if it is none."""
    suffixes = [s.lower() for s in path.suffixes]
    kind = ".pickle" if suffixes[-1:] == [".pbz2"] else next((s for s in reversed(suffixes) if s not in _PACKED), "")
    if kind not in FORMATS:
        raise DataFileError(f"{path}: expected a file named {', '.join(FORMATS)} (also packed as .gz, .bz2)")
    read: Callable[[Path, TableDescriptor], Any] = resolve("table format", kind, FORMATS)
    content = read(path, table)
    if isinstance(content, Rows):
        return content
    if isinstance(content, pl.DataFrame):
        if table.select:
            raise DataFileError(f"{path}: 'select' is for nested files, not for tables")
        return rows_of(content, path)
    return _from_object(table, path, content)


def rows_of(frame: pl.DataFrame, path: Path, *, first: int = 1, noun: str = "row") -> Rows:
    """The rows of a frame; the first is called ``NOUN FIRST`` in messages."""
    columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
    return Rows(path, columns, frame.height, lambda i: f"{noun} {i + first}")


def _from_object(table: TableDescriptor, path: Path, content: Any) -> Rows:
    for key in table.select:
        if not isinstance(content, dict) or key not in content:
            got = words(content) if isinstance(content, dict) else type(content).__name__
            raise DataFileError(f"{path}: select: expected a key {key!r}, got {got}")
        content = content[key]
    keys: list[Any] | None = None
    if table.rows == "dict":
        if not isinstance(content, dict):
            raise DataFileError(
                f"{path}: expected a dict keyed by architecture (rows = 'dict'), got {type(content).__name__}"
            )
        keys, content = list(content), list(content.values())
    if isinstance(content, dict):
        columns, count = content, _length(next(iter(content.values()), ()))
        for name, values in columns.items():
            flat = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim == 1)
            if not flat:
                raise DataFileError(
                    f"{path}: expected columns (a list or array each), got {type(values).__name__} "
                    f"for {shown.repr(name)}; "
                    f"{_advice(content, name, values)}"
                )
            if len(values) != count:
                raise DataFileError(
                    f"{path}: columns of different lengths: {shown.repr(name)} has {len(values)}, expected {count}"
                )
    elif isinstance(content, list | tuple | np.ndarray):
        content, count = list(content), len(content)
        columns = _columns(path, content)
    else:
        raise DataFileError(f"{path}: expected a list, a dict or columns, got {type(content).__name__}")

    def label(row: int) -> str:
        return f"key {shown.repr(keys[row])}" if keys is not None else f"entry {row} (counted from 0)"

    return Rows(path, columns, count, label, keys)


def _columns(path: Path, content: list[Any]) -> dict[str, Any]:
    if not content or not isinstance(content[0], dict):
        return {BARE: content}
    names = list(dict.fromkeys(name for item in content if isinstance(item, dict) for name in item))
    if len(names) > 1000:  # rows that number themselves, {"0": 0, ...}, {"1": 1, ...}
        names = [name for name in names if name in content[0]]
    for i, item in enumerate(content):
        if not isinstance(item, dict):
            raise DataFileError(f"{path}: entry {i}: expected a dict like the first, got {type(item).__name__}")
    return {name: [item.get(name) for item in content] for name in names}


def _length(values: Any) -> int:
    flat = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim)
    return len(values) if flat else 0


def _advice(content: dict[Any, Any], name: Any, values: Any) -> str:
    """What to write instead where a nested file is not columns: a part of it, or a dict keyed by architecture."""
    inner = next((key for key, value in content.items() if isinstance(value, dict | list) and value), None)
    if isinstance(values, dict) and all(isinstance(value, dict) for value in content.values()):
        return "say rows = 'dict' if these keys are architectures, or name the part to read with select"
    if inner is not None and inner != name:
        return f"say select = {shown.repr(inner)} to read that part alone"
    part = f"say select = {shown.repr(name)} to read this part alone"
    return part if isinstance(values, dict) else "correct this column"


def numbers(rows: Rows, values: Any) -> pl.Series:
    """Numbers, or lists of numbers, as float64."""
    if isinstance(values, np.ndarray):
        values = pl.Series(np.asarray(values)) if values.ndim == 1 and values.dtype.kind in "iuf" else list(values)
    if isinstance(values, pl.Series):
        if values.dtype == pl.String:
            return _parse_text(rows, values)
        nested = isinstance(values.dtype, pl.List | pl.Array)
        inner = values.dtype.inner if nested else values.dtype  # type: ignore[attr-defined]
        if inner.is_numeric() or inner == pl.Null():
            return values.cast(pl.List(pl.Float64) if nested else pl.Float64)
        values = values.to_list()
    if all(type(v) is float or type(v) is np.float64 for v in values):
        return pl.Series(np.asarray(values, dtype=float))
    nested = any(isinstance(v, list | tuple | np.ndarray) for v in values)
    column: list[Any] = []
    for i, value in enumerate(values):
        try:
            column.append([_number(v) for v in value] if nested and value is not None else _number(value))
        except TypeError as error:
            raise rows.fail(i, error) from None
    return pl.Series(column, dtype=pl.List(pl.Float64) if nested else pl.Float64)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, dict):
        keys = words(value, 8)
        raise TypeError(
            f"expected a number, got a dict of {keys}; name what to take of it, as in 'column.{keys.split(', ')[0]}'"
        )
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"expected a number, got {shown.repr(value)}")
    return float(value)


def _parse_text(rows: Rows, text: pl.Series) -> pl.Series:
    stripped = text.str.strip_chars()
    if stripped.str.starts_with("[").any():
        column = []
        for i, cell in enumerate(stripped):
            try:
                column.append(None if cell is None else [_number(v) for v in json.loads(cell)])
            except (ValueError, TypeError, RecursionError) as error:
                raise rows.fail(
                    i, f"expected a list of numbers such as [1.5, 2.5], got {shown.repr(cell)} ({error})"
                ) from None
        return pl.Series(column, dtype=pl.List(pl.Float64))
    parsed = stripped.cast(pl.Float64, strict=False)
    bad = parsed.is_null() & stripped.is_not_null() & (stripped != "")
    if bad.any():
        row = int(bad.arg_true()[0])
        raise rows.fail(row, f"expected a number, got {shown.repr(text[row])}")
    return parsed
