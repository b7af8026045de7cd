"""Fitness read from a table of scores (SCORES) or of true accuracies (TRUTH): a search without training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import SearchError
from ..core.frames import check, to_polars, truth_quantity
from ..core.means import exact_means
from ..loaders.tables.own import completed_scores, completed_truth
from ..proxies import direction as proxy_direction
from ..stats.averages import counting_rows
from .fitness import Answers

#: Seconds of a query: one number for all, or of each architecture.
Seconds = float | Mapping[str, float]

_SCORE_KEYS = ("benchmark", "dataset", "method", "setting", "proxy", "unit", "step")
_TRUTH_KEYS = ("benchmark", "dataset", "split", "schedule")


@dataclass(frozen=True, eq=False)
class TableFitness:
    """One oriented value for each architecture of a table.

    Attributes
    ----------
    name, space: see `Fitness`.
    values: architecture (text ``space:key``) -> value, higher is better, NaN where undefined.
    seconds: cost of a query: one number, or architecture -> seconds.

    An architecture outside the table is a `SearchError`: a search over a part of a space is kept inside by
    `nasanalysis.search.get_moves` with ``archs=fitness.archs``.
    """

    name: str
    space: str
    values: Mapping[str, float]
    seconds: Seconds = 0.0
    origin: str = field(default="this table", repr=False)

    def __post_init__(self) -> None:
        values = {arch: float(value) for arch, value in self.values.items()}
        if not values:
            raise SearchError(f"{self.name}: expected at least one architecture, got an empty table")
        object.__setattr__(self, "values", MappingProxyType(values))
        wrong = next((arch for arch in values if not arch.startswith(f"{self.space}:")), None)
        if wrong is not None:
            raise SearchError(f"{self.name}: expected architectures as '{self.space}:key', got {wrong!r}")
        if any(math.isinf(value) for value in values.values()):
            raise SearchError(f"{self.name}: expected finite values or NaN, got infinite ones")
        if isinstance(self.seconds, Mapping):
            lacking = [arch for arch in values if arch not in self.seconds]
            if lacking:
                raise SearchError(
                    f"{self.name}: seconds: expected those of all {len(values):,} architectures, "
                    f"{len(lacking):,} lack them, first {lacking[0]}; restrict the table to those that have them"
                )
            costs = [self.seconds[arch] for arch in values]
        else:
            costs = [self.seconds]
        if not all(0 <= cost < math.inf for cost in costs):
            raise SearchError(f"{self.name}: seconds: expected finite numbers of at least 0")

    @classmethod
    def from_scores(
        cls,
        scores: Any,
        proxy: str | None = None,
        *,
        direction: int | None = None,
        dataset: str | None = None,
        method: str | None = None,
        setting: str | None = None,
        step: int | None = None,
        seed: int | None = None,
        seconds: Seconds = 0.0,
        name: str | None = None,
    ) -> TableFitness:
        """From a SCORES frame.

        Parameters
        ----------
        scores: SCORES, or a plain table ``arch, proxy, value``, of any table library.
        proxy, dataset, method, setting, step: which rows; may be left out where there is only one.
        direction: +1 where a higher score is better, -1 where a lower one is; by default the proxy's own.
        seed: of the scores; None for the mean over seeds: the row without a seed of an architecture that has one (a
            `MixedSeedsWarning` where others have seeds only), else the exact mean of its seeds.
            An architecture whose score one of the seeds lacks is undefined.
        seconds: of one query.
        name: by default that of the proxy.

        `SearchError` where the rows are not one list of architectures: it says what else tells them apart.
        """
        table = check(completed_scores(scores), "SCORES")
        asked = {"proxy": proxy, "dataset": dataset, "method": method, "setting": setting, "step": step}
        table, label = _select(table, asked, _SCORE_KEYS, "SCORES")
        only = str(table["proxy"][0])
        sign = proxy_direction(only) if direction is None else direction
        if sign not in (1, -1):
            raise SearchError(f"{only}: direction: expected +1 or -1, got {direction!r}")
        values = _by_arch(table, "value", sign, seed, label)
        return cls(name or only, _space(values), values, seconds, label)

    @classmethod
    def from_truth(
        cls,
        truth: Any,
        *,
        dataset: str | None = None,
        split: str | None = None,
        schedule: int | None = None,
        seed: int | None = None,
        seconds: Seconds = 0.0,
        name: str | None = None,
    ) -> TableFitness:
        """From a TRUTH frame, or a plain table ``arch, accuracy`` (percent); arguments as in `from_scores`.

        A quantity of which less is better counts negated.
        """
        table = check(completed_truth(truth), "TRUTH")
        asked = {"dataset": dataset, "split": split, "schedule": schedule}
        table, label = _select(table, asked, _TRUTH_KEYS, "TRUTH")
        quantity = truth_quantity(table)
        values = _by_arch(table, quantity.column, quantity.direction, seed, label)
        return cls(name or f"{table['split'][0]} {quantity.name}", _space(values), values, seconds, label)

    @property
    def archs(self) -> tuple[str, ...]:
        """The architectures of the table."""
        return tuple(self.values)

    def restricted(self, archs: Iterable[str]) -> TableFitness:
        """The same for `archs` only; `SearchError` where the table lacks one of them."""
        return TableFitness(self.name, self.space, {a: self._value(a) for a in archs}, self.seconds, self.origin)

    def __len__(self) -> int:
        return len(self.values)

    def __call__(self, archs: Sequence[str], /) -> Answers:
        """What the table says."""
        values = np.array([self._value(arch) for arch in archs], dtype=np.float64)
        if isinstance(self.seconds, Mapping):
            return Answers(values, np.array([self.seconds[arch] for arch in archs], dtype=np.float64))
        return Answers(values, np.full(len(archs), self.seconds, dtype=np.float64))

    def _value(self, arch: str) -> float:
        try:
            return self.values[arch]
        except KeyError:
            raise SearchError(_unknown(self.name, arch, len(self.values), self.origin)) from None


@dataclass(frozen=True, eq=False)
class SteppedTable:
    """Scores at several steps as a `SteppedFitness`.

    Attributes
    ----------
    values: step -> (architecture -> value, higher is better, NaN where undefined).
    seconds_per_step: cost of one more step: one number, or architecture -> seconds.
    """

    name: str
    space: str
    values: Mapping[int, Mapping[str, float]]
    seconds_per_step: Seconds = 0.0

    @classmethod
    def from_scores(
        cls,
        scores: Any,
        proxy: str | None = None,
        *,
        seconds_per_step: Seconds = 0.0,
        name: str | None = None,
        **how: Any,
    ) -> SteppedTable:
        """From a SCORES frame with steps; `how` as in `TableFitness.from_scores`, but for the step."""
        table = check(scores, "SCORES")
        table = table.filter(pl.col("step").is_not_null(), *([pl.col("proxy") == proxy] if proxy else []))
        if table.is_empty():
            raise SearchError(f"{proxy or 'SCORES'}: expected scores at some step, got none with a step")
        tables = {
            int(step): TableFitness.from_scores(table.filter(pl.col("step") == step), proxy, name=name, **how)
            for step in table["step"].unique().sort()
        }
        one = next(iter(tables.values()))
        return cls(one.name, one.space, {step: t.values for step, t in tables.items()}, seconds_per_step)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps at which there are values."""
        return tuple(self.values)

    @property
    def archs(self) -> tuple[str, ...]:
        """Architectures that have a row at every step."""
        first, *rest = self.values.values()
        return tuple(arch for arch in first if all(arch in other for other in rest))

    def __call__(self, archs: Sequence[str], /, step: int, after: int = 0) -> Answers:
        """What the table says at `step`; the cost is that of ``step - after`` steps."""
        if step not in self.values:
            raise SearchError(f"{self.name}: expected one of the steps {_few(self.steps)}, got {step}")
        if not 0 <= after <= step:
            raise SearchError(f"{self.name}: expected 0 to {step} steps before, got {after}")
        column = self.values[step]
        unknown = next((arch for arch in archs if arch not in column), None)
        if unknown is not None:
            raise SearchError(_unknown(self.name, unknown, len(column), f"the scores at step {step}"))
        cost = self.seconds_per_step
        each = [cost[a] for a in archs] if isinstance(cost, Mapping) else np.full(len(archs), cost)
        return Answers.of([column[a] for a in archs], (step - after) * np.asarray(each, np.float64), name=self.name)


