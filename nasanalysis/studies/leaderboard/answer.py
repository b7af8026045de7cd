"""The answer of a leaderboard in sentences, by rule: which proxy at which budget, how much better, how sure.

At every budget (a cost that some entry has) the entry of highest estimate among those that cost no more is named.
Beside it stand its paired difference from the baseline with the interval and the verdict of that comparison, and every
entry of no higher cost in its tier, from which it is not told apart: that is no word for equal. A budget at which
nothing changes is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from ...plots.leaderboard import entry_label
from ...plots.style import proxy_label, statistic_label

_VERDICTS = {
    "ahead": "better than {bar}",
    "behind": "worse than {bar}",
    "equivalent": "as good as {bar}, within the margin",
    "not told apart": "not told apart from {bar}",
}


def answers(
    board: pl.DataFrame, baseline: str, cost_unit: str, beside: Callable[[str, int | None], str] = lambda *_: ""
) -> Iterator[str]:
    """A sentence for each budget at which another entry is best; `beside` adds what is to be said of an entry."""
    table = board.drop_nulls("estimate")
    named: set[tuple[str, int | None]] = set()
    for budget in table["cost"].drop_nulls().unique().sort():
        within = table.filter(pl.col("cost") <= budget)
        best = within.sort("estimate", descending=True, maintain_order=True).row(0, named=True)
        if (key := (best["proxy"], best["step"])) in named:
            continue
        named.add(key)
        said = _sentence(best, within, baseline, _budget(float(budget), cost_unit))
        yield said + beside(best["proxy"], best["step"])


def _budget(budget: float, unit: str) -> str:
    if not budget:
        return "Without training"
    return f"For {budget:,.3g} {unit[:-1] if budget == 1 and unit.endswith('s') else unit} an architecture"


def _sentence(best: Mapping[str, Any], within: pl.DataFrame, baseline: str, budget: str) -> str:
    said = (
        f"{budget}: {entry_label(best['proxy'], best['step'], best['unit'])}, {statistic_label(best['statistic'])} "
        f"{_with_ends(best['estimate'], best['ci_low'], best['ci_high'])}"
    )
    if best["verdict"] is not None:
        gap = _with_ends(best["minus_baseline"], best["minus_low"], best["minus_high"], sign="+")
        said += f"; {_VERDICTS[best['verdict']].format(bar=proxy_label(baseline))} ({gap})"
    tied = within.filter(pl.col("tier") == best["tier"], pl.col("rank") > best["rank"])
    if not tied.is_empty():
        names = [entry_label(p, s, u) for p, s, u in tied.select("proxy", "step", "unit").iter_rows()]
        said += f". Not told apart from it: {', '.join(names)}"
    return f"{said}."


def choice_of_truth(board: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> str | None:
    """What another truth does to the winner at the highest budget; None without another truth."""
    if not others:
        return None
    mine = _winner(board)
    changed = {name: winner for name, table in others.items() if (winner := _winner(table)) != mine}
    if not changed:
        return f"The winner stays {mine} on {' and on '.join(others)} too."
    return "; ".join(f"on {name} {winner} comes first" for name, winner in changed.items()).capitalize() + "."


def _winner(table: pl.DataFrame) -> str:
    best = table.drop_nulls("estimate").row(0, named=True)
    return entry_label(best["proxy"], best["step"], best["unit"])


def _with_ends(value: float | None, low: float | None, high: float | None, sign: str = "") -> str:
    if value is None:
        return "undefined"
    if low is None or high is None:
        return f"{value:{sign}.3f}"
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
