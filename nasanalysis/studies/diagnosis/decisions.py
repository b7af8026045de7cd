"""The table of what diagnosed searches decided: operations selected, edges, growth of the eigenvalue."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ...plots.selected import method_label
from ...report.cells import with_interval
from ...report.model import Table
from ...search.decisions import decided_for_convolutions, edge_choices, growth, selected_convolutions, share_without
from ...search.selected import t_interval
from .items import DiagnosisItem
from .rules import Evidence

#: Quantity -> (label, digits).
DECISIONS = {
    "growth": ("growth of the most positive eigenvalue (logarithm)", 2),
    "no_skips": ("epochs after which no skip would be selected (share)", 2),
    "convolutions": ("3x3 convolutions selected", 1),
    "skip_preferred": ("edges on which α prefers the skip to the 3x3 convolution (share)", 2),
    "convolution_dearer": ("edges that lose more without the 3x3 convolution than without the skip (share)", 2),
    "decided_for_convolutions": ("edges of another largest α that are decided for the 3x3 convolution (share)", 2),
}


def decisions_table(item: DiagnosisItem, evidence: Evidence, alphas: pl.DataFrame | None, level: float) -> list[Table]:
    """A row for each quantity and method, each search one number; no table where nothing was decided."""
    rows, cells = [], []
    for quantity, label, digits, frame in _frames(item, evidence, alphas):
        for (method, setting), each in frame.group_by("method", "setting", maintain_order=True):
            values = each["value"].drop_nulls().to_numpy()
            if len(values):
                low, high = t_interval(values, level)
                mean = float(values.mean())
                rows.append((method, setting, quantity, mean, low, high, len(values)))
                shown = with_interval(mean, low, high, digits)
                cells.append([label, method_label(str(method), str(setting)), shown, str(len(values))])
    if not rows:
        return []
    schema = ["method", "setting", "quantity", "mean", "ci_low", "ci_high", "seeds"]
    data = pl.DataFrame(rows, schema=schema, orient="row")
    note = (
        f"Each search one number; brackets: {100 * level:g} %, Student's t over seeds. Growth: mean of the last five "
        "readings over the first. Edges: at the end of the search."
    )
    header = ["what", "method", "mean", "seeds"]
    title = "What was decided"
    return [Table(f"{item.name}-decisions", title, header, cells, data, [False, False, True, True], note)]


def _frames(
    item: DiagnosisItem, evidence: Evidence, alphas: pl.DataFrame | None
) -> Iterator[tuple[str, str, int, pl.DataFrame]]:
    """Quantity, label, digits, and a frame with method, setting, seed and value."""
    trace = evidence.trace
    found: dict[str, pl.DataFrame] = {
        "growth": growth(trace).rename({"growth": "value"}),
        "no_skips": share_without(trace).rename({"share": "value"}),
        "convolutions": selected_convolutions(trace).rename({"convolutions": "value"}),
    }
    if evidence.strengths is not None:
        edges = edge_choices(evidence.strengths)
        edges = edges.filter(pl.col("epoch") == pl.col("epoch").max().over("method", "setting", "seed"))
        for name in ("skip_preferred", "convolution_dearer"):
            found[name] = edges.rename({name: "value"})
    if alphas is not None:
        found["decided_for_convolutions"] = decided_for_convolutions(alphas).rename({"share": "value"})
    for quantity, frame in found.items():
        yield quantity, *DECISIONS[quantity], frame
    label, digits = DECISIONS["convolutions"]
    for epoch in item.epochs:
        frame = selected_convolutions(trace, epoch).rename({"convolutions": "value"})
        yield f"convolutions@{epoch}", f"{label} after epoch {epoch}", digits, frame
