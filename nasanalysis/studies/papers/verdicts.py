"""From intervals to a verdict, by one stated rule. Pure functions; nothing is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .model import Check

Word = Literal["holds", "does not hold", "in part", "cannot tell", "not tested"]
WORDS: tuple[Word, ...] = ("holds", "in part", "does not hold", "cannot tell", "not tested")

#: The rule, in words, for the page.
RULE = (
    "Holds: the whole 95 % interval lies on the claimed side. Does not hold: it lies wholly on the other. Cannot tell: "
    "neither, or there is no interval. A claim on several data sets or spaces holds where it holds on all; in part "
    "where it holds on some and does not on others; cannot tell otherwise, unless it fails on all. Orders are judged "
    "by the paired difference, which is above 0 where the claim holds (spreads over supernets by their ratio, above "
    "1); numbers by the side or the distance that the claim names."
)


@dataclass(frozen=True)
class Reading:
    """A number of ours. low, high: its interval; sd: over seeds; n: architectures (or seeds, of searches)."""

    estimate: float | None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A test with its word; `reading` is null where `why` says that it could not be read.

    `text`: what the item that judges the claim itself measured.
    """

    test: Check
    word: Word
    reading: Reading | None = None
    why: str = ""
    text: str = ""


def judge(test: Check, reading: Reading) -> Word:
    """What one reading says of one test."""
    low, high = reading.low, reading.high
    if test.exact and reading.estimate is not None:
        low = high = reading.estimate
    if low is None or high is None:
        return "cannot tell"
    if test.near is not None and test.within is not None:
        inside, outside = _within(low, high, test.near - test.within, test.near + test.within)
    elif test.below is not None:
        inside, outside = high < test.below, low > test.below
    else:
        bound = float(test.spread) if test.above is None else test.above
        inside, outside = low > bound, high < bound
    return "holds" if inside else "does not hold" if outside else "cannot tell"


def _within(low: float, high: float, least: float, most: float) -> tuple[bool, bool]:
    """Whether an interval lies wholly inside another, and whether wholly outside it."""
    return least <= low and high <= most, high < least or low > most


def combine(words: Sequence[Word]) -> Word:
    """The verdict of a claim from those of its tests; tests that could not be run do not count where others could."""
    run = [word for word in words if word != "not tested"]
    if not run:
        return "not tested"
    if len(set(run)) == 1:
        return run[0]
    return "in part" if {"holds", "does not hold"} <= set(run) else "cannot tell"
