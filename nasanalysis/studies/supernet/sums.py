"""Which sum of a supernet's readings ranks best: chosen on one half of the architectures, judged on the other."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...plots.style import statistic_label
from ...report.cells import with_interval, with_spread
from ...report.model import Table
from .frames import ItemFrames
from .items import PARAMETERS, Arm


def sums_table(run: ItemFrames) -> Table:
    """A row for each kind of supernet and number of terms: the best sum, what it gives where it was not chosen."""
    item, statistic = run.item, run.item.statistics[0]
    labels = {reading.name: reading.label for reading in item.readings} | {"params": PARAMETERS}
    parts = []
    for arm in item.arms:
        table = _best(run, arm, statistic)
        named = [" + ".join(labels[proxy] for proxy in text.split(" + ")) for text in table["sum"]]
        parts.append(table.with_columns(pl.Series("sum", named)).insert_column(0, pl.lit(arm.label).alias("supernet")))
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
    header = ["supernet", "sum", f"{where}, first half", f"{where}, other half", "minus the best part", "by rule"]
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
    names = {reading.label: reading.name for reading in run.item.readings} | {PARAMETERS: "params"}
    terms = [stats.Term(names[label], rule="z") for label in run.item.sums]
    scores = run.of(run.readings, arm).with_columns(step=None, unit=None)
    if PARAMETERS in run.item.sums:
        of_arm = scores.select("method", "setting", "seed").unique(maintain_order=True)
        params = run.params.drop("method", "setting", "seed").join(of_arm, how="cross")
        scores = pl.concat([scores, params.select(scores.columns).cast(scores.schema)])
    resampling = stats.Resampling(run.resampling.n, run.resampling.seed)
    table: pl.DataFrame = stats.best_sums(
        run.truth, scores.filter(pl.col("proxy").is_in([t.proxy for t in terms])), terms, statistic=statistic,
        resampling=resampling,
    )  # fmt: skip
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
        f"supernets, judged on the other {rest:,}: mean ± standard deviation over supernets."
    )
    if not drawn:
        return said
    over = " or ".join(drawn).replace("seeds", "supernets")
    return f"{said} Brackets: 95 % intervals, percentile bootstrap over {over}; the split and the choice are fixed."
