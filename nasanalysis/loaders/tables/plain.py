"""Plain tables: a CSV or Parquet file whose columns have the names that we ask for, no description needed.

Text is read as text: an ``arch`` column never becomes a number, whatever it looks like. Columns of numbers are turned
when they are asked for, and a cell that is none is told with its line. CSV may be UTF-8 or UTF-16, with or without a
byte order mark, separated by commas, semicolons (then with decimal commas, if any) or tabs.
"""

from __future__ import annotations

import csv
import difflib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ...core.errors import DataFileError, FrameError, StudyError
from ...core.reading import reads
from ...core.shown import shown, words
from ...core.text import decode

#: Endings of plain tables. ``-`` is standard input, as CSV.
SUFFIXES = (".csv", ".tsv", ".parquet")
STDIN = "-"
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
#: Characters among which the first line ends, as a rule: a file may have millions of lines.
_HEAD = 1 << 20
#: Cells that mean "nothing was measured".
_EMPTY = ("", "nan", "NaN")


@dataclass(frozen=True)
class PlainTable:
    """A table as it was written, and how to call its rows in a message.

    Attributes
    ----------
    name: the file, or ``standard input``. frame: columns of text (CSV), or as stored (Parquet).
    first: number of the first row of values. noun: ``line`` or ``row``. decimal_comma: whether numbers have one.
    height: rows of the file, where each stands here several times, one after another (0: once).
    """

    name: str
    frame: pl.DataFrame
    first: int = 1
    noun: str = "row"
    decimal_comma: bool = False
    height: int = 0

    def place(self, row: int) -> str:
        """What to call a row: ``line 4``."""
        return f"{self.noun} {(row % self.height if self.height else row) + self.first}"

    def fail(self, row: int, problem: object) -> FrameError:
        return FrameError(f"{self.name}, {self.place(row)}: {problem}")

    def need(self, columns: Sequence[str]) -> None:
        """`FrameError` unless all of `columns` are there and there is at least one row."""
        names = self.frame.columns
        if lost := [name for name in columns if name not in names]:
            close = difflib.get_close_matches(lost[0], names, n=1)
            hint = f". Did you mean {shown.repr(close[0])}, and should it be called {lost[0]!r}?" if close else ""
            raise FrameError(f"{self.name}: missing column(s) {', '.join(lost)}; got {words(names, 40)}{hint}")
        if self.frame.is_empty():
            raise FrameError(f"{self.name}: expected rows, got an empty table")

    def texts(self, column: str) -> pl.Series:
        """A column as text, no cell empty."""
        values = self.frame[column]
        if values.dtype != pl.String:
            raise FrameError(
                f"{self.name}: column {column!r}: expected text in every row, got {values.dtype}; "
                f"store it as text (leading zeros are lost in a number)"
            )
        values = values.str.strip_chars()
        if (empty := (values.is_null() | (values == "")).arg_true()).len():
            raise self.fail(int(empty[0]), f"column {column!r}: expected text in every row, got an empty cell")
        return values

    def numbers(self, column: str) -> pl.Series:
        """A column as float64: empty cells and NaN are null, infinities stay; a word is an error that shows it."""
        values = self.frame[column]
        if values.dtype.is_numeric():
            return values.cast(pl.Float64).fill_nan(None)
        if values.dtype == pl.Null:
            return values.cast(pl.Float64)
        if values.dtype != pl.String:
            raise FrameError(f"{self.name}: column {column!r}: expected numbers, got {values.dtype}")
        cells = values.str.strip_chars()
        cells = cells.replace(dict.fromkeys(_EMPTY))
        written = cells.str.replace(",", ".", literal=True) if self.decimal_comma else cells
        parsed = written.cast(pl.Float64, strict=False)
        if (bad := (parsed.is_null() & cells.is_not_null()).arg_true()).len():
            raise self.fail(int(bad[0]), _no_number(column, str(values[int(bad[0])]), len(bad)))
        return parsed.fill_nan(None)

    def whole_numbers(self, column: str) -> pl.Series:
        """A column as int64; empty cells are null, a fraction is an error."""
        values = self.numbers(column)
        if (bad := (values.is_not_null() & ~(values == values.round()).fill_null(True)).arg_true()).len():
            raise self.fail(int(bad[0]), f"column {column!r}: expected a whole number, got {values[int(bad[0])]!r}")
        return values.cast(pl.Int64)


