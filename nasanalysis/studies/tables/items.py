"""Tables of a study that are no ranking of proxies: ``[[table]]`` items of a study file.

::

    [[table]]
    name = "sizes"
    title = "How large are the spaces?"
    table = "space-sizes"               # one of `TABLES`
    published = [                       # stands beside ours, where the table has a place for it
      { row = ["nb201"], column = "architectures", value = "15 625", where = "thesis, Table 3.1" },
    ]

The CSV file of a table holds its raw numbers; the page shows an estimate and its interval in one cell.
"""

from __future__ import annotations

from ...core.registry import resolve
from ...report.published import Published, by_cell
from ..items import ItemModel, Many, Resampling, Section, Sources

#: Name -> "module:function" with ``(sources, resampling, published) -> Table``. Add to it.
TABLES: dict[str, str] = {
    "space-sizes": "nasanalysis.studies.tables.sizes:space_sizes",
    "space-facts": "nasanalysis.studies.tables.facts:space_facts",
    "nb201-controls": "nasanalysis.studies.tables.controls:nb201_controls",
    "eigenvalue-growth": "nasanalysis.studies.tables.growth:eigenvalue_growth",
    "nb1shot1-samples": "nasanalysis.studies.tables.nb1shot1:nb1shot1_samples",
    "one-shot": "nasanalysis.studies.tables.one_shot:one_shot",
    "zero-cost": "nasanalysis.studies.tables.zero_cost:zero_cost",
    "training-runs": "nasanalysis.studies.tables.training_runs:training_runs",
    "short-schedules": "nasanalysis.studies.tables.short_schedules:short_schedules",
    "finetune-losses": "nasanalysis.studies.tables.finetune_losses:finetune_losses",
    "part-seconds": "nasanalysis.studies.tables.part_seconds:part_seconds",
    "search-days": "nasanalysis.studies.tables.search_days:search_days",
    "logged-cells": "nasanalysis.studies.tables.logged_cells:logged_cells",
    "convolution-depths": "nasanalysis.studies.tables.convolution_depths:convolution_depths",
    "shared-results": "nasanalysis.studies.tables.shared_results:shared_results",
    "eigenvalue-errors": "nasanalysis.studies.tables.eigenvalue_errors:eigenvalue_errors",
    "hessian-eigenvalues": "nasanalysis.studies.tables.eigenvalues:hessian_eigenvalues",
}


class TableItem(ItemModel):
    """One ``[[table]]`` of a study (keys: see the module)."""

    table: str
    published: Many[Published] = ()

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """The table alone; `MissingDataError` where its files are not here."""
        table = resolve("table", self.table, TABLES)(sources, resampling, by_cell(self.published))
        return Section(self.title, self.text, (table,))
