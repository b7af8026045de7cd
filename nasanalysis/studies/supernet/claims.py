"""Published claims that one reading ranks better than another, each judged by the interval of the difference here."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ... import stats
from ...plots.style import statistic_label
from ...report.cells import number, with_interval
from ...report.model import Table
from ...stats.alignment import aligned_seeds
from ...stats.registry import get_statistic
from ...stats.seeds import paired_seeds
from ...stats.series import Series
from .frames import ItemFrames, resampling_of
from .items import Arm, Claim

#: Verdict on the difference -> what it says of the claim.
SAYS = {"ahead": "holds", "behind": "does not hold", "equivalent": "does not hold", "not told apart": "cannot tell"}
COLUMNS = {
    "supernet": pl.String(), "claim": pl.String(), "where": pl.String(), "better": pl.String(), "than": pl.String(),
    "first": pl.Float64(), "second": pl.Float64(), "difference": pl.Float64(), "ci_low": pl.Float64(),
    "ci_high": pl.Float64(), "interval": pl.String(), "verdict": pl.String(), "n_archs": pl.Int64(),
}  # fmt: skip


def claims_table(run: ItemFrames) -> Table:
    """A row for each claim and kind of weights."""
    item = run.item
    rows = [_judged(run, arm, claim) for claim in item.claims for arm in item.arms]
    data = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    several = len(item.arms) > 1
    cells = [
        [
            *([row["supernet"]] if several else []),
            row["claim"],
            row["verdict"],
            with_interval(row["difference"], row["ci_low"], row["ci_high"], 3),
            number(row["first"], 3),
            number(row["second"], 3),
            row["where"] or "–",
        ]
        for row in data.iter_rows(named=True)
    ]
    header = ["claim", "here", "difference", "first", "second", "claimed in"]
    return Table(
        f"{item.name}-claims",
        "What was claimed, and what holds here",
        [*([item.words.one] if several else []), *header],
        cells,
        data,
        [*([False] if several else []), False, False, True, True, True, False],
        f"Difference: {statistic_label(item.statistics[0])} of the first reading minus that of the second, paired, on "
        "the architectures that both score. Holds: its whole 95 % interval is above 0; does not hold: below 0; "
        f"otherwise it cannot be told ({max(data['n_archs'].to_list()):,} architectures).",
    )


_PLURAL = {"holds": "hold", "does not hold": "do not hold", "cannot tell": "cannot be told"}


def claims_said(table: Table) -> tuple[str, ...]:
    """How many claims of the table hold, in a sentence."""
    counts = dict(table.data["verdict"].value_counts().iter_rows())
    parts = [f"{counts[word]} {plural}" for word, plural in _PLURAL.items() if word in counts]
    return (f"Of {len(table.data)} published claims {', '.join(parts)} here.",)


def _judged(run: ItemFrames, arm: Arm, claim: Claim) -> tuple[Any, ...]:
    measure = get_statistic(run.item.statistics[0])
    first, second = (series_of(run, arm, label) for label in (claim.better, claim.than))
    several = resampling_of(run.of(run.readings, arm)) == "nested"
    resampling = stats.Resampling(run.resampling.n, run.resampling.seed, unit="nested" if several else "class")
    gap, interval = paired_seeds(measure, first, second, resampling)
    low, high = (interval.low, interval.high) if interval else (None, None)
    used = np.logical_and.reduce([one.used for one in (*first, *second)])
    y = first[0].truth.values[used]
    means = [float(np.mean([measure(one.values[used], y) for one in side])) for side in (first, second)]
    said = SAYS[stats.verdict(gap, low, high)]
    place = (arm.label, claim.says, claim.where, claim.better, claim.than)
    return (*place, *means, gap, low, high, str(interval) if interval else None, said, int(used.sum()))


def series_of(run: ItemFrames, arm: Arm, label: str) -> list[Series]:
    """The reading of that label, or the parameters, of one arm beside the truth, a series for each seed."""
    rows = run.labelled(arm).filter(proxy=label)
    [members] = aligned_seeds(run.truth, rows, directions={label: 1})
    return members
