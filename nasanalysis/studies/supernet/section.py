"""The section of a ``[[supernet]]`` item: its tables and figures.

Statistics are means over supernets of one kind with their standard deviation; intervals are bootstraps over
architectures and supernets, and differences to the parameter count see the same architectures in every draw.
"""

from __future__ import annotations

from ...report.model import Figure, Section, Table
from ..items import Resampling, Sources
from .between import between_table
from .figures import FIGURES
from .frames import ItemFrames
from .items import SupernetItem
from .ranking import ranking_table
from .recorded import recorded_table
from .shares import shares_table
from .spread import spread_table
from .sums import sums_table
from .training import training_table


def supernet_section(item: SupernetItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    tables: list[Table] = []
    figures: list[Figure] = []
    if item.scores:
        run = ItemFrames(item, sources, sources.benchmark(item.benchmark), resampling)
        tables = _tables(run)
        figures = [FIGURES[figure.kind](run, figure) for figure in item.figures]
    if item.training:
        tables.append(training_table(item.name, sources.frame(item.training, "TRACE")))
    return Section(item.title, item.text, tuple(tables), tuple(figures))


def _tables(run: ItemFrames) -> list[Table]:
    item = run.item
    tables = [ranking_table(run)] if item.readings else []
    if item.spread:
        tables.append(spread_table(run))
    if item.between:
        tables.append(between_table(run))
    if item.shares:
        tables.append(shares_table(run))
    if item.sums:
        tables.append(sums_table(run))
    if item.recorded:
        tables.append(recorded_table(run, item.recorded))
    return tables
