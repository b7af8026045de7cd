"""Numbers of ours, from items of studies: each item runs once, whatever asks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import fdtri, stdtrit

from ... import stats
from ...core.errors import MissingDataError, MissingExtraError, StudyError
from ...loaders.sources import Sources
from ...report.model import Section
from ...search.selected import t_interval
from ...stats.registry import Statistic
from ...stats.resampling import Resampling
from ...stats.seeds import paired_seeds
from ...stats.series import Series
from ..diffsearch.items import DiffSearchItem
from ..diffsearch.section import selections
from ..items import Item
from ..supernet.claims import claims_table, series_of
from ..supernet.frames import ItemFrames, resampling_of
from ..supernet.items import SupernetItem
from ..supernet.measured import MeasuredFrames, MeasuredItem
from .model import Check, Look
from .reading import item_of
from .searched import searched
from .verdicts import Reading

#: What of an item's section no number of ours is read from, so that it need not be computed.
_LEFT_OUT = {
    "figures": (),
    "sums": (),
    "claims": (),
    "spread": False,
    "shares": (),
    "recorded": None,
    "second_truth": None,
}


class NotHere(Exception):
    """A number that cannot be had on this machine; the message says why."""


class Claimed(NamedTuple):
    """What an item says of a claim of its own: a verdict for each part, and what was measured, in words or numbers."""

    words: list[str]
    text: str
    reading: Reading | None


class Evidence:
    """Sections of studies' items and the frames behind them, each made once.

    `sources` records what is read; `resampling` is that of every item.
    """

    def __init__(self, sources: Sources, resampling: Resampling) -> None:
        self.sources, self.resampling = sources, resampling
        self._sections: dict[str, Section | NotHere] = {}
        self._runs: dict[str, ItemFrames] = {}
        self._judged: dict[str, pl.DataFrame] = {}

    def section(self, name: str) -> Section:
        """The section of ``STUDY/ITEM``; `NotHere` where a file of it, or the study, is not there."""
        if name not in self._sections:
            self._sections[name] = self._made(name)
        made = self._sections[name]
        if isinstance(made, NotHere):
            raise made
        return made

    def _made(self, name: str) -> Section | NotHere:
        item = item_of(name)
        if item is None:
            return NotHere(f"no study has {name} yet")
        if isinstance(item, SupernetItem):
            item = item.model_copy(update=_LEFT_OUT)
        try:
            return item.section(self.sources, self.resampling)
        except (MissingDataError, MissingExtraError) as error:
            return NotHere(_missing(error))

    def read(self, look: Look, words: Mapping[str, str] | None = None) -> Reading:
        """The number at `look`, whose `where` may name `words` in braces; `NotHere`, or `StudyError` where no one row
        is meant."""
        rows = self._table(look)
        where = {column: text.format_map(words or {}) for column, text in look.where.items()}
        if lost := [column for column in (*where, look.column) if column not in rows.columns]:
            raise StudyError(f"{look.item}: expected a column of {', '.join(rows.columns)}, got {lost[0]!r}")
        for column, text in where.items():
            rows = rows.filter(pl.col(column).cast(pl.String).fill_null("") == text)
        if len(rows) != 1:
            said = ", ".join(f"{column} = {text}" for column, text in where.items())
            raise StudyError(f"{look.item}: expected one row with {said}, got {len(rows)}")
        row = rows.row(0, named=True)
        if look.exact and row[look.column] is None:
            raise NotHere(f"{look.item} has no number there yet")
        low, high, sd, n = (row.get(name) for name in (look.low, look.high, look.sd, look.n))
        if look.exact:  # what stands in the columns of an interval is that of another number of the row
            low = high = sd = None
        elif low is None or high is None:
            low, high = _over_seeds(row[look.column], sd, row.get("n_score_seeds", row.get("supernets")))
        return Reading(
            _number(row[look.column]), _number(low), _number(high), _number(sd), None if n is None else int(n)
        )

    def _table(self, look: Look) -> pl.DataFrame:
        tables = {table.name: table.data for table in self.section(look.item).tables}
        name = look.table or next(iter(tables), "")
        if name not in tables:
            raise StudyError(f"{look.item}: expected a table of {', '.join(tables) or 'none'}, got {name!r}")
        return tables[name]

    # --- orders -----------------------------------------------------------------------------------------

    def order(self, test: Check) -> Reading:
        """The paired difference of `better` and `than`, above 0 where better is so; `NotHere` where a file is not."""
        item = item_of(test.item)
        if item is None:
            raise NotHere(f"no study has {test.item} yet")
        try:
            if isinstance(item, DiffSearchItem):
                return searched(selections(item, self.sources), test)
            return self._ranked(item, test)
        except (MissingDataError, MissingExtraError) as error:
            raise NotHere(_missing(error)) from error

    def _ranked(self, item: Item, test: Check) -> Reading:
        assert isinstance(item, SupernetItem)
        statistic = test.statistic or item.statistics[0]
        measure = stats.get_statistic(statistic)
        run = self._run(test.item, item)
        arms = {arm.label: arm for arm in item.arms}
        sides = [arms[label] for label in test.arms] or [item.arms[0]]
        one, other = sides[0], sides[-1]
        first, second = _of_shared_seeds(series_of(run, one, test.better), series_of(run, other, test.than), test)
        if test.spread:
            return _spreads(measure, first, second)
        if measure.interval != "bootstrap":  # of extremes no architectures can be drawn again, but seeds can
            return _by_seed(measure, first, second)
        several = len(first) > 1 and resampling_of(run.of(run.readings, one)) == "nested"
        how = stats.Resampling(self.resampling.n, self.resampling.seed, unit="nested" if several else "class")
        gap, interval = paired_seeds(measure, first, second, how)
        used = np.logical_and.reduce([series.used for series in (*first, *second)])
        low, high = (interval.low, interval.high) if interval else (None, None)
        return Reading(gap, low, high, n=int(used.sum()))

    def _run(self, name: str, item: SupernetItem) -> ItemFrames:
        if name not in self._runs:
            given = (self.sources, self.sources.benchmark(item.benchmark), self.resampling)
            if isinstance(item, MeasuredItem):
                self._runs[name] = MeasuredFrames(item, *given)
            else:
                self._runs[name] = ItemFrames(item, *given)
        return self._runs[name]

    def claimed(self, check: Check) -> Claimed:
        """What the item itself says of its claim of that text; `NotHere` where a file is not."""
        item = item_of(check.item)
        if isinstance(item, SupernetItem):
            return self._claimed_of(item, check)
        tables = [
            table.data for table in self.section(check.item).tables if {"claim", "verdict"} <= set(table.data.columns)
        ]
        columns = ("claim", "of", "ours", "verdict")
        rows = pl.concat([table.select(columns) for table in tables]) if tables else None
        known = [] if rows is None else rows["claim"].unique(maintain_order=True).to_list()
        if rows is None or check.claimed not in known:
            raise StudyError(f"{check.item}: expected a claim of {'; '.join(known) or 'none'}, got {check.claimed!r}")
        rows = rows.filter(claim=check.claimed)
        if lost := [arm for arm in check.arms if arm not in rows["of"]]:
            raise StudyError(f"{check.item}: expected parts of {', '.join(rows['of'])}, got {lost[0]!r}")
        if check.arms:
            rows = rows.filter(pl.col("of").is_in(check.arms))
        words, texts = rows["verdict"].to_list(), rows["ours"].to_list()
        return Claimed(words, texts[0] if len(texts) == 1 else f"{words.count('holds')} of {len(words)} hold", None)

    def _claimed_of(self, item: SupernetItem, check: Check) -> Claimed:
        """Of readings of supernets: the verdict with its difference."""
        arm = check.arms[0] if check.arms else item.arms[0].label
        if check.item not in self._judged:
            try:
                self._judged[check.item] = claims_table(self._run(check.item, item)).data
            except (MissingDataError, MissingExtraError) as error:
                raise NotHere(_missing(error)) from error
        row = self._judged[check.item].filter(claim=check.claimed, supernet=arm).row(0, named=True)
        reading = Reading(row["difference"], row["ci_low"], row["ci_high"], n=row["n_archs"])
        return Claimed([row["verdict"]], "", reading)

    # --- choices ----------------------------------------------------------------------------------------

    def share(self, name: str) -> str:
        """In how many specifications of a multiverse a claim holds, in words."""
        data = self.section(name).tables[0].data
        row = data.filter(choice="all").row(0, named=True)
        return f"{row['holds']} of {row['n']} choices, fails in {row['fails']}"


def _over_seeds(mean: Any, sd: Any, n: Any) -> tuple[float | None, float | None]:
    """Student's interval of a mean over supernets, where there is none over architectures."""
    if mean is None or sd is None or n is None or n < 2:
        return None, None
    half = float(stdtrit(n - 1, 0.975)) * float(sd) / math.sqrt(n)
    return float(mean) - half, float(mean) + half


