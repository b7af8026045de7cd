"""The leaderboard at the top of a page: every entry of every study on every truth, to sort and to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..measures.names import reads
from ..plots.leaderboard import entry_label
from ..plots.lines import colour_of
from ..plots.style import statistic_label
from .cells import number, price
from .model import Board

#: What a proxy reads -> its family in words.
FAMILIES = {
    "archs": "read off the cell",
    "curves": "training curves",
    "scores": "recorded scores",
    "weights": "weights",
    "perturbed": "weights under noise",
}
#: The same of measures of networks, which are read from records of them.
MEASURED = {
    "one batch": "zero-cost, one batch",
    "weights": "weights",
    "gradients": "gradients of training",
    "training": "supernet",
}
WORDS = {"ahead": "better", "behind": "worse", "equivalent": "within the margin"}


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes
    ----------
    name, colour: of the proxy at its step. verdict: beside the baseline, in words. at: percent of the axis at which the
    estimate and the ends of its interval stand. address: of the section it comes from.
    """

    name: str
    colour: str
    verdict: str
    estimate: float
    said: str
    interval: str
    at: tuple[float, float, float]
    tier: str
    ranks: str
    difference: str
    ends: str
    minus: float | None
    cost: float | None
    price: str
    family: str
    benchmark: str
    truth: str
    subset: str
    address: str


@dataclass(frozen=True)
class Leaderboard:
    """The rows, in the order of the boards; statistic and baseline in words; where zero stands on the axis, in percent.

    `choices`: (name of a column, what stands there in the order of the rows), for the reader to choose from.
    """

    entries: list[Entry]
    statistic: str
    low: float
    zero: float

    @property
    def choices(self) -> list[tuple[str, list[str]]]:
        columns = ("benchmark", "truth", "subset", "family")
        return [(column, list(dict.fromkeys(getattr(entry, column) for entry in self.entries))) for column in columns]

    @property
    def first(self) -> Entry:
        """Whose benchmark, truth and subset are shown at first."""
        return self.entries[0]


def leaderboard(boards: Sequence[tuple[str, Board]]) -> Leaderboard | None:
    """The leaderboard of (address of a section, board) pairs; null where there is none.

    The statistic is that of the first; boards of others are left out. Of boards with one benchmark, truth and subset
    that of most entries is shown, for tiers are those of one comparison.
    """
    if not boards:
        return None
    statistic = str(boards[0][1].frame["statistic"][0])
    chosen: dict[tuple[str, ...], tuple[str, Board]] = {}
    for address, board in boards:
        key = (board.benchmark, board.truth, board.subset)
        if board.frame["statistic"][0] == statistic and (
            key not in chosen or len(board.frame) > len(chosen[key][1].frame)
        ):
            chosen[key] = (address, board)
    rows = [(address, board, row) for address, board in chosen.values() for row in _rows(board)]
    low = min(0.0, *(value for _, _, row in rows for value in (row["estimate"], row["ci_low"]) if value is not None))
    entries = [_entry(address, board, row, low) for address, board, row in rows]
    return Leaderboard(entries, statistic_label(statistic), low, _percent(0.0, low)) if entries else None


def _rows(board: Board) -> Iterator[dict[str, Any]]:
    yield from board.frame.drop_nulls("estimate").iter_rows(named=True)


def _entry(address: str, board: Board, row: dict[str, Any], low: float) -> Entry:
    ends = [row["estimate"] if row[end] is None else row[end] for end in ("ci_low", "ci_high")]
    bar = row["proxy"] == board.baseline
    return Entry(
        name=entry_label(row["proxy"], row["step"], row["unit"]),
        colour=colour_of(row["proxy"]),
        verdict="the bar" if bar else WORDS.get(row["verdict"], row["verdict"] or "–"),
        estimate=row["estimate"],
        said=number(row["estimate"], 3),
        interval="" if row["ci_low"] is None else f"[{number(row['ci_low'], 3)}, {number(row['ci_high'], 3)}]",
        at=(_percent(row["estimate"], low), _percent(ends[0], low), _percent(ends[1], low)),
        tier="–" if row["tier"] is None else str(row["tier"]),
        ranks=_ranks(row),
        difference="–" if row["minus_baseline"] is None else f"{row['minus_baseline']:+.3f}",
        ends="" if row["minus_low"] is None else f"[{row['minus_low']:+.3f}, {row['minus_high']:+.3f}]",
        minus=row["minus_baseline"],
        cost=row["cost"],
        price=price(row["cost"], board.unit),
        family=_family(row["proxy"], row["needs"]),
        benchmark=board.benchmark,
        truth=board.truth,
        subset=board.subset,
        address=address,
    )


def _ranks(row: dict[str, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    return "–" if low is None else str(low) if low == high else f"{low} to {high}"


def _percent(value: float, low: float) -> float:
    """Where a correlation stands on an axis from `low` to 1."""
    return round(100 * (value - low) / (1 - low), 1)


def _family(proxy: str, needs: str) -> str:
    return MEASURED[reads(proxy)] if needs == "supernet" else FAMILIES.get(needs, needs)
