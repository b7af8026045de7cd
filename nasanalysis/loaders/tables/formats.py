"""What the files of a described table hold: CSV, Parquet, JSON, pickles, as they are or packed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from ...core.errors import DataFileError, FrameError
from ...core.shown import shown
from .. import safe_pickle
from .descriptor import TableDescriptor
from .plain import parse_csv
from .rows import Rows, rows_of


def read_pickle(path: Path, table: TableDescriptor) -> Any:
    """The object of a pickle, through the allow-list."""
    return safe_pickle.load(path, safe_pickle.TABLE)


def read_json(path: Path, table: TableDescriptor) -> Any:
    """The object of a JSON file; a key that stands twice is refused."""
    return json_content(path)


def json_content(path: Path) -> Any:
    """The same without a description."""
    content = _content(path, "json")
    try:
        return json.loads(content, object_pairs_hook=lambda pairs: _no_twins(pairs, path))
    except (ValueError, RecursionError) as error:
        said = (
            str(error).partition(";")[0].splitlines()[0]
        )  # behind it Python says how to read huge numbers nevertheless
        raise DataFileError(f"{path}: expected json content, got {said}") from error


def read_parquet(path: Path, table: TableDescriptor) -> pl.DataFrame:
    content = _content(path, "parquet")
    try:
        return pl.read_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataFileError(f"{path}: expected parquet content, got {str(error).splitlines()[0]}") from error


def read_csv(path: Path, table: TableDescriptor) -> Rows:
    """CSV, or with the ending ``.tsv`` separated by tabs; the first line names the columns, every cell is text."""
    if table.select:
        raise DataFileError(f"{path}: 'select' is for nested JSON and pickle files")
    separator = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes] else None
    try:
        plain = parse_csv(str(path), _content(path, "csv"), separator=separator)
    except FrameError as error:
        raise DataFileError(str(error)) from None
    frame = plain.frame
    if plain.decimal_comma:
        frame = frame.with_columns(
            pl.exclude(table.arch_column or "").str.replace(r"^(\s*[-+]?\d+),(\d+\s*)$", "$1.$2")
        )
    return rows_of(frame, path, first=plain.first, noun=plain.noun)


def _content(path: Path, kind: str) -> bytes:
    content = safe_pickle.read_bytes(path)
    wrong = safe_pickle.looks_like(content[:64])
    if not content or wrong.startswith(("a web page", "a Git LFS")):
        raise DataFileError(f"{path}: expected {kind} content, got {wrong}; download it again")
    return content


def _no_twins(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    cells = dict(pairs)
    if len(cells) != len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DataFileError(f"{path}: key {shown.repr(twin)} appears twice; keep one")
    return cells
