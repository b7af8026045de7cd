"""What real DARTS searches of S1 selected: skip connections, and the depth of their cells, from published logs."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...loaders.darts import robust_darts
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ...search.selected import t_interval
from ...spaces import get_space
from ...spaces.darts import CellSpace
from ...spaces.darts_genotype import CELLS, Cell
from ..items import Resampling, Sources

#: The setting that DARTS itself searches with.
AS_PUBLISHED = "0.0_0.0003"


def logged_cells(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each quantity, of the searches as published and of all settings: mean with Student's interval."""
    searches, _ = robust_darts.survey(sources.folder("robust_darts"))
    numbers: dict[tuple[str, str, str], list[float]] = {}
    for search in searches:
        sources.log(search.file("arch", ""))
        found = robust_darts.genotypes(search)
        where = f"{search.space}, {search.dataset}"
        for what, value in _numbers(search.space, found[max(found)]).items():
            for setting in {search.setting, "all"} & {AS_PUBLISHED, "all"}:
                numbers.setdefault((where, setting, what), []).append(value)
    rows = []
    for key, values in sorted(numbers.items()):
        low, high = t_interval(np.array(values), resampling.level)
        rows.append((*key, float(np.mean(values)), low, high, float(np.max(values)), len(values)))
    columns = ["searched", "setting", "what", "mean", "ci_low", "ci_high", "most", "runs"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    cells = [[r[0], r[1], r[2], with_interval(*r[3:6], 1), f"{r[6]:g}", str(r[7])] for r in rows]
    header = ["space, data set", "drop-path_L2", "what", "mean", "most", "runs"]
    note = (
        "After the last epoch. Depth: edges of the longest path from an input to the output of a cell. The setting "
        "named first is DARTS's own; `all` has seven L2 factors. Brackets: 95 %, Student's t over searches."
    )
    return Table("logged-cells", "What logged searches selected", header, cells, frame,
                 [False, False, False, True, True, True], note)  # fmt: skip


def _numbers(space: str, text: str) -> dict[str, float]:
    """Skip connections of both cells, and the depth of each, of one genotype."""
    cells = get_space(space, CellSpace).genotype(text)
    skips = sum(operation == "skip_connect" for cell in cells for node in cell for operation, _ in node)
    depths = {f"depth, {name}": _depth(cell) for name, cell in zip(CELLS, cells, strict=True)}
    return {"skip connections": float(skips), **depths}


def _depth(cell: Cell) -> float:
    depths = [0, 0]
    for node in cell:
        depths.append(1 + max(depths[source] for _, source in node))
    return 1.0 + max(depths)
