"""How much of the vector behind an angle is the same for every architecture."""

from __future__ import annotations

import polars as pl

from ...report.model import Table
from ...report.tables import plain_table
from .frames import ItemFrames


def shares_table(run: ItemFrames) -> Table:
    """Fixed share of squared length, before and after training: a row for each kind of supernet and angle."""
    trace = run.sources.frame(run.item.shares, "TRACE")
    rows = []
    for arm in run.item.arms:
        of_arm = run.of(trace, arm)
        for reading in run.item.readings:
            values = [
                of_arm.filter(quantity=f"{reading.name}:{when}")["value"] for when in ("fixed_before", "fixed_after")
            ]
            if values[0].is_empty():
                continue
            means = [100 * float(v.to_numpy().mean()) for v in values]
            rows.append((arm.label, reading.label, int(of_arm["epoch"].to_numpy().max()), *means, len(values[0])))
    columns = ["supernet", "measure", "epochs", "fixed_before", "fixed_after", "supernets"]
    return plain_table(
        f"{run.item.name}-shares",
        "How much of the vector is fixed?",
        pl.DataFrame(rows, schema=columns, orient="row", schema_overrides={"fixed_before": pl.Float64()}),
        ["supernet", "measure", "epochs", "fixed before training (%)", "fixed after (%)", "supernets"],
        ["s", "s", "d", ".1f", ".1f", "d"],
        "Share of the squared length that is not a convolution of the cells (stem, batch-norms, reductions, "
        "classifier): the median over architectures, mean over supernets. Where it is near 100 %, the angle is hardly "
        "the architecture's.",
    )
