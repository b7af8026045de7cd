"""What a proxy is: parameters plus a call. It reads frames or weights and returns a SCORES frame."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import polars as pl

from ..core.errors import ParameterError
from ..core.frames import SCHEMAS, check


@runtime_checkable
class Proxy(Protocol):
    """A cheap stand-in for accuracy.

    Attributes
    ----------
    name: as it stands in the SCORES frame, parameters included (``sotl_e@5``).
    direction: +1 where a higher score promises higher accuracy, -1 where a lower one does. Scores are
        stored raw; whoever compares multiplies by this.
    needs: the frame it is called on, as `Benchmark.frame` names it: ``archs``, ``curves``, ``perturbed``, ``scores``;
        ``weights`` and ``supernet`` for a measure of live networks, which reads the SCORES that were recorded of them.
    reference: paper and equation.
    """

    @property
    def name(self) -> str: ...
    @property
    def direction(self) -> int: ...
    @property
    def needs(self) -> str: ...
    @property
    def reference(self) -> str: ...
    def __call__(self, frame: pl.DataFrame, /) -> pl.DataFrame: ...


@runtime_checkable
class OfNoise(Protocol):
    """A proxy of PERTURBED frames that reads one kind of noise and can be turned to another."""

    def of_noise(self, position: str, direction: str, draws: str) -> Self: ...


def as_scores(table: pl.DataFrame, name: str, value: str | pl.Expr) -> pl.DataFrame:
    """SCORES of the proxy `name`: one row for each row of `table`, whose columns ``benchmark, dataset, arch`` it keeps.

    ``method, setting, seed, unit, step`` are kept where `table` has them, and empty where not. `value`: a column or an
    expression of polars; what is undefined in it (NaN) becomes null.
    """
    absent = {"method": "none", "setting": "", "seed": None, "unit": None, "step": None}
    columns = {c: pl.lit(v, SCHEMAS["SCORES"].keys[c]) for c, v in absent.items() if c not in table.columns}
    number = pl.col(value) if isinstance(value, str) else value
    scores = table.with_columns(number.cast(pl.Float64).alias("value"), proxy=pl.lit(name), **columns)
    return check(scores.select(*SCHEMAS["SCORES"].columns), "SCORES")


def takes_no_argument(name: str, argument: str | None) -> None:
    """`ParameterError` where a proxy without parameters was given one."""
    if argument is not None:
        raise ParameterError(f"proxy {name!r} takes no parameter, got {name}@{argument}")
