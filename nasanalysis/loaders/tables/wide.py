"""Tables with a column for each proxy: ``arch,synflow,nwot,...`` -> ``arch,proxy,value``.

Taken as a proxy is every column of numbers that has no other meaning in a plain table. What was taken and what was left
out is told, because nothing in such a file says so.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from ...core.errors import FrameError
from ...core.schemas import SCHEMAS
from ...core.shown import words
from .plain import PlainTable

#: Columns that say something else of a row, whatever numbers they hold.
_LABELS = frozenset({*SCHEMAS["TRUTH"].columns, *SCHEMAS["SCORES"].columns})
#: What tables of other libraries call the number of a row.
_ROW_NUMBERS = re.compile(r"|Unnamed: ?\d+|_duplicated_\d+|index|level_0", re.IGNORECASE)


#: Names of proxies that a note shows.
_SHOWN = 12


class WideTableWarning(UserWarning):
    """Which columns of a table were taken as proxies."""


def tell(note: str) -> None:
    """Say what was taken, where nobody else listens."""
    warnings.warn(note, WideTableWarning, stacklevel=4)


def is_wide(columns: Sequence[str]) -> bool:
    """Whether a table with these columns may be one that has a column for each proxy."""
    return "arch" in columns and not {"proxy", "value"} & set(columns) and bool(set(columns) - _LABELS)


def long(table: PlainTable, say: Callable[[str], None] = tell) -> PlainTable:
    """A wide table with a row for each architecture and proxy; any other as it is. `say` is told what was taken.

    `FrameError` where no column holds numbers, or one holds numbers and a word.
    """
    if not is_wide(table.frame.columns):
        return table
    others = [name for name in table.frame.columns if name not in _LABELS]
    left_out = {name: why for name in others if (why := _no_scores(table, name))}
    proxies = [name for name in others if name not in left_out]
    if not proxies:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in left_out.items())
        raise FrameError(
            f"{table.name}: expected columns arch,proxy,value, or one column of numbers for each proxy, got {why}"
        )
    if "accuracy" in table.frame.columns:
        left_out["accuracy"] = "a truth"
    lost = f"; left out: {', '.join(f'{name!r} ({why})' for name, why in left_out.items())}" if left_out else ""
    more = f" and {len(proxies) - _SHOWN} more" if len(proxies) > _SHOWN else ""
    say(f"{table.name}: a column for each proxy: taken as proxies are {words(proxies, _SHOWN)}{more}{lost}")
    labels = [name for name in table.frame.columns if name in _LABELS and name != "accuracy"]
    values = table.frame.select(labels).with_columns(table.numbers(name).alias(f"proxy:{name}") for name in proxies)
    frame = values.unpivot([f"proxy:{name}" for name in proxies], index=labels, variable_name="proxy")
    return replace(table, frame=frame.with_columns(pl.col("proxy").str.slice(len("proxy:"))), height=len(table.frame))


def _no_scores(table: PlainTable, name: str) -> str:
    """Why a column holds no scores; nothing where it does."""
    values = table.frame[name]
    if values.dtype.is_numeric() or values.dtype == pl.Null:
        numbers = values.cast(pl.Float64)
    elif values.dtype == pl.String:
        cells = values.str.strip_chars()
        written = cells.str.replace(",", ".", literal=True) if table.decimal_comma else cells
        numbers = written.cast(pl.Float64, strict=False)
        if numbers.is_null().all():
            return "empty" if (cells.is_null() | (cells == "")).all() else "no numbers"
    else:
        return f"{values.dtype}, no numbers"
    if numbers.is_null().all():
        return "empty"
    if _ROW_NUMBERS.fullmatch(name.strip()) and _counts_rows(numbers):
        return "the number of the row"
    return ""


def _counts_rows(values: pl.Series) -> bool:
    return bool((values - values[0] == pl.Series(range(len(values)), dtype=pl.Float64)).fill_null(False).all())
