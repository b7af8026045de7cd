"""What a report is made of: sections of tables and figures. Plain data; `writer` puts it into files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Table:
    """A table as a reader sees it, and the numbers behind it.

    Attributes
    ----------
    name: file stem; header and rows: formatted text, one list for each row.
    data: the raw numbers (what the CSV file holds).
    numeric: which columns are numbers, set right-aligned.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    data: pl.DataFrame
    numeric: list[bool]
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure to draw: `draw` returns Axes; `data` are the numbers it shows."""

    name: str
    caption: str
    draw: Callable[[], Axes]
    data: pl.DataFrame


@dataclass(frozen=True)
class Section:
    """One comparison of a study."""

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Result:
    """A study that has been run.

    `skipped` says in words which comparisons could not run here and why.
    """

    name: str
    title: str
    description: str
    sections: tuple[Section, ...]
    provenance: dict[str, Any]
    skipped: tuple[str, ...] = field(default=())
