"""Published claims, judged by rules: what an interval allows to say, and nothing more.

A rule gives *parts*, each an estimate that is above 0 where the claim holds, with its interval. A part *holds* where
the interval lies wholly above 0, *does not hold* where it lies wholly below, else nobody *can tell*; a claim whose
parts differ holds *in part*. Where several parts are compared at once, intervals are Bonferroni's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl
from pydantic import model_validator

from ..core.toml import StrictModel
from ..report.model import Table

NOT_TESTED = "not tested"


class PublishedClaim(StrictModel):
    """A claim that somebody published, and the rule that judges it.

    Attributes
    ----------
    claim: in our words. published: the figure, as printed; "" for a claim without one. where: publication and place.
    why: for a claim that is not tested: the reason, and what would test it.
    """

    rule: str
    claim: str
    published: str = ""
    where: str
    why: str = ""

    @model_validator(mode="after")
    def _reason(self) -> Self:
        if (self.rule == NOT_TESTED) != bool(self.why):
            raise ValueError(f"{self.claim!r}: expected why with rule = {NOT_TESTED!r}, and with no other rule")
        return self


@dataclass(frozen=True)
class Part:
    """Attributes
    ----------
    label: what of; "" where a claim has one part. low, high: of the estimate; None where nothing is known.
    text: what a reader sees.
    """

    label: str
    low: float | None
    high: float | None
    text: str

    @property
    def verdict(self) -> str:
        if self.low is None or self.high is None:
            return "cannot tell"
        return "holds" if self.low > 0 else "does not hold" if self.high < 0 else "cannot tell"


def together(parts: list[Part]) -> str:
    """One verdict of all parts; those that differ from the rest are named."""
    kinds = dict.fromkeys(part.verdict for part in parts)
    if len(kinds) == 1:
        return next(iter(kinds))
    said = [f"{kind}: {', '.join(p.label for p in parts if p.verdict == kind)}" for kind in kinds]
    return f"in part ({'; '.join(said)})"


@dataclass(frozen=True)
class Judged:
    """A claim, the parts that its rule gives (none where it is not tested), and the verdict of all together."""

    claim: PublishedClaim
    parts: list[Part]

    @property
    def verdict(self) -> str:
        return together(self.parts) if self.parts else NOT_TESTED

    @property
    def sentence(self) -> str:
        return f"{self.claim.claim}: {self.verdict}."

    def rows(self) -> list[dict[str, str]]:
        """One for each part."""
        head = {"claim": self.claim.claim, "published": self.claim.published or "–"}
        where = {"where": self.claim.where}
        if not self.parts:
            return [{**head, "of": "–", "ours": self.claim.why, "verdict": NOT_TESTED, **where}]
        return [{**head, "of": p.label or "–", "ours": p.text, "verdict": p.verdict, **where} for p in self.parts]


def _of_one(judged: Judged, columns: list[str]) -> list[list[str]]:
    """Its rows; what is said of the claim as a whole stands in the first alone."""
    rows = [[row[column] for column in columns] for row in judged.rows()]
    whole = [columns.index(column) for column in ("claim", "published", "where")]
    return [rows[0], *([("" if i in whole else cell) for i, cell in enumerate(row)] for row in rows[1:])]


def claims_table(name: str, judged: Sequence[Judged], note: str = "") -> Table:
    """One row for each part of each claim; `note` ends the table's own."""
    columns = ["claim", "published", "of", "ours", "verdict", "where"]
    frame = pl.DataFrame([row for one in judged for row in one.rows()]).select(columns)
    rows = [row for one in judged for row in _of_one(one, columns)]
    title, note = "What was claimed, and what holds here", f"{_NOTE} {note}".strip()
    return Table(f"{name}-claims", title, columns, rows, frame, [False] * 6, note)


_NOTE = (
    "Holds: the whole interval lies on the claimed side; does not hold: on the other; cannot tell: neither. Where "
    "several are compared at once, intervals are Bonferroni's. An interval with both sides in it does not say that "
    "there is no difference."
)
