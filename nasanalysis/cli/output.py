"""What every command prints with: JSON or text on stdout, progress and notes on stderr."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    import polars as pl


def show(as_json: bool, value: Any, text: str) -> None:
    """`value` as JSON, or `text`."""
    print_json(value) if as_json else print(text)


def print_json(value: Any) -> None:
    """JSON on stdout; undefined numbers are null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and value != value else value


def print_table(frame: pl.DataFrame, title: str, digits: int = 3) -> None:
    """A frame as a table on stdout."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*(_cell(value, digits) for value in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def with_better(stats: pl.DataFrame, side: str = "") -> pl.DataFrame:
    """A frame with a column ``better`` for readers: ``lower (ours)``, ``higher (assumed)`` ...

    side: what its columns `direction` and `direction_source` begin with, and then the new one too.
    """
    import polars as pl

    begin = f"{side}_" if side else ""
    word = pl.when(pl.col(f"{begin}direction") == -1).then(pl.lit("lower")).otherwise(pl.lit("higher"))
    return stats.with_columns(pl.format("{} ({})", word, pl.col(f"{begin}direction_source")).alias(f"{begin}better"))


def _cell(value: object, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else escape(str(value))


def print_marked(markup: str) -> None:
    """One line on stdout with rich's markup (escape what is not ours), never broken."""
    Console(width=None if sys.stdout.isatty() else 160).print(markup, highlight=False, soft_wrap=True)


def progress(text: str) -> None:
    """One line of progress on stderr."""
    Console(stderr=True).print(escape(text), highlight=False)


def warn(kind: str, text: str) -> None:
    """``kind text`` on stderr, in yellow: ``skipped``, ``note:``."""
    Console(stderr=True).print(f"[yellow]{kind}[/] {escape(text)}", highlight=False, soft_wrap=True)


def check_suffix(path: Path, allowed: tuple[str, ...]) -> None:
    """Bad usage (exit code 2) where `path` ends in none of `allowed`."""
    if path.suffix not in allowed:
        raise typer.BadParameter(f"expected a file ending in {' or '.join(allowed)}, got {path}")
