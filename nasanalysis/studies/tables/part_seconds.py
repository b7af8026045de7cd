"""Seconds of an architecture of a supernet on one GPU, as ``benchmarks/published_hours.py`` measured them."""

from __future__ import annotations

import polars as pl

from ...core.frames import read_frame
from ...report.cells import number
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources
from .search_days import KEPT

#: Of the kept table: what is done with each architecture of a supernet.
UNIT = "architecture of a supernet"


def part_seconds(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each configuration at the published size and part; `MissingDataError` where no hours are kept."""
    frame = read_frame(sources.kept(KEPT)).filter(kind="supernet", unit=UNIT)
    data = frame.select("config", "part", seconds="seconds_each", architectures="count", device="device")
    cells = [[config, part, number(seconds, 2), device] for config, part, seconds, _, device in data.iter_rows()]
    note = (
        "From a few architectures. Finetuning: 100 minibatches and every measure that is read on the way. Accuracy: "
        "the inherited weights on all validation images, batch-norm estimated anew before."
    )
    header = ["configuration", "part", "seconds", "measured on"]
    numeric = [False, False, True, False]
    return Table("part-seconds", "Seconds of one architecture", header, cells, data.cast({"architectures": pl.Int64}),
                 numeric, note)  # fmt: skip
