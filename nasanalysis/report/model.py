"""What a report is made of: sections of tables and figures. Plain data; `writer` puts it into files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mark(Flag):
    """Emphasis of a cell: the best of its column (bold), the second (underlined), not told from the best (dagger)."""

    NONE = 0
    BEST = auto()
    SECOND = auto()
    TIE = auto()

    @property
    def words(self) -> str | None:
        """``best``, ``second``, ``tie`` or ``second, tie``; null without emphasis: what a CSV file says."""
        return ", ".join(m.name.lower() for m in Mark if m in self and m.name) or None


@dataclass(frozen=True)
class Table:
    """A table as a reader sees it, and the numbers behind it.

    Attributes
    ----------
    name: file stem; header and rows: formatted text, one list for each row.
    data: the raw numbers (what the CSV file holds).
    numeric: which columns are numbers, set right-aligned.
    marks: emphasis of each cell of `rows`; empty for none.
    names: how many columns name a row on a telephone, whose rows fold; 0: as many as it takes to tell rows apart.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    data: pl.DataFrame
    numeric: list[bool]
    note: str = ""
    marks: list[list[Mark]] = field(default_factory=list)
    names: int = 0

    def marked_rows(self) -> list[list[tuple[str, Mark]]]:
        """`rows` with the emphasis of each cell beside its text."""
        marks = self.marks or [[Mark.NONE] * len(line) for line in self.rows]
        return [list(zip(line, cells, strict=True)) for line, cells in zip(self.rows, marks, strict=True)]


@dataclass(frozen=True)
class Figure:
    """A figure to draw: `draw` returns Axes; `data` are the numbers it shows.

    `chart`: makes a Vega-Lite specification that a page shows in place of the still figure where scripts run; null for
    none. `chart_caption`: what a reader can do with it.
    """

    name: str
    caption: str
    draw: Callable[[], Axes]
    data: pl.DataFrame
    chart: Callable[[], dict[str, Any]] | None = None
    chart_caption: str = ""


@dataclass(frozen=True)
class Board:
    """Entries that were compared on one truth, for the leaderboard at the top of a page.

    Attributes
    ----------
    frame: of `nasanalysis.stats.leaderboard`; its column ``cost`` is in `unit`.
    benchmark, truth, subset: in words; which of them a reader chooses by. baseline: the bar of the differences.
    """

    frame: pl.DataFrame
    benchmark: str
    truth: str
    subset: str
    baseline: str = "params"
    unit: str = "epochs"


@dataclass(frozen=True)
class Section:
    """One comparison of a study.

    `answer`: sentences, made by rule from its verdicts, that stand at the top of the page. `boards`: what it adds to
    the leaderboard.
    """

    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    answer: tuple[str, ...] = ()
    boards: tuple[Board, ...] = ()


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

    @property
    def answers(self) -> list[tuple[str, tuple[str, ...]]]:
        """(title, sentences) of the sections that have an answer."""
        return [(section.title, section.answer) for section in self.sections if section.answer]
