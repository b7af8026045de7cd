"""A table as a page shows it: the column that answers first, what every row shares said once, numbers that sort.

The files of a table (Markdown, LaTeX, HTML, CSV) hold it as it was made; only the page leaves columns out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .model import Mark, Table

#: What a verdict can say: a column of nothing else is the one that answers.
VERDICTS = frozenset(
    (
        *("better", "worse", "not told apart", "within the margin", "as good", "ahead", "behind", "tied", "best"),
        *("baseline", "yes", "no", "holds", "does not hold", "cannot be told", "agrees", "differs"),
        *("confirmed", "not confirmed", "reproduced", "not reproduced"),
    )
)
#: Headings of columns that answer in words of their own.
ANSWERS = frozenset(("ahead", "verdict", "beats parameters?"))
#: Verdicts that are shown in colour.
GOOD = frozenset(("better", "ahead", "holds", "confirmed", "reproduced", "agrees"))
BAD = frozenset(("worse", "no: worse", "behind", "does not hold", "not confirmed", "not reproduced", "differs"))
#: Headings of counts, which say little where there is room for one number.
COUNTS = frozenset(("n", "missing", "step", "seeds", "classes", "runs each", "tier", "rank", "runs", "images seen"))
_ESTIMATE = re.compile(r" \[[^\]]*\]$| ± ")
_EMPTY = frozenset(["", "–", "-"])
_NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
#: Characters of a row that fit beside the contents at a desktop's width, one line each.
_FITS = 138
_PADDING, _WIDEST = 3, 40


@dataclass(frozen=True)
class Column:
    """A column that is shown.

    `lead`: ``name`` or ``value`` where it stands in the row's own line on a telephone, which folds the rest away.
    """

    label: str
    numeric: bool
    lead: str


@dataclass(frozen=True)
class Cell:
    """One cell: the text before the brackets, the brackets, and what it sorts by (null for text)."""

    text: str
    interval: str
    mark: Mark
    order: float | None
    column: Column


@dataclass(frozen=True)
class View:
    """What of a table is shown.

    Attributes
    ----------
    said: (heading, value) of the columns that are the same in every row. empty: headings of those without any value.
    stacked: whether intervals stand below their estimates, for the row would not fit beside them. dense: whether it
        does not even so, and is set smaller.
    """

    columns: list[Column]
    rows: list[list[Cell]]
    said: list[tuple[str, str]]
    empty: list[str]
    stacked: bool
    dense: bool

    @property
    def caption(self) -> str:
        """What the columns that are not shown hold, in a sentence; nothing where all are shown."""
        same = "; ".join(f"{heading}: {value}" for heading, value in self.said)
        none = f"No value of {', '.join(self.empty)}" if self.empty else ""
        lines = [f"In every row {same}" if same else "", none]
        return " ".join(f"{line}." for line in lines if line)


def view(table: Table) -> View:
    """The table for a page; its first shown column names the rows, the second is its verdict where it has one."""
    columns = [[row[j] for row in table.rows] for j in range(len(table.header))]
    several = len(table.rows) > 1
    empty = [j for j, cells in enumerate(columns) if several and set(cells) <= _EMPTY]
    same = [j for j, cells in enumerate(columns) if several and j not in empty and len(set(cells)) == 1]
    answer = next((j for j, cells in enumerate(columns) if j and _answers(table.header[j], cells)), None)
    kept = [j for j in range(len(columns)) if j not in empty and (j not in same or j == answer)]
    if answer is not None and kept[0] != answer:
        kept.remove(answer)
        kept.insert(1, answer)
    if not kept or kept == [answer]:
        kept = sorted({0, *kept})
    said = [(table.header[j], columns[j][0]) for j in same if j not in kept]
    leads = _leads(table, kept, answer)
    shown = [Column(table.header[j], table.numeric[j], leads.get(j, "")) for j in kept]
    rows = [
        [_cell(text, mark, column) for (text, mark), column in zip([line[j] for j in kept], shown, strict=True)]
        for line in table.marked_rows()
    ]
    stacked, dense = _width(shown, rows) > _FITS, _width(shown, rows, stacked=True) > _FITS
    return View(shown, rows, said, [table.header[j] for j in empty if j not in kept], stacked, dense)


def _answers(heading: str, cells: list[str]) -> bool:
    """Whether a column says so, or holds verdicts and nothing else."""
    if heading in ANSWERS:
        return True
    said = {cell for cell in cells if cell not in _EMPTY}
    return bool(said) and said <= VERDICTS


def _leads(table: Table, kept: list[int], answer: int | None) -> dict[int, str]:
    """The columns that name a row, its verdict, and the first number that is an estimate."""
    names = [kept[0]]
    for j in kept[1:]:  # as many as it takes to tell rows apart
        if len(names) == table.names or len({tuple(row[k] for k in names) for row in table.rows}) == len(table.rows):
            break
        if not table.numeric[j] and j != answer:
            names.append(j)
    numbers = [j for j in kept if table.numeric[j] and j not in names]
    estimates = [j for j in numbers if any(_ESTIMATE.search(row[j]) for row in table.rows)]
    values = [answer] if answer is not None else []
    values += (estimates or [j for j in numbers if table.header[j] not in COUNTS] or numbers)[:1]
    values = values or [j for j in kept if j not in names][:1]
    return {**dict.fromkeys(values, "value"), **dict.fromkeys(names, "name")}


def _cell(text: str, mark: Mark, column: Column) -> Cell:
    head, bracket, tail = text.partition(" [")
    whole = bool(bracket) and tail.endswith("]")
    return Cell(
        head if whole else text, f"[{tail}" if whole else "", mark, _order(text) if column.numeric else None, column
    )


def _order(text: str) -> float:
    """The first number of a cell; what has none sorts last in a falling order."""
    number = _NUMBER.search(text)
    return float(number[0].replace(",", "").replace("−", "-")) if number else -1e300


def _width(columns: list[Column], rows: list[list[Cell]], *, stacked: bool = False) -> int:
    """Characters of a row on one line, intervals beside or below their estimates."""
    total = 0
    for j, column in enumerate(columns):
        heads = max(map(len, column.label.split()), default=0)
        cells = ((len(row[j].text), len(row[j].interval)) for row in rows)
        widths = (max(pair) if stacked else sum(pair) + bool(pair[1]) for pair in cells)
        total += min(max(heads, *widths), _WIDEST) + _PADDING
    return total
