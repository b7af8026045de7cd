"""What the file of a published work says: its tables, its claims, and where numbers of ours stand.

::

    title = "GeNAS (2023)"
    cells = "genas.csv"                             # published figures, beside this file (`Cell`)
    coming = ["search-nb201/darts"]                 # items of studies that are not there yet

    [commands]                                      # what runs a thing in full, by a short name
    report = "nasanalysis papers genas --data FOLDER"

    [reasons.setting]                               # why claims are not tested, by a short name
    why = "a setting of theirs, no finding"
    level = "setting"                               # one of `Untested`

    [[tables]]
    place = "5"                                     # of the cells
    title = "Which measure ranks?"
    rest = "needs GPU"                              # level of cells without a number of ours
    command = "full"
    [[tables.ours]]
    cells = { data = "cifar10" }                    # which cells: columns that must be so; parts of a setting too
    names = { proxy = { angle = "Angle" } }         # their words -> ours; cells with other words are not these
    item = "weights/as-published"                   # STUDY/ITEM
    where = { measure = "{proxy}", statistic = "{metric}" }     # the row of that item's table
    level = "same protocol, smaller scale"
    command = "measure"

    [[claims]]
    id = "angle_is_best"
    says = "The angle ranks better than flatness"
    source = "C.1.1, Table 5"
    tests = [{ item = "weights/as-published", better = "Angle", than = "Flatness", level = "..." }]
    command = "measure"

    [[claims]]
    id = "epochs"
    says = "The supernet is trained for 250 epochs"
    source = "B.1"
    value = "250"
    untested = "setting"
    taken = "configs/nb201_full: train.epochs"      # where a file of reports/ says what ours is
    command = "full"

A claim has tests, or says why it is `untested`. A cell without its source, a claim without a rule and a level without
a command are refused when the file is read; so is an order that a study judges itself (then `claimed` names it: one
verdict, one place).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..items import Many, StrictModel

#: How near to the published experiment a number of ours is, or why there is none.
Level = Literal[
    "same data",
    "same protocol, smaller scale",
    "same protocol, other machine",
    "other data (digits)",
    "other data",
    "needs GPU",
    "not run",
]
#: Levels of numbers that we have.
RUN: tuple[Level, ...] = (
    "same data", "same protocol, smaller scale", "same protocol, other machine", "other data (digits)", "other data",
)  # fmt: skip
#: What a claim without a test waits for: a setting or a citation for nothing, since it is no finding.
Untested = Literal["setting", "citation", "needs GPU", "needs two cores", "needs data"]
#: Levels of cells without one; a setting is no result, and ours may stand beside it.
Rest = Literal["needs GPU", "not run", "setting"]

_NUMBER = r"^[-+]?\d*\.?\d+(e[-+]?\d+)?$"
_TAKEN = r"^$|^[a-z]+/\w+: [\w.]+$"
Printed = Annotated[str, Field(pattern=_NUMBER)]
Said = Annotated[str, Field(min_length=1)]
ItemName = Annotated[str, Field(pattern=r"^[\w.-]+/[a-z0-9-]+$")]


class Cell(StrictModel):
    """One published figure: ``value`` and ``spread`` as printed; ``setting`` is ``key=value`` parts, ``;`` between."""

    place: Said
    space: str = ""
    data: str = ""
    tested: str = ""
    method: str = ""
    proxy: str = ""
    setting: str = ""
    metric: Said
    value: Printed
    spread: Annotated[str, Field(pattern=rf"{_NUMBER}|^$")] = ""
    unit: str = ""
    source: Said

    @property
    def words(self) -> dict[str, str]:
        """Columns by name, and the parts of the setting by theirs."""
        parts = dict(part.split("=", 1) for part in self.setting.split(";") if "=" in part)
        return {**parts, **{name: str(value) for name, value in self}}

    @property
    def number(self) -> float:
        """`value` to compute with."""
        return float(self.value)

    @property
    def digits(self) -> int:
        """Decimals as printed."""
        return len(self.value.partition(".")[2]) if "e" not in self.value else 0

    @property
    def text(self) -> str:
        """As printed, with its spread."""
        return f"{self.value} ({self.spread})" if self.spread else self.value


class Look(StrictModel):
    """Where a number of ours stands: an item of a study, a row of one of its tables, a column.

    Attributes
    ----------
    item: ``STUDY/ITEM``. table: of the item's section; by default its first.
    where: columns of the one row; column, low, high, sd, n: what is read of it.
    exact: a count, which needs no interval.
    """

    item: ItemName
    table: str = ""
    where: dict[str, str] = Field(default={})
    column: str = "estimate"
    low: str = "ci_low"
    high: str = "ci_high"
    sd: str = "sd"
    n: str = "n_archs"
    exact: bool = False


class Ours(Look):
    """Numbers of ours for some cells of a table (keys: see the module)."""

    cells: dict[str, str] = Field(default={})
    names: dict[str, dict[str, str]] = Field(default={})
    level: Level
    command: Said


class RestOf(StrictModel):
    """What would give some cells of a table (`cells`, as in `Ours`) a number of ours.

    `level`: in place of the table's. `taken`: of a setting, what ours is (as in `Claim`).
    """

    cells: dict[str, str] = Field(min_length=1)
    level: Rest | None = None
    taken: Annotated[str, Field(pattern=_TAKEN)] = ""
    command: Said


class PaperTable(StrictModel):
    """A published table or figure; `note`: doubts.

    `rest`, `command`: of its cells without a number of ours, where `rests` says nothing of them.
    """

    place: Said
    title: Said
    note: str = ""
    ours: Many[Ours] = ()
    rests: Many[RestOf] = ()
    rest: Rest
    command: Said


class Check(Look):
    """One comparison that a claim is judged by.

    Either an order (`better`, `than`: readings of an item, or methods of a differentiable search; `arms` one for both
    or one for each), true where the paired difference is above 0, or on the side that stands beside it (``near = 0``
    with ``within``: alike); with `spread` not the statistic is compared but its standard deviation over supernets: the
    ratio of better's to than's, true above 1. Or a number, with one side: ``above``, ``below``, or ``near`` with
    ``within``. Or a claim that the item judges itself, by its text (`claimed`; `arms`: of which supernets or methods):
    then its verdicts count.
    """

    on: str = ""
    level: Level
    better: str = ""
    than: str = ""
    arms: Many[str] = Field(default=(), max_length=2)
    statistic: str = ""
    spread: bool = False
    claimed: str = ""
    above: float | None = None
    below: float | None = None
    near: float | None = None
    within: float | None = Field(default=None, gt=0)

    @property
    def is_order(self) -> bool:
        return bool(self.better)

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        sides = [name for name in ("above", "below", "near") if getattr(self, name) is not None]
        if self.claimed:
            if sides or self.better or self.than or self.where:
                raise ValueError("claimed: expected no other rule beside it")
            return self
        if bool(self.better) != bool(self.than):
            raise ValueError("expected better and than, both of them, got one")
        if self.is_order and (self.where or (self.better == self.than and len(set(self.arms)) < 2)):
            raise ValueError("an order: expected better and than that differ, and no where beside them")
        if self.is_order and len(sides) > 1:
            raise ValueError(f"an order: expected one side of the difference, got {', '.join(sides)}")
        if not self.is_order and (len(sides) != 1 or not self.where):
            raise ValueError(
                "expected a rule: better and than, or where with one of above, below, near; got "
                f"{', '.join(sides) or 'none'}{'' if self.where else ' without where'}"
            )
        if self.spread and (not self.is_order or sides):
            raise ValueError("spread: expected better and than beside it, and no side")
        if (self.near is None) != (self.within is None):
            raise ValueError("near: expected within beside it, and the reverse")
        return self


def has_names(who: str, tests: Sequence[Check]) -> None:
    """`ValueError` unless each of several tests has a name of its own."""
    names = [test.on for test in tests]
    if len(names) > 1 and len({*names, ""}) <= len(names):
        raise ValueError(f"{who}: expected a name (on) of each of several tests, got {names}")


class Reason(StrictModel):
    """Why claims have no test here, and what would give them one."""

    why: Said
    level: Untested


class Claim(StrictModel):
    """What a work says in prose that can be checked; `value` as it says it; `note`: doubts about it.

    `multiverse`: an item of that kind, whose share of choices stands beside the verdict. `taken`: of a setting, the
    shipped file and the key of ours (`settings.of_ours`). `waits`: the reason that is shown for as long as none of the
    tests can be run, since what they read is not kept yet.
    """

    id: Annotated[str, Field(pattern=r"^[\w.+-]+$")]
    says: Said
    source: Said
    value: str = ""
    tests: Many[Check] = ()
    untested: str = ""
    waits: str = ""
    taken: Annotated[str, Field(pattern=_TAKEN)] = ""
    command: Said
    note: str = ""
    multiverse: ItemName | None = None

    @model_validator(mode="after")
    def _has_a_rule(self) -> Self:
        if bool(self.tests) == bool(self.untested):
            got = "both" if self.tests else "neither"
            raise ValueError(f"claim {self.id!r}: expected a rule (tests), or why it is untested, got {got}")
        if self.waits and not self.tests:
            raise ValueError(f"claim {self.id!r}: waits: expected tests beside it, got none")
        if self.taken and not self.untested:
            raise ValueError(f"claim {self.id!r}: taken: expected of a setting, got tests beside it")
        has_names(f"claim {self.id!r}", self.tests)
        return self


class PaperHead(StrictModel):
    """The file of a work without its published figures."""

    name: str
    title: Said
    description: str = ""
    cells: Said
    seed: int = Field(default=0, ge=0)
    bootstrap: int = Field(default=1000, ge=0)
    coming: Many[ItemName] = ()
    commands: dict[str, Annotated[str, Field(pattern=r"^nasanalysis \w")]]
    reasons: dict[str, Reason] = Field(default={})
    tables: Many[PaperTable] = Field(min_length=1)
    claims: Many[Claim] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, names in (("tables", [t.place for t in self.tables]), ("claims", [c.id for c in self.claims])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what}: expected each once, got {twice[0]!r} twice")
        return self

    @model_validator(mode="after")
    def _short_names(self) -> Self:
        asked = [(f"table {t.place}", t.command) for t in self.tables]
        asked += [(f"table {t.place}", ours.command) for t in self.tables for ours in t.ours]
        asked += [(f"table {t.place}", rest.command) for t in self.tables for rest in t.rests]
        asked += [(f"claim {c.id}", c.command) for c in self.claims]
        for who, name in asked:
            if name not in self.commands:
                raise ValueError(f"{who}: expected a command of {', '.join(self.commands)}, got {name!r}")
        for claim in self.claims:
            for key in ("untested", "waits"):
                if (name := getattr(claim, key)) and name not in self.reasons:
                    known = ", ".join(self.reasons)
                    raise ValueError(f"claim {claim.id}: {key}: expected a reason of {known}, got {name!r}")
        for who, level in self._levels():
            if level not in RUN:
                raise ValueError(f"{who}: expected the level of a number that is there, got {level!r}")
        return self

    def _levels(self) -> list[tuple[str, Level]]:
        of_cells = [(f"table {t.place}", ours.level) for t in self.tables for ours in t.ours]
        return of_cells + [(f"claim {c.id}", test.level) for c in self.claims for test in c.tests]


class Paper(PaperHead):
    """A work with its published figures."""

    figures: Many[Cell] = ()

    def of(self, table: PaperTable) -> tuple[Cell, ...]:
        """The published figures of a table, in its order."""
        return tuple(cell for cell in self.figures if cell.place == table.place)
