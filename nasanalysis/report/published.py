"""Figures that somebody else published, in one shape: they stand beside ours and never in place of ours.

A study file lists them with the item that they belong to::

    published = [
      { row = ["SPOS", "SoTL"], column = "spearman_rho", value = "0.78", spread = "0.06", where = "thesis, Table 4.1" },
    ]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from ..core.toml import Many, StrictModel

#: A number as printed: ``0.78``, ``-1``, ``15 625``, ``10^18``.
_NUMBER = r"^[-+]?(\d{1,3}([ ,]\d{3})+|\d*\.?\d+|\d+\^\d+)$"

#: (row, column) -> what is printed there.
Cells = dict[tuple[tuple[str, ...], str], "Published"]


class Published(StrictModel):
    """One published figure.

    Attributes
    ----------
    table: which table of an item, where it has several; "" for its first.
    row: what names the row of our table, such as (dataset, proxy), (supernet, measure) or (space,).
    column: what names the column: a statistic, or a column of the table's CSV file.
    value: the number as printed, so that its digits are kept. spread: its standard deviation, as printed.
    n: over how many runs or architectures it was taken, where that is said.
    where: publication and table.
    """

    table: str = ""
    row: Many[str] = Field(min_length=1)
    column: str
    value: Annotated[str, Field(pattern=_NUMBER)]
    spread: Annotated[str, Field(pattern=_NUMBER)] | None = None
    n: int | None = Field(default=None, ge=1)
    where: str

    @property
    def number(self) -> float:
        """`value` to compute with."""
        base, power, exponent = self.value.replace(" ", "").replace(",", "").partition("^")
        return float(base) ** int(exponent) if power else float(base)

    @property
    def deviation(self) -> float | None:
        """`spread` to compute with."""
        return None if self.spread is None else float(self.spread)

    @property
    def text(self) -> str:
        """As a table shows it: ``0.78``, or ``0.78 (0.06)`` with its spread; thousands as ours are, ``15,625``."""
        value = re.sub(r"(?<=\d) (?=\d{3}(?!\d))", ",", self.value)
        return value if self.spread is None else f"{value} ({self.spread})"


def by_cell(figures: Iterable[Published], table: str = "") -> Cells:
    """(row, column) -> figure, of those that belong to `table`."""
    return {(figure.row, figure.column): figure for figure in figures if figure.table == table}


def places(figures: Iterable[Published]) -> str:
    """Where the figures stand, each place once, for a table's note."""
    return "; ".join(dict.fromkeys(figure.where for figure in figures))
