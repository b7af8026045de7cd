"""Which sum of a supernet's readings ranks best: chosen on one half of the architectures, judged on the other."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...plots.style import statistic_label
from ...report.cells import with_interval, with_spread
from ...report.model import Table
from .frames import ItemFrames
from .items import Arm


def sums_table(run: ItemFrames) -> Table:
    """A row for each kind of supernet and number of terms: the best sum, what it gives where it was not chosen."""
    item, statistic = run.item, run.item.statistics[0]
    parts = []
    for arm in item.arms:
        parts.append(_best(run, arm, statistic).insert_column(0, pl.lit(arm.label).alias("supernet")))
    data: pl.DataFrame = pl.concat(parts)
    cells = [
        [
            row["supernet"],
            row["sum"],
            f"{row['searched']:.3f}",
            with_spread(row["held_out"], row["sd"], 3),
            with_interval(row["gain"], row["ci_low"], row["ci_high"], 3) if row["gain"] is not None else "",
            _words(row),
        ]
        for row in data.iter_rows(named=True)
    ]
    where = statistic_label(statistic)
    header = [item.words.one, "sum", f"{where}, first half", f"{where}, other half", "minus the best part", "by rule"]
    return Table(
        f"{item.name}-sums",
        "Which sum ranks better than its best part?",
        header,
        cells,
        data,
        [False, False, True, True, True, False],
        _note(run, data),
    )


def _best(run: ItemFrames, arm: Arm, statistic: str) -> pl.DataFrame:
    terms = [stats.Term(label, rule="z", direction=1) for label in run.item.sums]
    table: pl.DataFrame = stats.best_sums(
        run.truth,
        run.labelled(arm).filter(pl.col("proxy").is_in(run.item.sums)),
        terms,
        statistic=statistic,
        resampling=stats.Resampling(run.resampling.n, run.resampling.seed),
    )
    return table


def _words(row: dict[str, object]) -> str:
    if row["size"] == 1:
        return "the best part"
    return {"ahead": "better", "behind": "worse"}.get(str(row["verdict"]), str(row["verdict"]))


def _note(run: ItemFrames, data: pl.DataFrame) -> str:
    n, rest = data["n_searched"][0], data["n_held_out"][0]
    drawn = sorted({text.partition(" over ")[2].partition(" (")[0] for text in data["interval"].drop_nulls()})
    said = (
        f"Every term standardised over the architectures of its half. Chosen on {n:,} architectures by the mean over "
        f"{run.item.words.many}, judged on the other {rest:,}: mean ± standard deviation over {run.item.words.many}."
    )
    if not drawn:
        return said
    over = " or ".join(drawn).replace("seeds", run.item.words.many)
    return f"{said} Brackets: 95 % intervals, percentile bootstrap over {over}; the split and the choice are fixed."
