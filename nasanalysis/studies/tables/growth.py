"""How much the dominant eigenvalue grew in real DARTS searches, with an interval over their runs."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...loaders.darts import robust_darts
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ...search.selected import t_interval
from ..items import Resampling, Sources


def eigenvalue_growth(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each setting that has two runs or more, and one over all: last over first, geometric mean."""
    searches, _ = robust_darts.survey(sources.folder("robust_darts"))
    logs: dict[tuple[str, str], list[float]] = {}
    for search in (search for search in searches if search.has_hessians):
        sources.log(search.file("derivatives", ".json"))
        logged = robust_darts.dominant_eigenvalues(search, with_decay=False)
        growth = float(np.log(logged[max(logged)] / logged[min(logged)]))
        where = f"{search.space}, {search.dataset}"
        for setting in (search.setting, "all"):
            logs.setdefault((where, setting), []).append(growth)
    rows = [(*key, *_growth(np.array(values), resampling.level), len(values)) for key, values in sorted(logs.items())]
    frame = pl.DataFrame(rows, schema=["searched", "setting", "times", "ci_low", "ci_high", "runs"], orient="row")
    cells = [
        [space, setting, with_interval(times, low, high, 2), str(n)] for space, setting, times, low, high, n in rows
    ]
    header = ["space, data set", "drop-path_L2", "last over first", "runs"]
    note = (
        "Largest eigenvalue of the Hessian in the architecture parameters, without the architecture weight decay, "
        "after the last epoch over that after the first logged: above 1 it grew. Geometric mean over runs; brackets: "
        "95 %, Student's t of the logarithms."
    )
    return Table("eigenvalue-growth", "How much the dominant eigenvalue grew", header, cells, frame,
                 [False, False, True, True], note)  # fmt: skip


def _growth(logs: np.ndarray, level: float) -> tuple[float, float | None, float | None]:
    low, high = t_interval(logs, level)
    ends = (None, None) if low is None or high is None else (float(np.exp(low)), float(np.exp(high)))
    return (float(np.exp(logs.mean())), *ends)
