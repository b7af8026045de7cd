"""Readings of a supernet set against each other."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl

from ... import stats
from ...plots.style import statistic_label
from ...report.model import Table
from ...report.published import by_cell
from ...report.tables import plain_table
from .frames import ItemFrames
from .items import BETWEEN


def between_table(run: ItemFrames) -> Table:
    """Rank correlation between readings themselves, truth left aside: mean and spread over supernets."""
    item = run.item
    published = by_cell(item.published, BETWEEN)
    statistic, rows = item.statistics[0], []
    for arm, (pair, labels) in product(item.arms, item.pairs.items()):
        values, n = _over_supernets(run.labelled(arm), *labels, statistic)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        printed = published.get(((arm.label, pair), statistic))
        text = printed.text if printed else None
        rows.append((arm.label, pair, float(np.mean(values)), spread, text, len(values), n))
    columns = ["supernet", "measures", statistic, "sd", "published", "supernets", "n_archs"]
    return plain_table(
        f"{item.name}-between",
        "Do the measures rank alike?",
        pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"published": pl.String()}),
        [item.words.one, "measures", statistic_label(statistic), "sd", "published", item.words.many, "n"],
        ["s", "s", ".3f", ".3f", "s", "d", "d"],
        "Of one measure with another on the same architectures, each turned so that higher is better.",
    )


def _over_supernets(rows: pl.DataFrame, first: str, second: str, statistic: str) -> tuple[list[float], int]:
    """The statistic between two proxies for each seed (NaN where undefined), and the number of architectures."""
    values, n = [], 0
    both = rows.filter(pl.col("proxy").is_in([first, second]))
    for one in both.partition_by("seed", maintain_order=True):
        matrix = stats.proxy_matrix(one, statistic=statistic, directions={first: 1, second: 1})
        row = matrix.row(by_predicate=(pl.col("first") == first) & (pl.col("second") == second), named=True)
        values.append(float("nan") if row["estimate"] is None else row["estimate"])
        n = row["n_archs"]
    return values, n
