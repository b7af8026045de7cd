"""Two proxies followed step by step: the table of ``rival``."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...plots.style import proxy_label, statistic_label
from ...report.model import Table
from ...report.tables import plain_table
from ..items import Resampling
from .items import Comparison

#: A table of steps shows at most this many of them; its CSV file holds all.
MOST_ROWS = 20

_NOTE = (
    "Difference on the same architectures with its 95 % paired bootstrap band, which holds at all steps at once; "
    "'neither' where the band holds zero."
)


def rivals_table(item: Comparison, truth: pl.DataFrame, scores: pl.DataFrame, resampling: Resampling) -> Table:
    """The first statistic of both rivals at every step, and their difference."""
    assert item.rival is not None
    first, second = item.rival
    statistic = item.statistics[0]
    frame = stats.difference_by_step(
        truth,
        scores,
        first,
        second,
        statistic=statistic,
        n_boot=resampling.n,
        seed=resampling.seed,
        directions=dict(item.directions),
    )
    labels = {name: proxy_label(name) for name in (first, second)}
    shown = frame.select("step", "first", "second", "difference", "band_low", "band_high", "ahead")
    return plain_table(
        f"{item.name}-rivals",
        f"{statistic_label(statistic)}: {labels[first]} against {labels[second]}, step by step",
        shown.with_columns(pl.col("ahead").replace(labels)),
        ["step", labels[first], labels[second], "difference", "low", "high", "ahead"],
        ["d", ".3f", ".3f", "+.3f", "+.3f", "+.3f", "s"],
        _NOTE + (" Some steps are shown, all are in the CSV file." if len(shown) > MOST_ROWS else ""),
        rows=_some(len(shown)),
    )


def _some(n: int) -> list[int]:
    """All rows of a short table; of a long one about `MOST_ROWS`, evenly spaced in the logarithm."""
    if n <= MOST_ROWS:
        return list(range(n))
    return sorted({round(n ** (i / (MOST_ROWS - 1))) - 1 for i in range(MOST_ROWS)})
