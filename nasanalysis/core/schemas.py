"""The schemas of the tidy frames: their columns, what may be absent and what no row may say.

========== ==================================================================================
ARCHS      what an architecture costs, and which architectures are the same
TRUTH      accuracy (percent) of trained, tabulated or predicted architectures, or another quantity
CURVES     losses (nats) and accuracies (percent) by completed epoch or minibatch
PERTURBED  loss (nats) under weight noise: any flatness is computed from it
SCORES     what a proxy says of an architecture: raw, never sign-flipped
STATS      a statistic of scores against truth, with its interval
TRACE      what a search or a training went through
ALPHAS     weights of the operations on the edges of a relaxed cell, by epoch
STRENGTHS  what a finished supernet loses, in percentage points, without an operation of an edge
========== ==================================================================================

A truth is an accuracy unless its row says otherwise: then ``quantity`` is its name (``loss``, ``latency``,
``robust_accuracy``), its number stands in ``value``, ``quantity_unit`` is its unit and ``quantity_direction`` +1 where
more is better, -1 where less is. Accuracies stand in ``accuracy``, so what reads that column never meets a loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

_TEXT, _INT, _FLOAT, _SMALL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Float32(), pl.Boolean()
_PERCENT = (0.0, 100.0)


@dataclass(frozen=True)
class Rule:
    """What no row of a frame may say: `bad` marks the rows, `what` is wrong with them, `todo` mends them."""

    bad: pl.Expr
    what: str
    todo: str


@dataclass(frozen=True)
class Schema:
    """Columns of a frame.

    Attributes
    ----------
    keys: columns that together name a row; no two rows may share them.
    values: the measured columns.
    nullable: key columns in which null has a meaning (a null seed is the mean over seeds).
    optional: columns that are added as null where absent.
    defaults: column -> what fills it where it is absent or null, in this order.
    instead: column -> the column that, where it holds something, may stand there instead of it.
    ranges: closed interval that a value must lie in.
    choices: the words a text column may hold.
    rules: what else no row may say.
    """

    keys: Mapping[str, pl.DataType]
    values: Mapping[str, pl.DataType]
    nullable: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    defaults: Mapping[str, pl.Expr] = field(default_factory=dict)
    instead: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {**self.keys, **self.values}

    def empty(self) -> pl.DataFrame:
        """A frame of this schema without rows."""
        return pl.DataFrame(schema=self.columns)

    def lacks(self, table: pl.DataFrame) -> list[str]:
        """Which columns `table` lacks."""
        replaced = {c for c, other in self.instead.items() if other in table and not table[other].is_null().all()}
        may_lack = {*self.optional, *self.defaults, *replaced}
        return [c for c in self.columns if c not in table.columns and c not in may_lack]


_WHERE = {"benchmark": _TEXT, "dataset": _TEXT, "arch": _TEXT}
_HOW = {"method": _TEXT, "setting": _TEXT}
#: One operation of one edge after one epoch of a differentiable search.
_ON_AN_EDGE: dict[str, pl.DataType] = {
    "benchmark": _TEXT,
    "dataset": _TEXT,
    **_HOW,
    "seed": _INT,
    "epoch": _INT,
    "cell": _TEXT,
    "edge": _TEXT,
    "operation": _TEXT,
}
_SPLITS = ("train", "valid", "test", "valtest")
_CURVE_VALUES = {f"{split}_{what}": _SMALL for split in _SPLITS for what in ("loss", "accuracy")}
_UNITS = frozenset({"epoch", "minibatch"})
_WHEN = {"unit": _TEXT, "step": _INT}

ACCURACY = "accuracy"
_IS_ACCURACY = pl.col("quantity") == ACCURACY
_ACCURACY_BY_DEFAULT = {
    "quantity": pl.lit(ACCURACY),
    "quantity_unit": pl.when(_IS_ACCURACY).then(pl.lit("percent")),
    "quantity_direction": pl.when(_IS_ACCURACY).then(pl.lit(1, _INT)),
}
_TRUTH_RULES = (
    Rule(
        _IS_ACCURACY & pl.col("value").is_not_null(),
        "'value' is filled where 'quantity' is accuracy",
        "put accuracies (percent) into 'accuracy', or name the quantity",
    ),
    Rule(
        ~_IS_ACCURACY & pl.col("accuracy").is_not_null(),
        "'accuracy' is filled where 'quantity' is another",
        "put the numbers of that quantity into 'value'",
    ),
    Rule(
        _IS_ACCURACY & ((pl.col("quantity_unit") != "percent") | (pl.col("quantity_direction") != 1)),
        "accuracy is in percent and higher is better (quantity_unit 'percent', quantity_direction 1)",
        "convert it, or give the quantity another name",
    ),
    Rule(
        pl.col("quantity_unit").is_null(),
        "'quantity_unit' is null where 'quantity' is not accuracy",
        "say the unit, for example 'nats' or 'ms'",
    ),
    Rule(
        ~pl.col("quantity_direction").is_in([1, -1]).fill_null(False),
        "'quantity_direction' must be 1 (more is better) or -1 (less is better)",
        "say which of the two",
    ),
    Rule(
        pl.struct("quantity_unit", "quantity_direction").n_unique().over("quantity") > 1,
        "one quantity with several units or directions",
        "convert to one unit",
    ),
)

SCHEMAS: dict[str, Schema] = {
    "ARCHS": Schema(
        keys=_WHERE,
        values={"unique_arch": _TEXT, "params": _INT, "flops": _FLOAT},
        ranges={"params": (0, 2**62), "flops": (0, 1e18)},
    ),
    "TRUTH": Schema(
        keys={**_WHERE, "split": _TEXT, "schedule": _INT, "seed": _INT, "quantity": _TEXT},
        values={
            "accuracy": _FLOAT,
            "value": _FLOAT,
            "quantity_unit": _TEXT,
            "quantity_direction": _INT,
            "origin": _TEXT,
        },
        nullable=frozenset({"schedule", "seed"}),
        optional=frozenset({"value"}),
        defaults=_ACCURACY_BY_DEFAULT,
        instead={"accuracy": "value"},
        ranges={"accuracy": _PERCENT},
        choices={
            "split": frozenset({"valid", "test", "valtest"}),
            "origin": frozenset({"tabular", "surrogate", "trained"}),
        },
        rules=_TRUTH_RULES,
    ),
    "CURVES": Schema(
        keys={**_WHERE, **_HOW, "schedule": _INT, "seed": _INT, "unit": _TEXT, "step": _INT},
        values={**_CURVE_VALUES, "seconds": _FLOAT},
        nullable=frozenset({"seed"}),
        optional=frozenset({*_CURVE_VALUES, "seconds"}),
        ranges={name: _PERCENT for name in _CURVE_VALUES if name.endswith("accuracy")} | {"step": (0, 2**62)},
        choices={"unit": _UNITS},
    ),
    "PERTURBED": Schema(
        keys={
            **_WHERE,
            **_HOW,
            "seed": _INT,
            **_WHEN,
            "position": _TEXT,
            "direction": _TEXT,
            "draws": _TEXT,
            "sigma": _FLOAT,
            "draw": _INT,
        },
        values={"loss": _FLOAT},
        nullable=frozenset({"seed", *_WHEN}),  # null: the weights as they stood at the end
        optional=frozenset(_WHEN),
        choices={
            "unit": _UNITS,
            "position": frozenset({"all", "cells"}),
            "direction": frozenset({"random", "hessian"}),
            "draws": frozenset({"independent", "cumulative"}),
        },
    ),
    "SCORES": Schema(
        keys={**_WHERE, **_HOW, "proxy": _TEXT, "seed": _INT, **_WHEN},
        values={"value": _FLOAT},
        nullable=frozenset({"seed", "unit", "step"}),
        choices={"unit": _UNITS},
    ),
    "STATS": Schema(
        keys={
            "benchmark": _TEXT,
            "dataset": _TEXT,
            **_HOW,
            "proxy": _TEXT,
            "truth_split": _TEXT,
            "truth_schedule": _INT,
            "truth_seeds": _TEXT,
            "sample": _TEXT,
            "statistic": _TEXT,
            "unit": _TEXT,
            "step": _INT,
            "direction": _INT,
            "direction_source": _TEXT,
            "resampled": _TEXT,
        },
        values={
            "estimate": _FLOAT,
            "ci_low": _FLOAT,
            "ci_high": _FLOAT,
            "interval": _TEXT,
            "n_archs": _INT,
            "n_missing": _INT,
        },
        nullable=frozenset(
            {
                "method",
                "setting",
                "truth_split",
                "truth_schedule",
                "truth_seeds",
                "sample",
                "unit",
                "step",
                "direction",
                "direction_source",
                "resampled",
            }
        ),
        optional=frozenset({"direction", "direction_source", "resampled"}),  # frames written by 0.1 lack them
        ranges={"direction": (-1, 1)},
        choices={
            "unit": _UNITS,
            "direction_source": frozenset({"ours", "given", "by name", "assumed"}),
            "resampled": frozenset({"class", "arch", "seed", "nested"}),
        },
    ),
    "TRACE": Schema(
        keys={
            "benchmark": _TEXT,
            "dataset": _TEXT,
            **_HOW,
            "part": _TEXT,
            "seed": _INT,
            "search_seed": _INT,
            "epoch": _INT,
            "quantity": _TEXT,
        },
        values={"value": _FLOAT, "text": _TEXT},
        nullable=frozenset({"part", "seed", "search_seed"}),
        optional=frozenset({"part", "search_seed", "value", "text"}),
    ),
    "STRENGTHS": Schema(
        keys=_ON_AN_EDGE,
        values={
            "weight": _FLOAT,
            "alpha": _FLOAT,
            "strength": _FLOAT,
            "strength_loss": _FLOAT,
            "discrete_accuracy": _FLOAT,
            "converged_accuracy": _FLOAT,
            "tuned_epochs": _INT,
        },
        optional=frozenset({"alpha", "strength_loss", "discrete_accuracy", "converged_accuracy", "tuned_epochs"}),
        ranges={"epoch": (0, 2**62), "discrete_accuracy": _PERCENT, "converged_accuracy": _PERCENT},
    ),
    "ALPHAS": Schema(
        keys=_ON_AN_EDGE,
        values={"weight": _FLOAT, "alpha": _FLOAT, "mask": _FLAG},
        optional=frozenset({"alpha", "mask"}),
        ranges={"epoch": (0, 2**62)},
    ),
}
