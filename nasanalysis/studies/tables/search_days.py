"""Days of one GPU that a differentiable search takes, as ``benchmarks/published_hours.py`` measured them."""

from __future__ import annotations

import polars as pl

from ...core.frames import read_frame
from ...differentiable.config import DiffSearchConfig
from ...report.cells import number
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources

#: The kept table of hours.
KEPT = "published_hours.parquet"


def search_days(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each configuration and method: days of one search. `MissingDataError` where no hours are kept."""
    frame = read_frame(sources.kept(KEPT)).filter(kind="search")
    rows, cells = [], []
    for config, part, hours, device in frame.select("config", "part", "hours", "device").iter_rows():
        loaded = DiffSearchConfig.load(config)
        seeds = {f"{row.name} {row.setting}".strip(): len(row.seeds or loaded.seeds) for row in loaded.method}
        if part not in seeds:
            continue  # a method that the configuration no longer has
        rows.append((config, part, hours / seeds[part] / 24, seeds[part], device))
        cells.append([config, part, number(rows[-1][2], 3), str(seeds[part]), device])
    schema = {"config": pl.String, "method": pl.String, "days": pl.Float64, "seeds": pl.Int64, "device": pl.String}
    data = pl.DataFrame(rows, schema=schema, orient="row")
    note = "From a few steps of each method; stages after the first, selections and eigenvalues are left out."
    header = ["configuration", "method", "days", "seeds", "measured on"]
    return Table(
        "search-days", "Days that one search takes", header, cells, data, [False, False, True, True, False], note
    )
