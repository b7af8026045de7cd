"""A study: what is compared with what, read from TOML, run into tables, figures and provenance.

The keys of a study file are described in ``docs/studies.md``; which kinds of items there are in
`nasanalysis.studies.items.KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, InstanceOf, PrivateAttr, model_validator

from ..core.errors import MissingDataError, MissingExtraError
from ..core.notes import told
from ..core.toml import StrictModel
from ..loaders.sources import Sources
from ..report.model import Result
from .items import Item, Resampling


class StudyHead(StrictModel):
    """What a study file says before its items.

    Attributes
    ----------
    seed: of every bootstrap. bootstrap: resamples.
    needs: a benchmark; without its files the study is not run by default.
    """

    name: str
    title: str
    description: str = ""
    seed: int = Field(default=0, ge=0)
    bootstrap: int = Field(default=1000, ge=0)
    needs: str | None = None


class Study(StudyHead):
    """What is compared with what. `run` is a pure function of the study and the data.

    >>> from nasanalysis.studies.comparison.items import Comparison
    >>> item = Comparison(name="costs", title="Costs", benchmark="digits", proxies=("params",))
    >>> result = Study(name="mine", title="My study", items=(item,), bootstrap=0).run()
    >>> [table.name for section in result.sections for table in section.tables]
    ['costs']
    """

    items: tuple[InstanceOf[Item], ...] = Field(min_length=1)
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _names_of_their_own(self) -> Self:
        names = [item.name for item in self.items]
        if len(set(names)) < len(names):
            raise ValueError(f"two items share a name; got {', '.join(names)}")
        return self

    @classmethod
    def load(cls, name_or_path: str | Path) -> Study:
        """A shipped study by name, or a TOML file; `StudyError` says what is wrong in it."""
        from .reading import load_study

        return load_study(name_or_path)

    def run(self, data: Path | str | None = None, *, say: Callable[[str], None] = lambda _: None) -> Result:
        """Run every item whose data is here; `Result.skipped` says which could not run and why.

        Parameters
        ----------
        data: folder of raw files. say: called with what is being done, and with every warning.
        """
        sources, resampling = Sources(data, self._folder), Resampling(self.bootstrap, self.seed)
        sections, skipped = [], []
        for item in self.items:
            say(f"{self.name}: {item.title}")
            try:
                with told(lambda note: say(f"note: {note}")):
                    sections.append(item.section(sources, resampling))
            except MissingDataError as error:
                skipped.append(f"{item.title}: not run here. {error.short}")
            except MissingExtraError as error:
                skipped.append(f"{item.title}: not run here. {error}")
        record = sources.provenance(seeds={"bootstrap": self.seed}, config=self.config())
        return Result(self.name, self.title, self.description, tuple(sections), record, tuple(skipped))

    def config(self) -> dict[str, Any]:
        """The study as plain values, for provenance."""
        head = StudyHead.model_dump(self, mode="json", exclude={"items"})
        return {**head, "items": [{"item": type(item).__name__, **_plain(item)} for item in self.items]}


def _plain(item: Item) -> dict[str, Any]:
    if isinstance(item, BaseModel):
        return item.model_dump(mode="json")
    return {"name": item.name, "title": item.title, "repr": repr(item)}


__all__ = ["Study", "StudyHead"]
