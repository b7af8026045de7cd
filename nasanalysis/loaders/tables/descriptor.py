"""What a table file holds, in a few lines of TOML: the keys, and what is wrong with a description.

The ordinary case, a CSV file with a row for each architecture::

    file = "my_results.csv"
    benchmark = "mine"
    space = "nb201"
    dataset = "cifar10"
    frame = "TRUTH"
    split = "test"
    schedule = 200
    arch_column = "cell"
    values = { accuracy = "top1" }
    unit = "percent"

**What and where.** ``file``: name of a CSV, Parquet, JSON or pickle file, looked for beside the TOML file
and then where all data is looked for. ``benchmark``, ``space``: names. ``dataset``: a name, or
``{ column = "..." }``. ``frame``: ``TRUTH``, ``CURVES`` or ``SCORES`` (recorded costs are SCORES too).
``space`` may be one that we do not know: then architectures are texts, kept as they are, and whatever needs to look
into them says so. ``classes``, ``image_size`` (pixels) and ``input_channels`` (3) of a data set that is none of the
published ones: parameters and FLOPs depend on them.
``select``: key, or list of keys, of the part of a nested file to read. ``source``, ``licence``, ``notes``:
text for people.

**What a row is.** ``rows``: ``table`` (default; a column names the architecture), ``list`` (rows in the
space's index order, all of them), or ``dict`` (keyed by architecture). A JSON or pickle ``table`` is a list
of dicts or a dict of columns. ``group_when_changed``: columns of a ``list`` that keep their value over the
runs of one architecture; a new one begins where any of them changes. ``expected``: number of architectures
(for ``list`` the size of the space).

**How the architecture is written.** ``arch_column``; ``arch_code``: ``string`` (default), ``index`` (of the
space), ``operations`` (six operation indices; needs ``operations``, the names by index, and ``edge_order``:
``target`` is 0-1, 0-2, 1-2, 0-3, 1-3, 2-3 and ``source`` is 0-1, 0-2, 0-3, 1-2, 1-3, 2-3), or ``nested`` (text
such as ``[(('none', 0),), (('none', 0), ...), ...]``).

**The numbers.** ``values``: target = column, or target = ``{ column, unit, missing }``, or a list of columns
that are called as their target. Targets are ``accuracy`` for TRUTH (``value`` where it is
another ``quantity``), ``train_loss``, ``valid_accuracy`` ...
and ``seconds`` for CURVES, and proxy names for SCORES. Leave out the column where rows are bare numbers.
``unit``: ``percent``, ``fraction``, ``error-percent``, ``error-fraction`` (accuracies become percent),
``count``, ``millions`` (becomes a whole count), or ``raw``; given once for all accuracies, or, in SCORES, for all
values. Accuracies have no default unit. ``missing``: number(s), ``nan`` and ``inf`` too, that stand for "not
measured" and become null; without it NaN and infinity are errors.

A column may be a path into nested cells: ``synflow.score`` of ``{"synflow": {"score": 1.5}}``, ``results.0`` of the
first entry of a list. ``targets``: ``dataset`` or ``quantity`` where TRUTH has several columns, each the truth on
another data set (or of another quantity) that the target names; ``quantity_unit`` and ``quantity_direction`` may then
stand beside the column.

**The rest of the key.** ``split``: ``valid``, ``test`` or ``valtest`` (TRUTH). ``schedule``: epochs of the whole
training (TRUTH, CURVES). ``seed``: left out for a mean over seeds; a number; a list of numbers, one for each
run in a row's list; ``"run"`` for run numbers 0, 1, 2 ... where the seeds are unknown. ``split``, ``schedule``
and ``seed`` may be ``{ column = "..." }``. ``origin``: ``tabular`` (default), ``surrogate``, ``trained`` (TRUTH).
A truth that is no accuracy: ``quantity`` (its name: ``loss``, ``latency`` ...), ``quantity_unit`` (``nats``, ``ms``
...) and ``quantity_direction`` (1 where more is better, -1 where less is); its numbers are the target ``value``.
``method`` and ``setting`` are by default ``scratch`` and ``published`` for CURVES, ``published`` and the TOML
file's name for SCORES.

**Curves.** Without ``step_column`` each value is a list over epochs (in CSV: text ``[1.5, 2.5]``), the first
after one completed epoch. With it each row is one step; ``first_step`` is what the file calls the first completed
step: 1 (default), or 0 where it counts from 0; curves with a step 0 and without the last epoch must say it.
``step_unit``: ``epoch`` (default) or ``minibatch``.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, PrivateAttr, model_validator

from ...core.errors import DataFileError, MissingDataError
from ...core.frames import SCHEMAS
from ...core.toml import StrictModel, read_toml
from ...spaces import SPACES
from ...spaces.base import Images

Unit = Literal["percent", "fraction", "error-percent", "error-fraction", "count", "millions", "raw"]
ACCURACY_UNITS = ("percent", "fraction", "error-percent", "error-fraction")

#: The column that bare numbers (a list, or a dict of numbers) are read as.
BARE = "value"


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Column(StrictModel):
    """A key that differs from row to row."""

    column: str


class Value(StrictModel):
    """One measured quantity."""

    column: str = BARE
    unit: Unit | None = None
    missing: Annotated[list[float], BeforeValidator(_as_list)] | None = None
    quantity_unit: str | None = None
    quantity_direction: Literal[1, -1] | None = None


class TableDescriptor(StrictModel):
    """A description of one table file; the module's docstring explains every key."""

    file: str
    benchmark: str
    space: str
    dataset: str | Column | None = None
    frame: Literal["TRUTH", "CURVES", "SCORES"]
    select: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list)
    source: str = ""
    licence: str = ""
    notes: Annotated[list[str], BeforeValidator(_as_list)] = Field(default_factory=list)

    classes: PositiveInt | None = None
    image_size: PositiveInt | None = None
    input_channels: PositiveInt | None = None

    rows: Literal["table", "list", "dict"] = "table"
    group_when_changed: list[str] = Field(default_factory=list)
    expected: PositiveInt | None = None

    arch_column: str | None = None
    arch_code: Literal["string", "index", "operations", "nested"] = "string"
    operations: list[str] = Field(default_factory=list)
    edge_order: Literal["target", "source"] | None = None

    values: dict[str, Value] = Field(default_factory=dict)
    targets: Literal["dataset", "quantity"] | None = None
    unit: Unit | None = None
    missing: Annotated[list[float], BeforeValidator(_as_list)] = Field(default_factory=list)

    split: Literal["valid", "test", "valtest"] | Column | None = None
    schedule: PositiveInt | Column | None = None
    seed: int | list[int] | Literal["run"] | Column | None = None
    origin: Literal["tabular", "surrogate", "trained"] = "tabular"
    quantity: str = "accuracy"
    quantity_unit: str | None = None
    quantity_direction: Literal[1, -1] | None = None
    method: str | None = None
    setting: str | None = None
    step_column: str | None = None
    first_step: Literal[0, 1] = 1
    step_unit: Literal["epoch", "minibatch"] = "epoch"

    _path: Path | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _spell_out_values(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        plain = given.get("rows") in ("list", "dict")
        values = given.get("values", [_number_of(given)] if plain and given.get("frame") == "TRUTH" else None)
        if isinstance(values, list):
            bare = plain and len(values) == 1
            values = {name: {"column": BARE if bare else name} if isinstance(name, str) else name for name in values}
        if isinstance(values, dict):
            values = {name: {"column": value} if isinstance(value, str) else value for name, value in values.items()}
        return {**given, "values": values} if values is not None else given

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        def need(condition: bool, message: str) -> None:
            if not condition:
                raise ValueError(message)

        need(*_space_is_meant(self.space))
        need(
            (self.dataset is None) == (self.targets == "dataset"),
            "dataset: expected a name or a column; it is left out where targets = 'dataset', and only there",
        )
        need((self.classes is None) == (self.image_size is None), "classes and image_size: give both, or neither")
        need(self.input_channels is None or self.classes is not None, "input_channels: only with classes, image_size")
        need(self.frame == "TRUTH" or self.targets is None, f"targets: only for TRUTH, not for {self.frame}")
        need(bool(self.values), 'values: expected at least one, such as values = { accuracy = "column" }')
        need(
            (self.arch_column is not None) == (self.rows == "table"),
            "arch_column: needed with rows = 'table', and only there: 'list' is in index order, 'dict' has keys",
        )
        coded = self.arch_code == "operations"
        need(
            coded == bool(self.operations) and coded == (self.edge_order is not None),
            "operations and edge_order: both needed with arch_code = 'operations', and only there",
        )
        need(self.rows == "list" or not self.group_when_changed, "group_when_changed: only with rows = 'list'")
        need(self.frame == "TRUTH" or self.split is None, f"split: only for TRUTH, not for {self.frame}")
        need(self.frame != "TRUTH" or self.split is not None, "split: expected valid, test or valtest")
        need(
            self.frame == "SCORES" or self.schedule is not None,
            "schedule: expected the epochs of the whole training, such as 200",
        )
        need(self.frame != "SCORES" or self.schedule is None, "schedule: not for SCORES")
        need(self.frame != "TRUTH" or self.method is self.setting is None, "method and setting: not for TRUTH")
        for target, (name, unit_said, direction) in self._quantities().items():
            need(
                (unit_said is not None, direction is not None) == (name != "accuracy",) * 2,
                f"quantity_unit and quantity_direction: both needed with a quantity other than accuracy, and only "
                f"there; got {unit_said!r} and {direction!r} for {target!r}",
            )
        need(self.frame == "TRUTH" or self.quantity == "accuracy", f"quantity: only for TRUTH, not for {self.frame}")
        need(self.frame == "CURVES" or self.step_column is None, "step_column: only for CURVES")
        need(
            self.frame != "CURVES" or not (self.seed == "run" or isinstance(self.seed, list)),
            "seed: in CURVES a number, a column, or left out for a mean",
        )
        if self.targets is not None:
            for name in self.values:
                unit = self.unit_of(name)
                need(
                    not self._is_accuracy(name) or unit in ACCURACY_UNITS,
                    f"unit: expected one of {', '.join(ACCURACY_UNITS)} for {name!r}, got {unit!r}",
                )
        elif self.frame != "SCORES":
            allowed = (
                [_number_of({"quantity": self.quantity})] if self.frame == "TRUTH" else list(SCHEMAS["CURVES"].values)
            )
            for name in self.values:
                close = difflib.get_close_matches(name, allowed, n=1)
                hint = f" did you mean {close[0]!r}?" if close else ""
                need(
                    name in allowed,
                    f"values: {name!r} is no target of {self.frame};{hint} expected {', '.join(allowed)}",
                )
                unit = self.unit_of(name)
                need(
                    not name.endswith("accuracy") or unit in ACCURACY_UNITS,
                    f"unit: expected one of {', '.join(ACCURACY_UNITS)} for {name!r}, got {unit!r}",
                )
        return self

    def unit_of(self, target: str) -> Unit:
        """The unit that the column behind `target` is written in."""
        shared = self.unit if self.frame == "SCORES" or self._is_accuracy(target) else None
        return self.values[target].unit or shared or "raw"

    def quantity_of(self, target: str) -> tuple[str, str | None, int | None]:
        """(name, unit, direction) of the quantity behind a target of TRUTH; accuracies need no unit, no direction."""
        value = self.values[target]
        name = target if self.targets == "quantity" else self.quantity
        if name == "accuracy" and self.targets == "quantity":
            return name, value.quantity_unit, value.quantity_direction
        return name, value.quantity_unit or self.quantity_unit, value.quantity_direction or self.quantity_direction

    def _quantities(self) -> dict[str, tuple[str, str | None, int | None]]:
        if self.targets == "quantity":
            return {target: self.quantity_of(target) for target in self.values}
        return {self.quantity: (self.quantity, self.quantity_unit, self.quantity_direction)}

    def _is_accuracy(self, target: str) -> bool:
        if self.targets == "dataset":
            return self.quantity == "accuracy"
        return target == "accuracy" if self.targets == "quantity" else target.endswith("accuracy")

    def images(self, dataset: str) -> Images | None:
        """What the cost of a network depends on, where the description says it."""
        if self.classes is None or self.image_size is None:
            return None
        return Images(dataset, self.classes, self.image_size, self.input_channels or 3)

    def missing_of(self, target: str) -> list[float]:
        """The numbers that mean "not measured" in the column behind `target`."""
        of_column = self.values[target].missing
        return self.missing if of_column is None else of_column

    @property
    def path(self) -> Path | None:
        """The file that the description was read from: data are looked for beside it."""
        return self._path

    @property
    def keys(self) -> dict[str, Any]:
        """The constant key columns of the frame."""
        if self.frame == "TRUTH":
            named = {"quantity": self.quantity, "origin": self.origin}
            if self.targets == "quantity":
                return {"origin": self.origin}
            if self.quantity == "accuracy":
                return named
            unit, direction = self.quantity_unit, self.quantity_direction
            return {**named, "accuracy": None, "quantity_unit": unit, "quantity_direction": direction}
        default = ("scratch", "published")
        if self.frame == "SCORES":
            default = ("published", self.path.stem if self.path else "table")
        return {"method": self.method or default[0], "setting": self.setting or default[1]}


def _space_is_meant(space: str) -> tuple[bool, str]:
    """Any space will do, its architectures are texts; a name that looks like one of ours misspelt will not."""
    close = [] if space in SPACES else difflib.get_close_matches(space.lower(), SPACES, n=1, cutoff=0.75)
    named = bool(re.fullmatch(r"[^:\s]+", space)) and not close
    hint = f"; did you mean {close[0]!r}? A space of your own needs a name less like ours" if close else ""
    return named, f"space: unknown space {space!r}{hint or '; expected a name without colon and blanks'}"


def _number_of(given: dict[str, Any]) -> str:
    """The column of TRUTH that holds the numbers of what a description calls its quantity."""
    return "accuracy" if given.get("quantity", "accuracy") == "accuracy" else "value"


def load_descriptor(path: Path | str) -> TableDescriptor:
    """Read and check a TOML description; `DataFileError` says what to correct."""
    described = read_toml(
        path, TableDescriptor, what="a TOML description of a table", error=DataFileError, missing=MissingDataError
    )
    described._path = Path(path)
    return described
