"""Days of one GPU that a differentiable search takes, as ``benchmarks/published_hours.py`` measured them."""

from __future__ import annotations

import polars as pl

from ...core.frames import read_frame
from ...core.resources import shipped_toml
from ...differentiable.config import CONFIGS, DiffSearchConfig
from ...plots.selected import method_label
from ...report.cells import number
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources

#: The kept table of hours.
KEPT = "published_hours.parquet"


def search_days(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each configuration at the published size and method: days of one search, null where none is measured.

    `MissingDataError` where no hours are kept.
    """
    frame = read_frame(sources.kept(KEPT)).filter(kind="search")
    known = {(row["config"], row["part"]): row for row in frame.iter_rows(named=True)}
    rows, cells = [], []
    for config in (name for name in shipped_toml(CONFIGS) if name.endswith("_full")):
        loaded = DiffSearchConfig.load(config)
        for row in loaded.method:
            part, seeds = f"{row.name} {row.setting}".strip(), len(row.seeds or loaded.seeds)
            measured = known.get((config, part))
            days = None if measured is None else measured["hours"] / seeds / 24
            device = None if measured is None else measured["device"]
            rows.append((config, part, days, seeds, device))
            shown = method_label(row.name, row.setting or "")
            cells.append(
                [config, shown, "not measured" if days is None else number(days, 3), str(seeds), device or "–"]
            )
    schema = {"config": pl.String, "method": pl.String, "days": pl.Float64, "seeds": pl.Int64, "device": pl.String}
    data = pl.DataFrame(rows, schema=schema, orient="row")
    note = "From a few steps of each method; stages after the first, selections and eigenvalues are left out."
    header = ["configuration", "method", "days", "seeds", "measured on"]
    numeric = [False, False, True, True, False]
    return Table("search-days", "Days that one search takes", header, cells, data, numeric, note)
