"""The learned bar of a leaderboard: what k trained architectures and a regressor give, for the cost of each entry.

To score n architectures at a cost of c each takes n c; to train k of them to the end, at a cost of t each, takes k t.
So an entry stands beside k = n c / t trained architectures, rounded down. The best of the entries that cost nothing,
and the baseline, stand beside every k that the item names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ... import stats
from ...core.errors import StudyError
from ...plots.leaderboard import entry_label
from ...plots.style import proxy_label
from ...proxies import direction_of
from ...proxies.graph import graph_features
from ...report.cells import number, with_interval
from ...report.model import Table
from ...stats.averages import mean_scores
from ..items import Resampling
from .items import LeaderboardItem

_ENTRY = ("proxy", "step")
_WORDS = {"ahead": "better", "behind": "worse", "equivalent": "within the margin", "not told apart": "not told apart"}

Entry = tuple[str, int | None]


@dataclass(frozen=True)
class LearnedBar:
    """What was compared.

    Attributes
    ----------
    rows: columns of `nasanalysis.stats.learned_bar` with proxy and step for the entry, and cost: of the k trained ones,
        for each architecture that is ranked.
    full: what training one architecture to the end costs. n: architectures that are ranked.
    trained: entry -> how many could be trained for its cost (0 for a free one).
    """

    rows: pl.DataFrame
    full: float
    n: int
    trained: Mapping[Entry, int]

    def beside(self, entry: Entry, k: int | None = None) -> list[dict[str, Any]]:
        """Rows of an entry, of one k or of all in order."""
        wanted = (pl.col("proxy") == entry[0]) & pl.col("step").eq_missing(pl.lit(entry[1], pl.Int64))
        rows = self.rows.filter(wanted if k is None else wanted & (pl.col("k") == k))
        return rows.sort("k").to_dicts()


def learned_beside(
    item: LeaderboardItem,
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    board: pl.DataFrame,
    full: float,
    draws: Resampling,
) -> LearnedBar:
    """Train k architectures for every cost of the board and every k of the item; needs scikit-learn."""
    known = board.drop_nulls(["estimate", "cost"])
    entries = {(p, s): _oriented(item, scores, p, s) for p, s in known.select(_ENTRY).iter_rows()}
    common = set(truth.drop_nulls("accuracy")["arch"])
    for table in entries.values():
        common &= set(table["arch"])
    archs = sorted(common)
    trained = {(p, s): int(len(archs) * cost / full + 1e-9) for p, s, cost in known.select(*_ENTRY, "cost").iter_rows()}
    most = len(set(stats.class_labels(archs).tolist())) - 1
    if lost := [k for k in item.learned if k > most or len(archs) - k < stats.FEWEST_TO_RANK]:
        raise StudyError(
            f"{item.name}: learned: expected k that leave {stats.FEWEST_TO_RANK} architectures and a functional class "
            f"to rank, of {len(archs):,} architectures of {most + 1:,} classes; got {lost[0]}"
        )
    free = [entry for entry, k in trained.items() if k == 0]
    shown = [entry for entry in free if entry in (free[0], (item.baseline, None))]  # the best of them, and the bar
    beside: dict[int, list[Entry]] = {k: list(shown) for k in item.learned}
    for entry, k in trained.items():
        if 2 <= k <= most and len(archs) - k >= 2 * stats.FEWEST_TO_RANK:
            beside.setdefault(k, []).append(entry)
    names = {entry: f"{entry[0]}|{entry[1]}" for entry in entries}
    of_name = {name: entry for entry, name in names.items()}
    frame = stats.learned_bar(
        truth.filter(pl.col("arch").is_in(archs)),
        graph_features(archs),
        {names[entry]: table.filter(pl.col("arch").is_in(archs)) for entry, table in entries.items()},
        {k: [names[entry] for entry in beside[k]] for k in sorted(beside)},
        draws=item.learned_draws,
        regressor=item.regressor,
        margin=item.margin,
        n_boot=draws.n,
        seed=draws.seed,
        level=draws.level,
    )
    both = [of_name.get(name, (None, None)) for name in frame["entry"]]
    rows = frame.with_columns(
        pl.Series("proxy", [p for p, _ in both], pl.String),
        pl.Series("step", [s for _, s in both], pl.Int64),
        cost=pl.col("k") * full / len(archs),
    )
    return LearnedBar(rows, full, len(archs), trained)


def _oriented(item: LeaderboardItem, scores: pl.DataFrame, proxy: str, step: int | None) -> pl.DataFrame:
    rows = scores.filter(pl.col("proxy") == proxy, pl.col("step").eq_missing(pl.lit(step, pl.Int64)))
    sign = direction_of(proxy, dict(item.directions)).sign
    means = mean_scores(rows.drop_nulls("value")).select("arch", value=sign * pl.col("value"))
    return means.filter(pl.col("value").is_finite())


def learned_sentence(bar: LearnedBar, entry: Entry, unit: str) -> str:
    """What stands beside an entry in the answer, by rule; a clause that ends in a full stop."""
    k = bar.trained.get(entry)
    if k is None:
        return ""
    if k >= bar.n:
        return f" For as much all {bar.n:,} architectures could be trained."
    if k:
        rows = bar.beside(entry, k)
        return f" {_for_as_much(rows[0])}" if rows else ""
    rows = bar.beside(entry)
    if not rows:
        return ""
    behind = [row for row in rows if row["verdict"] == "behind"]
    of = ", ".join(str(row["k"]) for row in rows)
    if not behind:
        return f" No k trained architectures and a regressor on the cell (k of {of}) are better than it for certain."
    first = behind[0]
    return (
        f" {first['k']} trained architectures and a regressor on the cell are better than it (Spearman's ρ "
        f"{with_interval(first['learned'], first['learned_low'], first['learned_high'], 3)}; the fewest of {of}), for "
        f"{first['cost']:.2g} {unit} an architecture that is ranked."
    )


def _for_as_much(row: Mapping[str, Any]) -> str:
    gap = f"{row['difference']:+.3f}"
    if row["ci_low"] is not None:
        gap += f" [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
    said = {"ahead": "the proxy is better", "behind": "the proxy is worse", "equivalent": "as good, within the margin"}
    words = said.get(row["verdict"], "the proxy is not told apart from that")
    learned = with_interval(row["learned"], row["learned_low"], row["learned_high"], 3)
    return (
        f"For as much {row['k']} architectures can be trained, and a regressor on the cell that learns from them ranks "
        f"the rest at {learned}: {words} ({gap})."
    )


def learned_table(item: LeaderboardItem, bar: LearnedBar, unit: str) -> Table:
    """A row for each k and entry that were set beside each other."""
    rows = [
        [
            str(row["k"]),
            number(row["cost"], 2),
            with_interval(row["learned"], row["learned_low"], row["learned_high"], 3),
            "–" if row["proxy"] is None else entry_label(row["proxy"], row["step"]),
            number(row["estimate"], 3),
            with_interval(row["difference"], row["ci_low"], row["ci_high"], 3),
            _WORDS.get(row["verdict"], "–"),
        ]
        for row in bar.rows.to_dicts()
    ]
    note = (
        f"A proxy must clear {proxy_label(item.baseline)} and this: k of the {bar.n:,} architectures are trained to "
        f"the end ({bar.full:,.4g} {unit} each), a {item.regressor.replace('_', ' ')} on the graph of the cell "
        f"ranks the rest, without their classmates. Cost: {unit} for each architecture that is ranked. An entry that "
        "costs something stands beside the k that cost as much. Same rests; brackets: the central 95 % over draws of "
        f"the trained ones ({item.learned_draws}) and resamples of the classes that are ranked."
    )
    header = ["trained", unit, "learned ρ", "entry", "its ρ", "minus learned", "beside learned"]
    title = "What do k trained architectures give for the same cost?"
    numeric = [True, True, True, False, True, True, False]
    return Table(f"{item.name}-learned", title, header, rows, bar.rows, numeric, note)
