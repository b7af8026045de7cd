"""Largest eigenvalues that real DARTS searches logged."""

from __future__ import annotations

import polars as pl

from ...loaders.darts import robust_darts
from ...report.model import Table
from ...report.published import Cells
from ...report.tables import plain_table
from ..items import Resampling, Sources

_NOTE = "As logged by the searches, whose Hessians hold the architecture weight decay 0.001 I; 'bare' is without it."


def hessian_eigenvalues(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Largest eigenvalue of the architecture Hessians that RobustDARTS logged, with and without their 0.001 I."""
    columns = {
        "searched": ("space, data set", "s"), "drop_path": ("drop-path", "g"), "weight_decay": ("L2 factor", "g"),
        "run": ("run", "d"), "first": ("epoch 0", ".3f"),
        "epoch_of_largest": ("epoch of the largest", "d"), "largest": ("largest", ".3f"), "last": ("epoch 49", ".3f"),
        "first_bare": ("epoch 0, bare", ".3f"), "largest_bare": ("largest, bare", ".3f"),
        "last_bare": ("epoch 49, bare", ".3f"),
    }  # fmt: skip
    rows = []
    searches, unread = robust_darts.survey(sources.folder("robust_darts"))
    for search in (search for search in searches if search.has_hessians):
        sources.log(search.file("derivatives", ".json"))
        logged = robust_darts.dominant_eigenvalues(search)
        bare = robust_darts.dominant_eigenvalues(search, with_decay=False)
        top, last = max(logged, key=lambda epoch: logged[epoch]), max(logged)
        first = min(logged)
        values = (logged[first], top, logged[top], logged[last], bare[first], bare[top], bare[last])
        where = (f"{search.space.upper()}, {search.dataset}", search.drop_path, search.weight_decay, search.seed)
        rows.append((*where, *values))
    return plain_table(
        "hessian-eigenvalues",
        "Largest eigenvalue of the Hessian in the architecture parameters: searches of DARTS by RobustDARTS's authors",
        pl.DataFrame(rows, schema=list(columns), orient="row"),
        [header for header, _ in columns.values()],
        [spec for _, spec in columns.values()],
        " ".join([_NOTE, *(f"{note}." for note in unread)]),
    )
