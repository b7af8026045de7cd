"""What may be said of a multiverse, by rule: in how many specifications the claim holds, and which choice turns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..core.errors import StudyError
from ..core.frames import to_polars
from .multiverse import CHOICES

#: A choice turns the claim where the shares of its levels in which it holds lie at least so far apart.
TURNS = 0.5
_WORDS = {"truth_seed": "seed of the truth", "score_seed": "seed of the scores", "resampled": "unit of resampling"}


@dataclass(frozen=True)
class Share:
    """In how many specifications the claim holds, does not, cannot be told, and could not be asked."""

    holds: int
    fails: int
    open: int
    unasked: int

    @property
    def n(self) -> int:
        """The specifications that were asked."""
        return self.holds + self.fails + self.open

    @property
    def of_holding(self) -> float:
        return self.holds / self.n if self.n else float("nan")


@dataclass(frozen=True)
class Turn:
    """The choice whose levels lie furthest apart, with the share of each level."""

    choice: str
    levels: Mapping[str, Share]

    @property
    def most(self) -> str:
        return max(self.levels, key=lambda level: self.levels[level].of_holding)

    @property
    def least(self) -> str:
        return min(self.levels, key=lambda level: self.levels[level].of_holding)

    @property
    def width(self) -> float:
        return self.levels[self.most].of_holding - self.levels[self.least].of_holding


@dataclass(frozen=True)
class MultiverseSummary:
    """The counts of a multiverse and its sentence.

    Attributes
    ----------
    share: over all specifications. turn: the choice that turns the claim, None where no single one does.
    lowest, highest: the ends of the estimates of the difference. sentence: all of it in words.
    """

    better: str
    than: str
    share: Share
    turn: Turn | None
    lowest: float | None
    highest: float | None

    @property
    def sentence(self) -> str:
        return _sentence(self)


def summarise_multiverse(frame: Any) -> MultiverseSummary:
    """What `multiverse` answers, counted.

    The claim **holds** in a specification whose whole interval is above 0 (or above the margin, where one was given),
    does **not hold** where the whole interval is below, and **cannot be told** otherwise. A choice **turns** it where
    the share of specifications in which it holds differs by at least `TURNS` between two of its levels; of several such
    choices the widest is named, the first in the order of `CHOICES` among equals.

    `StudyError` for an empty table, or one of several claims.
    """
    table = to_polars(frame)
    if table.is_empty() or table.select("proxy", "other").n_unique() > 1:
        raise StudyError("multiverse: expected the specifications of one claim; filter first")
    turns = [turn for choice in CHOICES if (turn := _turn(table, choice)) is not None]
    turn = max(turns, key=lambda one: one.width, default=None)
    gaps = table["difference"].drop_nulls().to_list()
    ends = (min(gaps), max(gaps)) if gaps else (None, None)
    turned = turn if turn is not None and turn.width >= TURNS - 1e-12 else None
    return MultiverseSummary(table["proxy"][0], table["other"][0], _share(table), turned, *ends)


def _share(table: pl.DataFrame) -> Share:
    said = table["verdict"]
    holds, fails = int((said == "ahead").sum()), int((said == "behind").sum())
    unasked = said.null_count()
    return Share(holds, fails, len(said) - holds - fails - unasked, unasked)


def _turn(table: pl.DataFrame, choice: str) -> Turn | None:
    asked = table.drop_nulls("verdict")
    if asked[choice].n_unique() < 2:
        return None
    levels = {str(key): _share(part) for (key,), part in asked.group_by(choice, maintain_order=True)}
    return Turn(choice, levels)


def _sentence(summary: MultiverseSummary) -> str:
    share = summary.share
    claim = f"{summary.better} ranks better than {summary.than}"
    if not share.n:
        return f"Whether {claim} could be asked in none of {share.unasked} specifications."
    said = (
        f'"{claim}" holds in {share.holds} of {share.n} specifications, does not in {share.fails}, and cannot be told '
        f"in {share.open}; differences from {summary.lowest:+.3f} to {summary.highest:+.3f}."
    )
    if share.unasked:
        said += f" In {share.unasked} more it could not be asked."
    if summary.turn is None:
        return f"{said} No single choice turns it."
    turn = summary.turn
    least, most = (f"{one}: {turn.levels[one].holds} of {turn.levels[one].n}" for one in (turn.least, turn.most))
    return f"{said} What turns it is the {_WORDS.get(turn.choice, turn.choice)} ({most}; {least})."
