"""What a study is made of: items, each of a kind. A kind is a class, and anybody can add one.

An item says what to read and answers with a section of the report::

    class Sizes(ItemModel):
        '''[[sizes]] of a study file: how many architectures each benchmark knows.'''

        benchmarks: Many[str]

        def section(self, sources: Sources, resampling: Resampling) -> Section:
            counts = [len(sources.benchmark(name).archs()) for name in self.benchmarks]
            frame = pl.DataFrame({"benchmark": self.benchmarks, "architectures": counts})
            table = plain_table(self.name, self.title, frame, frame.columns, ["s", "d"])
            return Section(self.title, self.text, (table,))


    KINDS["sizes"] = "my_package.my_module:Sizes"

What it reads through `sources` is recorded in the report's provenance, what it warns of is told to whoever runs the
study, and a `MissingDataError` skips this item alone.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import Field

from ..core.toml import Many, StrictModel
from ..loaders.sources import Sources
from ..report.model import Section
from ..stats.resampling import Resampling

#: Kind of an item, as the ``[[kind]]`` of a study file -> "module:class" of its items. Add to it.
KINDS: dict[str, str] = {
    "compare": "nasanalysis.studies.comparison.items:Comparison",
    "leaderboard": "nasanalysis.studies.leaderboard.items:LeaderboardItem",
    "ranks": "nasanalysis.studies.ranks.items:RanksItem",
    "multiverse": "nasanalysis.studies.multiverse.items:MultiverseItem",
    "explain": "nasanalysis.studies.explain.items:ExplainItem",
    "predictor": "nasanalysis.studies.predictor.items:PredictorItem",
    "table": "nasanalysis.studies.tables.items:TableItem",
    "supernet": "nasanalysis.studies.supernet.items:SupernetItem",
    "measured": "nasanalysis.studies.supernet.measured:MeasuredItem",
    "diffsearch": "nasanalysis.studies.diffsearch.items:DiffSearchItem",
    "diagnosis": "nasanalysis.studies.diagnosis.items:DiagnosisItem",
    "inspection": "nasanalysis.studies.inspection.items:InspectionItem",
    "synthetic": "nasanalysis.studies.synthetic.items:SyntheticItem",
    "scratch": "nasanalysis.studies.scratch.items:ScratchItem",
    "search": "nasanalysis.studies.search.items:SearchItem",
}


@runtime_checkable
class Item(Protocol):
    """One part of a study: `name` is the stem of its files, `title` the heading of its section."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables and figures; `MissingDataError` where a file is not on this machine."""


class ItemModel(StrictModel):
    """What items of a study file share; a kind adds its keys and `section`."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    text: str = ""


__all__ = ["KINDS", "Item", "ItemModel", "Many", "Resampling", "Section", "Sources", "StrictModel"]
