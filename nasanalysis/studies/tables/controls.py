"""NAS-Bench-201 cells that a search may end at without learning anything: all skips, and the most parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ...report.cells import number
from ...report.model import Table
from ...report.published import Cells
from ...search.selected import t_interval
from ...spaces.nb201 import SPACE, format_cell
from ...spaces.nb201_isomorphism import EDGES
from ..items import Resampling, Sources

#: What is trained: label -> the operation on every edge.
CONTROLS = {"all skip connections": "skip_connect", "most parameters": "nor_conv_3x3"}


def nb201_controls(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each control and data set: test accuracy of its training runs (percent), 200 epochs."""
    benchmark = sources.benchmark("nb201")
    names = {str(SPACE.parse(format_cell([op] * len(EDGES)))): label for label, op in CONTROLS.items()}
    truth = benchmark.truth(split="test", schedule=200, quantity="accuracy", archs=list(names))
    rows = [
        _row(names[str(arch)], str(dataset), part)
        for (arch, dataset), part in truth.sort("arch", "dataset").group_by("arch", "dataset", maintain_order=True)
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    cells = [[r["control"], r["dataset"], number(r["mean"], 2), number(r["lowest"], 2), number(r["highest"], 2),
              str(r["n_seeds"])] for r in rows]  # fmt: skip
    header = ["control", "dataset", "mean test accuracy (%)", "lowest run", "highest run", "runs"]
    note = "Of the recorded runs of one architecture each; a search that always ends there has no spread of its own."
    return Table("nb201-controls", "Cells that need no search", header, cells, frame, [False, False, *[True] * 4], note)


def _row(control: str, dataset: str, part: pl.DataFrame) -> dict[str, Any]:
    runs = part.filter(pl.col("seed").is_not_null())["accuracy"].to_numpy().astype(np.float64)
    values = runs if len(runs) else part["accuracy"].to_numpy().astype(np.float64)
    low, high = t_interval(values, 0.95)
    return {
        "control": control, "dataset": dataset, "mean": float(values.mean()), "ci_low": low, "ci_high": high,
        "lowest": float(values.min()), "highest": float(values.max()), "n_seeds": len(values),
    }  # fmt: skip