def _no_number(column: str, cell: str, count: int) -> str:
    more = f" (and {count - 1} more cells)" if count > 1 else ""
    comma = "; is it a decimal comma? Write a point" if cell.replace(",", "").strip("+- ").isdigit() else ""
    todo = "leave the cell empty where nothing was measured" if not comma else ""
    return f"column {column!r}: expected a number, got {cell!r}{more}{comma or '; ' + todo}"


def is_plain(text: str) -> bool:
    """Whether `text` names a plain table: standard input, or a file by its ending."""
    return text == STDIN or Path(text).suffix.lower() in SUFFIXES


@reads("a table")
def read_plain(path: Path | str, columns: Sequence[str] = ()) -> PlainTable:
    """The table at `path` (``-``: standard input), which must hold `columns` and a row.

    `StudyError` where there is no such file, `FrameError` where it is not such a table.
    """
    if str(path) == STDIN:
        table = parse_csv("standard input", sys.stdin.buffer.read(), columns)
    else:
        path = Path(path)
        if not path.exists():
            wanted = f" with columns {', '.join(columns)}" if columns else ""
            raise StudyError(f"{path}: expected a table{wanted}, found no such file")
        if path.suffix.lower() not in SUFFIXES:
            raise StudyError(
                f"{path}: expected a file ending in {', '.join(SUFFIXES)}, got {path.suffix or 'no ending'}"
            )
        table = _from_parquet(path) if path.suffix.lower() == ".parquet" else _from_file(path, columns)
    table.need(columns)
    return table


def _from_parquet(path: Path) -> PlainTable:
    try:
        return PlainTable(str(path), pl.read_parquet(path, glob=False))
    except OSError as error:
        raise DataFileError(f"{path}: expected a readable file, got {error.strerror or error}") from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise FrameError(f"{path}: expected a whole Parquet table; it is damaged, or something else") from error


def _from_file(path: Path, columns: Sequence[str]) -> PlainTable:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataFileError(f"{path}: expected a readable file, got {error.strerror or error}") from error
    return parse_csv(str(path), content, columns)


def parse_csv(name: str, content: bytes, columns: Sequence[str] = (), *, separator: str | None = None) -> PlainTable:
    """The table in the bytes of a CSV file, called `name` in messages; without a `separator` it is recognised."""
    try:
        text = decode(content)
    except ValueError as error:
        raise FrameError(f"{name}: {error}") from None
    if not text or text.isspace():
        raise FrameError(f"{name}: expected a csv table with columns {', '.join(columns) or '...'}, got an empty file")
    separator = separator or _separator(text, columns)
    try:
        frame = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        raise FrameError(f"{name}: {_ragged(text, separator)}") from None
    frame = frame.rename({column: column.strip() for column in frame.columns}, strict=False)
    return PlainTable(name, frame, first=2, noun="line", decimal_comma=_decimal_comma(frame, separator))


def _separator(text: str, columns: Sequence[str]) -> str:
    """The separator under which the first line holds most of `columns`, or else most cells."""
    head = text[:_HEAD].splitlines()[0]
    cells = {mark: [cell.strip().strip('"') for cell in head.split(mark)] for mark in _SEPARATORS}
    return max(cells, key=lambda mark: (sum(name in cells[mark] for name in columns), len(cells[mark]), mark == ","))


def _decimal_comma(frame: pl.DataFrame, separator: str) -> bool:
    """Whether numbers of a table separated by semicolons are written ``93,5``."""
    if separator != ";":
        return False
    joined = [frame[name].drop_nulls() for name in frame.columns if name != "arch"]
    commas = any(cells.str.contains(r"^\s*[-+]?\d+,\d+\s*$").any() for cells in joined)
    points = any(cells.str.contains(r"^\s*[-+]?\d*\.\d+\s*$").any() for cells in joined)
    return commas and not points


def _ragged(text: str, separator: str) -> str:
    """What is wrong with a table that cannot be read: the first line with another number of cells than the first."""
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        return f"expected a csv table separated by {_SEPARATORS[separator]}, got {error}"
    twice = sorted({name for name in lines[0] if lines[0].count(name) > 1})
    if twice:
        return f"expected columns with different names, got {shown.repr(twice[0])} twice"
    for number, cells in enumerate(lines, start=1):
        if cells and len(cells) != len(lines[0]):
            return (
                f"line {number}: expected {len(lines[0])} cells as in the first line, got {len(cells)}; "
                'put text that holds a separator into double quotes (")'
            )
    return f"expected a csv table separated by {_SEPARATORS[separator]}"
