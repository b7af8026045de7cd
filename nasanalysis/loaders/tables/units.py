"""Is a column of accuracies in percent? Fractions that pass for percent change every mean and every threshold."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl

from ...core.errors import FrameError, UnknownNameError

AccuracyUnit = Literal["percent", "fraction", "error-percent", "error-fraction"]
UNITS: tuple[AccuracyUnit, ...] = ("percent", "fraction", "error-percent", "error-fraction")


#: How far above the best of the others a fraction may lie: the best architectures may be those written as fractions.
_ABOVE = 1.2


def known_unit(unit: str | None) -> AccuracyUnit | None:
    """`unit`, typed; `UnknownNameError` for one that does not exist."""
    if unit is not None and unit not in UNITS:
        raise UnknownNameError("unit", unit, UNITS)
    return unit


def all_fractions(values: pl.Series) -> bool:
    """Whether several numbers all lie within [0, 1], at least one above 0."""
    values = values.drop_nulls()
    return len(values) > 1 and bool(values.is_between(0, 1).all()) and bool((values > 0).any())


def some_fractions(values: pl.Series) -> list[float]:
    """Numbers inside (0, 1) that, times 100, lie among the others or little above: two different ones, else none."""
    values = values.drop_nulls()
    inside = (values > 0) & (values < 1)
    few, rest = values.filter(inside).unique(maintain_order=True), values.filter(values >= 1)
    if rest.is_empty():
        return []
    low, high = float(rest.min()), float(rest.max())  # type: ignore[arg-type]
    among = few.filter((few * 100).is_between(low, _ABOVE * high))
    return among.to_list() if len(among) > 1 else []


def refuse_fractions(values: pl.Series, where: str, todo: str) -> None:
    """`FrameError` where accuracies that should be percent look like fractions, all of them or some."""
    if all_fractions(values):
        raise FrameError(
            f"{where}: expected accuracies in percent, got {len(values.drop_nulls())} numbers all within 0 and 1; "
            f"are they fractions? {todo}"
        )
    if some := some_fractions(values):
        top = values.to_numpy()
        raise FrameError(
            f"{where}: expected accuracies in percent, got some numbers below 1, such as {some[0]:g} and {some[1]:g}, "
            f"that look like fractions among percentages up to {np.nanmax(top):g}; write all in one unit. {todo}"
        )


def to_percent(values: pl.Series, unit: AccuracyUnit, where: str) -> pl.Series:
    """Accuracies or errors in `unit` -> accuracies in percent; `FrameError` for one outside its range."""
    top = 100.0 if unit.endswith("percent") else 1.0
    if (bad := (~values.is_between(0, top)).fill_null(False).arg_true()).len():
        raise FrameError(
            f"{where}: expected {unit}, 0 to {top:g}, got {values[int(bad[0])]:g} (and {len(bad) - 1} more)"
        )
    scaled = values if unit.endswith("percent") else values * 100
    return 100 - scaled if unit.startswith("error") else scaled
