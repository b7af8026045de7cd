"""Choices that turn a verdict: one comparison under several settings, or under all of a multiverse.

::

    [[choices]]
    name = "torch's zero_grad"
    says = "The angle ranks better than flatness"
    tests = [                               # as those of a claim (`model.Check`), two or more, each named
      { on = "as published", item = "weights/as-published", level = "...", claimed = "Angle ranks better than ..." },
      { on = "torch since 2.0", item = "weights/measures", level = "...", better = "Angle", than = "Flatness" },
    ]

    [[choices]]
    name = "the truth"
    says = "Flatness ranks better than accuracy"
    multiverse = "weights/flatness-accuracy"    # an item of that kind, whose own sentence stands here
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl
from pydantic import Field, model_validator

from ...core.errors import StudyError
from ...core.resources import shipped
from ...core.toml import StrictModel, read_toml
from ...report.model import Section, Table
from ..items import Many
from .judged import outcome_of
from .model import Check, ItemName, Said, has_names
from .ours import Evidence, NotHere
from .page import measured, rule
from .reading import check_look, item_of
from .verdicts import Outcome

#: The shipped file, and the heading of its section.
FILE = "reports/learnt/choices.toml"
CHOICES = "Choices, one comparison under each"


class Choice(StrictModel):
    """One choice (keys: see the module)."""

    name: Said
    says: Said
    note: str = ""
    tests: Many[Check] = ()
    multiverse: ItemName | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.tests) == bool(self.multiverse):
            raise ValueError(f"choice {self.name!r}: expected tests or a multiverse, one of them")
        if len(self.tests) == 1:
            raise ValueError(f"choice {self.name!r}: expected two settings or more, got one")
        has_names(f"choice {self.name!r}", self.tests)
        return self


class Choices(StrictModel):
    """The file."""

    name: str = ""
    choices: Many[Choice] = Field(min_length=1)


@dataclass(frozen=True)
class Chosen:
    """A choice with what each of its settings says, or what its multiverse says."""

    choice: Choice
    outcomes: tuple[Outcome, ...]
    text: str = ""

    @property
    def turns(self) -> bool:
        """Whether settings that can tell do not all say the same."""
        return len({one.word for one in self.outcomes} & {"holds", "does not hold"}) > 1

    @property
    def sentence(self) -> str:
        """What follows by rule."""
        head = f"{self.choice.name[0].upper()}{self.choice.name[1:]}: "
        if self.text:
            return f"{head}{self.text}"
        parts = "; ".join(f"{one.test.on}: {measured(one)} ({one.word})" for one in self.outcomes)
        said = "turns the verdict" if self.turns else "does not turn the verdict, as far as can be told"
        return f'{head}{said}. "{self.choice.says}": {parts}.'


def load_choices(path: Path) -> Choices:
    """The choices of a file; `StudyError` says what is wrong in it, or names an item that no study has."""
    file = read_toml(path, Choices, what="a file of choices", defaults={"name": path.stem})
    for choice in file.choices:
        for test in choice.tests:
            check_look(test, f"{path}: choice {choice.name!r}")
        if choice.multiverse and item_of(choice.multiverse) is None:
            raise StudyError(f"{path}: choice {choice.name!r}: no study has {choice.multiverse}")
    return file


def shipped_choices() -> Choices:
    """Those that the package ships."""
    return load_choices(shipped(FILE))


def chosen(choices: Choices, evidence: Evidence) -> list[Chosen]:
    """Every choice under each of its settings; a multiverse whose files are not here is left out."""
    found = []
    for choice in choices.choices:
        if choice.multiverse is None:
            found.append(Chosen(choice, tuple(outcome_of(test, evidence) for test in choice.tests)))
            continue
        try:
            found.append(Chosen(choice, (), " ".join(evidence.section(choice.multiverse).answer)))
        except NotHere:
            continue
    return found


def choices_section(found: Sequence[Chosen]) -> Section:
    """A table of all settings, and nothing above it: the sentences stand where they are asked for."""
    header = ["choice", "setting", "comparison", "here", "measured", "rule", "level", "item"]
    rows: list[tuple[Any, ...]] = []
    cells = []
    for one in found:
        for outcome in one.outcomes:
            reading, test = outcome.reading, outcome.test
            ends = (None, None, None) if reading is None else (reading.estimate, reading.low, reading.high)
            rows.append((one.choice.name, test.on, one.choice.says, outcome.word, *ends, test.level, test.item))
            cells.append([one.choice.name, test.on, one.choice.says, outcome.word, measured(outcome), rule(test),
                          test.level, test.item])  # fmt: skip
        if one.text:
            rows.append((one.choice.name, "all", one.choice.says, "", None, None, None, "", one.choice.multiverse))
            cells.append([one.choice.name, "all specifications", one.choice.says, "–", one.text, "that of the item",
                          "–", str(one.choice.multiverse)])  # fmt: skip
    text, real = pl.String(), pl.Float64()
    schema: dict[str, Any] = dict.fromkeys(("choice", "setting", "comparison", "verdict"), text)
    schema |= dict.fromkeys(("estimate", "ci_low", "ci_high"), real) | dict.fromkeys(("level", "item"), text)
    data = pl.DataFrame(rows, schema=schema, orient="row")
    notes = [f"{one.choice.name}: {one.choice.note}." for one in found if one.choice.note]
    table = Table("choices", CHOICES, header, cells, data, [False] * len(header), " ".join(notes))
    return Section(CHOICES, "", (table,))