def seconds_of(scores: Any, proxy: str, **how: Any) -> dict[str, float]:
    """Architecture -> seconds, from recorded SCORES such as ``training_seconds`` (arguments of `from_scores`)."""
    fitness = TableFitness.from_scores(scores, proxy, direction=1, **how)
    return {arch: value for arch, value in fitness.values.items() if not math.isnan(value)}


def _select(
    table: pl.DataFrame, asked: Mapping[str, object], keys: Sequence[str], frame: str
) -> tuple[pl.DataFrame, str]:
    """The rows asked for, and what they are in words; `SearchError` where they are none or several lists."""
    wanted = {column: value for column, value in asked.items() if value is not None}
    rows = table.filter(*(pl.col(column) == value for column, value in wanted.items())) if wanted else table
    what = ", ".join(f"{column} {value}" for column, value in wanted.items()) or "all rows"
    if rows.is_empty():
        has = "; ".join(f"{column}: {_few(table[column].unique().to_list())}" for column in wanted)
        raise SearchError(f"{frame}: no rows of {what}. The frame has {has or 'no rows'}")
    several = {column: rows[column].unique().to_list() for column in keys if rows[column].n_unique() > 1}
    if several:
        has = "; ".join(f"{column}: {_few(values)}" for column, values in several.items())
        raise SearchError(f"{frame}: expected one value for each architecture, got several ({what}): {has}; choose one")
    return rows, f"{frame} of {rows['benchmark'][0]}, {rows['dataset'][0]}"


