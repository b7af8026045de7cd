"""Steps of a file's curves against ours: is its step 0 the first completed epoch, or the state before training?"""

from __future__ import annotations

import polars as pl

from ...core.errors import DataFileError
from .descriptor import TableDescriptor

_RUN = ("arch", "dataset", "schedule", "seed")


def refuse_shifted(table: TableDescriptor, frame: pl.DataFrame, path: object) -> None:
    """`DataFileError` where epochs look counted from 0 and nothing says so: a step 0, and no last epoch.

    Read as they stand, the first epoch would count as the state before training and the last as never run: a sum of
    losses would lack one of them. `first_step` in the description says which it is. Steps of `frame` are ours.
    """
    if "first_step" in table.model_fields_set or table.step_unit != "epoch":
        return
    runs = frame.group_by(*(c for c in _RUN if c in frame.columns)).agg(
        pl.col("step").min().alias("first"), pl.col("step").max().alias("last"), pl.col("schedule").first().alias("of")
    )
    from_0 = runs.filter(pl.col("first") == 0)
    if from_0.is_empty() or (from_0["last"] >= from_0["of"]).any():
        return
    _, last, of = from_0.select("first", "last", "of").sort("last", descending=True).row(0)
    raise DataFileError(
        f"{path}: the steps of its curves are 0 to {last} of {of} epochs: is step 0 the first completed epoch? Then "
        "say first_step = 0. If it is the state before training, say first_step = 1"
    )