def _of_shared_seeds(first: list[Series], second: list[Series], test: Check) -> tuple[list[Series], list[Series]]:
    """The supernets that both have, which the same seed pairs."""
    seeds = {one.seed for one in first} & {one.seed for one in second}
    if not seeds:
        raise StudyError(f"{test.item}: expected seeds that {' and '.join(test.arms)} share, got none")
    return [one for one in first if one.seed in seeds], [one for one in second if one.seed in seeds]


def _spreads(measure: Statistic, first: Sequence[Series], second: Sequence[Series]) -> Reading:
    """Ratio of the standard deviations of a statistic over supernets, with the interval of two normal samples (F).

    The supernets of both are the same, and are read as if they were not: their spreads are not paired.
    """
    used = np.logical_and.reduce([series.used for series in (*first, *second)])
    y = first[0].truth.values[used]
    one, other = (np.array([measure(each.values[used], y) for each in side]) for side in (first, second))
    n = int(used.sum())
    if len(one) < 2 or other.std() == 0:
        return Reading(None, n=n)
    ratio = float(one.std(ddof=1) / other.std(ddof=1))
    width = math.sqrt(float(fdtri(len(one) - 1, len(other) - 1, 0.975)))
    return Reading(ratio, ratio / width, ratio * width, n=n)


def _by_seed(measure: Statistic, first: Sequence[Series], second: Sequence[Series]) -> Reading:
    """The difference seed by seed, with Student's interval."""
    used = np.logical_and.reduce([series.used for series in (*first, *second)])
    y = first[0].truth.values[used]
    gaps = np.array(
        [measure(a.values[used], y) - measure(b.values[used], y) for a, b in zip(first, second, strict=True)]
    )
    return Reading(float(gaps.mean()), *t_interval(gaps, 0.95), n=int(used.sum()))


def _missing(error: Exception) -> str:
    return f"needs data: {getattr(error, 'short', error)}"


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