def _by_arch(table: pl.DataFrame, column: str, sign: int, seed: int | None, label: str) -> dict[str, float]:
    """The value of each architecture, higher is better: of `seed`, or by `averages.counting_rows` and exact means.

    An architecture whose value one of the table's seeds lacks is undefined: a mean over fewer seeds is noisier, and a
    search would choose it for that.
    """
    rows = _of_seed(table, seed, label) if seed is not None else counting_rows(table, (), what=label)
    means = exact_means(rows, ["arch"], column)
    lacking = _lacking_a_seed(rows, column)
    values = {arch: math.nan if value is None or arch in lacking else value for arch, value in means.iter_rows()}
    return {arch: sign * value for arch, value in values.items()}


def _of_seed(table: pl.DataFrame, seed: int, label: str) -> pl.DataFrame:
    rows = table.filter(pl.col("seed") == seed)
    if rows.is_empty():
        raise SearchError(f"{label}: no rows of seed {seed}; there are {_few(table['seed'].unique().to_list())}")
    return rows


def _lacking_a_seed(rows: pl.DataFrame, column: str) -> set[str]:
    """The architectures of `rows` for which a seed of the table has no row, or none with a value."""
    seeded = rows.drop_nulls("seed")
    present = seeded.group_by("arch").agg(pl.col("seed").filter(pl.col(column).is_not_null()).n_unique().alias("n"))
    return set(present.filter(pl.col("n") < seeded["seed"].n_unique())["arch"])


def _space(values: Mapping[str, float]) -> str:
    spaces = sorted({arch.partition(":")[0] for arch in values})
    if len(spaces) != 1:
        raise SearchError(f"expected architectures of one space, got {', '.join(spaces)}")
    return spaces[0]


def _unknown(name: str, arch: str, size: int, origin: str) -> str:
    return (
        f"{name}: no value for {arch}: {origin} holds {size:,} architectures; keep the search among them with "
        "get_moves(space, archs=fitness.archs)"
    )


def _few(values: Iterable[object]) -> str:
    known = sorted(values, key=lambda v: (v is None, v if isinstance(v, int) else 0, str(v)))
    return ", ".join(map(str, known[:8])) + (" ..." if len(known) > 8 else "")


def truth_values(truth: Any) -> dict[str, float]:
    """Architecture -> true accuracy of a mapping, a `TableFitness` or a TRUTH frame that is one list."""
    if isinstance(truth, TableFitness):
        return dict(truth.values)
    if isinstance(truth, Mapping):
        return {str(arch): float(value) for arch, value in truth.items()}
    return dict(TableFitness.from_truth(to_polars(truth)).values)
