"""The section of a ``[[supernet]]`` item: its tables and figures.

Statistics are means over supernets of one kind with their standard deviation; intervals are bootstraps over
architectures and supernets, and differences to the parameter count see the same architectures in every draw.
"""

from __future__ import annotations

from dataclasses import replace

from ...report.model import Section, Table
from ..items import Resampling, Sources
from .between import between_table
from .claims import claims_said, claims_table
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
    section = Section(item.title, item.text, (), ())
    if item.has_scores:
        section = section_of(ItemFrames(item, sources, sources.benchmark(item.benchmark), resampling))
    if item.training:
        more = training_table(item.name, sources.frame(item.training, "TRACE"))
        section = replace(section, tables=(*section.tables, more))
    return section


def section_of(run: ItemFrames) -> Section:
    """The section of an item's scores."""
    tables = _tables(run)
    said: tuple[str, ...] = ()
    if run.item.claims:
        tables.append(table := claims_table(run))
        said = claims_said(table)
    figures = [FIGURES[figure.kind](run, figure) for figure in run.item.figures]
    return Section(run.item.title, " ".join([run.item.text, *said]).strip(), tuple(tables), tuple(figures))


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
