"""Values inside the cells of a table: a column path such as ``synflow.score`` or ``results.0``.

A path is the name of a column and what to take of each of its cells, step by step: a key of a dict, or the place
(from 0) in a list. Names of columns and keys may hold dots themselves: the longest name that is there counts. Rows that
are bare lists have places only: ``0``. In a CSV file a nested cell is JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ...core.errors import DataFileError
from ...core.shown import shown, words
from .descriptor import BARE

if TYPE_CHECKING:
    from .rows import Rows

_ABSENT = object()


def nested_column(rows: Rows, name: str) -> list[Any] | None:
    """What the path `name` finds in each row, None where a row lacks it; None where no column begins the path.

    `DataFileError` where no row has it: it says what the first cell holds.
    """
    start = _start(rows, name)
    if start is None:
        return None
    column, path = start
    cells = [_cell(value) for value in _listed(rows.columns[column])]
    values = [_walk(cell, path) for cell in cells]
    if cells and all(value is _ABSENT for value in values):
        raise DataFileError(
            f"{rows.path}: {rows.label(0)}: expected {name!r} in column {column!r}, got {_holds(cells[0])}"
        )
    return [None if value is _ABSENT else value for value in values]


def _start(rows: Rows, name: str) -> tuple[str, str] | None:
    """(column, rest of the path): the longest column name that begins `name`."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        column = ".".join(parts[:n])
        if column in rows.columns:
            return column, ".".join(parts[n:])
    return (BARE, name) if list(rows.columns) == [BARE] else None


def _listed(values: Any) -> list[Any]:
    return values.to_list() if isinstance(values, pl.Series) else list(values)


def _cell(value: Any) -> Any:
    """A cell of text that is a nested JSON value as that value."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _walk(cell: Any, path: str) -> Any:
    """What `path` finds in a cell; `_ABSENT` where it leads nowhere."""
    if isinstance(cell, Mapping):
        return _in_mapping(cell, path)
    head, _, rest = path.partition(".")
    is_list = isinstance(cell, Sequence | np.ndarray) and not isinstance(cell, str | bytes)
    if not is_list or not head.isdecimal() or int(head) >= len(cell):
        return _ABSENT
    return _walk(cell[int(head)], rest) if rest else cell[int(head)]


def _in_mapping(cell: Mapping[Any, Any], path: str) -> Any:
    parts = path.split(".")
    for n in range(len(parts), 0, -1):
        key, rest = ".".join(parts[:n]), ".".join(parts[n:])
        value = cell.get(key, cell.get(int(key), _ABSENT) if key.isdecimal() else _ABSENT)
        if value is not _ABSENT:
            return _walk(value, rest) if rest else value
    return _ABSENT


def _holds(cell: Any) -> str:
    if isinstance(cell, Mapping):
        return f"a dict of {words(cell)}"
    return shown.repr(cell)
