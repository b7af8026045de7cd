"""Numbers of architectures from any frame, beside their truth: what a regressor learns from and is judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..core.errors import StudyError
from ..core.frames import to_polars
from .averages import mean_scores, mean_truth
from .classes import class_labels
from .rank import Floats

#: One table, or several whose columns stand side by side.
Tables = Any


@dataclass(frozen=True)
class Learnable:
    """Architectures that have a truth and a row in every set of features, in order of their text.

    Attributes
    ----------
    place: benchmark, dataset, truth_split, truth_schedule.
    truth: (n,), higher is better. sets: name -> the columns that vary. constant: name -> names of those that do not.
    classes: (n,) number of the functional class of each.
    """

    place: dict[str, Any]
    archs: list[str]
    truth: Floats
    sets: dict[str, FeatureSet]
    classes: NDArray[np.intp]

    @property
    def n_classes(self) -> int:
        """Functional classes among the architectures."""
        return len(np.unique(self.classes))


@dataclass(frozen=True)
class FeatureSet:
    """names of the columns of values (n, n_features), NaN where undefined; `constant`: columns that were left out."""

    names: list[str]
    values: Floats
    constant: list[str]

    @cached_property
    def distinct(self) -> NDArray[np.intp]:
        """(n,): which architectures have the same features, as the number of a group."""
        return np.unique(self.values, axis=0, return_inverse=True)[1].reshape(-1)

    def ranks(self) -> Floats:
        """(n, n_features) average ranks of each column, undefined values in the middle."""
        columns = [np.full(len(self.values), np.nan) for _ in self.names]
        for column, values in zip(columns, self.values.T, strict=True):
            known = np.isfinite(values)
            column[known] = rankdata(values[known])
            column[~known] = (known.sum() + 1) / 2
        return np.column_stack(columns)


def learnable(truth: Any, features: Mapping[str, Tables], what: str) -> Learnable:
    """Read a TRUTH frame and sets of features (see `predictor_curve`); `StudyError` where they say nothing together."""
    means = _one_target(mean_truth(truth), what)
    wide = {name: side_by_side(tables, f"{what}: features {name!r}") for name, tables in features.items()}
    if not wide:
        raise StudyError(f"{what}: expected at least one set of features, got none")
    archs = _common(means, wide)
    if not archs:
        raise StudyError(f"{what}: truth and features share no architecture; do all spell them 'space:key'?")
    rows = pl.DataFrame({"arch": archs})
    place = means.select("benchmark", "dataset", truth_split="split", truth_schedule="schedule").row(0, named=True)
    values = rows.join(means, on="arch", maintain_order="left")["truth"].to_numpy()
    sets = {n: _varying(rows.join(t, on="arch", maintain_order="left"), f"{what}: {n!r}") for n, t in wide.items()}
    return Learnable(place, archs, values.astype(np.float64), sets, class_labels(archs))


def side_by_side(tables: Tables, what: str) -> pl.DataFrame:
    """One row for each architecture that all of `tables` hold: ``arch`` and a float column for each feature."""
    several = list(tables) if isinstance(tables, Sequence) and not isinstance(tables, str) else [tables]
    if not several:
        raise StudyError(f"{what}: expected a table of features, got none")
    wide = [_wide(table, what) for table in several]
    joined = wide[0]
    for table in wide[1:]:
        if twice := sorted(set(table.columns) & set(joined.columns) - {"arch"}):
            raise StudyError(f"{what}: expected each feature once, got {twice[0]!r} in two tables")
        joined = joined.join(table, on="arch")
    return joined


def _wide(frame: Any, what: str) -> pl.DataFrame:
    table = to_polars(frame)
    if {"proxy", "value"} <= set(table.columns):
        table = _pivoted(table, what)
    if "arch" not in table.columns:
        raise StudyError(f"{what}: expected SCORES, or a column 'arch' beside numbers, got {table.columns}")
    numbers = [c for c in table.columns if table[c].dtype.is_numeric()]
    if not numbers:
        raise StudyError(f"{what}: expected columns of numbers beside 'arch', got none")
    if table["arch"].n_unique() < len(table):
        raise StudyError(f"{what}: expected one row for each architecture, got several; filter to one dataset")
    return table.select(pl.col("arch").cast(pl.String), *(pl.col(c).cast(pl.Float64) for c in numbers))


def _pivoted(scores: pl.DataFrame, what: str) -> pl.DataFrame:
    means = mean_scores(scores)
    several = means.group_by("proxy").agg(pl.struct(pl.exclude("arch", "value", "proxy")).n_unique().alias("n"))
    if (several["n"] > 1).any():
        name = several.filter(pl.col("n") > 1).sort("proxy")["proxy"][0]
        raise StudyError(f"{what}: {name!r} stands under several datasets, steps, methods or settings; filter first")
    return means.pivot(on="proxy", index="arch", values="value", maintain_order=True)


def _one_target(means: pl.DataFrame, what: str) -> pl.DataFrame:
    keys = ["benchmark", "dataset", "split", "schedule", "quantity"]
    targets = means.select(keys).unique().sort(keys).rows()
    if len(targets) != 1:
        raise StudyError(f"{what}: expected truth of one dataset, split and schedule, got {len(targets)}: {targets}")
    return means.drop_nulls("truth").with_columns(pl.col("arch").cast(pl.String))


def _common(means: pl.DataFrame, wide: Mapping[str, pl.DataFrame]) -> list[str]:
    common = set(means["arch"])
    for table in wide.values():
        common &= set(table["arch"])
    return sorted(common)


def _varying(table: pl.DataFrame, what: str) -> FeatureSet:
    names = [c for c in table.columns if c != "arch"]
    values = table.select(names).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    varies = [len(np.unique(column[~np.isnan(column)])) > 1 for column in values.T]
    if not any(varies):
        raise StudyError(f"{what}: expected features that vary, got {len(names)} constant ones: {', '.join(names[:5])}")
    kept = [name for name, does in zip(names, varies, strict=True) if does]
    return FeatureSet(kept, values[:, varies], [name for name in names if name not in kept])
