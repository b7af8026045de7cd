"""How far the architectures lie apart in every reading of a supernet."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...core.means import exact_means
from ...plots.style import proxy_axis
from ...report.cells import significant
from ...report.model import Table
from ...report.tables import plain_table
from .frames import ARM, ItemFrames


def spread_table(run: ItemFrames) -> Table:
    """How far the architectures lie apart in every reading: raw scores, means over supernets."""
    means = exact_means(run.readings, [*ARM, "proxy", "step", "arch"], "value")
    rows = []
    for arm in run.item.arms:
        for reading in run.item.readings:
            one = run.of(means, arm).filter(pl.col("proxy") == reading.name, pl.col("step").eq_missing(reading.step))
            ends = np.quantile(one["value"].to_numpy(), [0.0, 0.5, 1.0]).tolist()
            rows.append((arm.label, reading.label, reading.step, _unit(reading.name), *ends, len(one)))
    columns = ["supernet", "measure", "minibatches", "unit", "lowest", "median", "highest", "n_archs"]
    return plain_table(
        f"{run.item.name}-spread",
        "How far the architectures lie apart",
        pl.DataFrame(rows, schema=columns, orient="row"),
        [run.item.words.one, "measure", run.item.words.steps, *columns[3:-1], "n"],
        ["s", "s", "d", "s", significant, significant, significant, "d"],
        f"Lowest, median and highest over the architectures, each a mean over the {run.item.words.many}.",
    )


def _unit(proxy: str) -> str:
    """As its axis is labelled; "" where it has none."""
    return next((unit for unit in ("%", "nats", "radians") if proxy_axis(proxy).endswith(f"({unit})")), "")
