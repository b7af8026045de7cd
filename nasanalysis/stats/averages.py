"""Mean or seeds: which rows of a table count, and their mean for each architecture.

A row of null seed is a mean over seeds as somebody else formed it. An architecture that has one is taken at its
word: that row counts and its seed rows are left out. Of an architecture without one, the exact mean over its seeds
counts. This is decided for every architecture by itself. Infinite values are undefined, like null and NaN.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.frames import check, reordered, to_polars, varying
from ..core.means import exact_means
from .rank import Floats

PLACE = ("benchmark", "dataset")
SERIES = ("method", "setting", "proxy", "unit", "step")


class MixedSeedsWarning(UserWarning):
    """A table in which some architectures stand with a mean over seeds and others with their seeds only."""


def checked_truth(truth: Any) -> pl.DataFrame:
    """A TRUTH frame with a column ``truth`` more: its quantity, oriented so that higher is better, finite or null."""
    table = check(_without_infinite(truth, ("accuracy", "value")), "TRUTH")
    return table.with_columns(truth=pl.coalesce("accuracy", "value") * pl.col("quantity_direction"))


def checked_scores(scores: Any) -> pl.DataFrame:
    """A SCORES frame whose infinite values are undefined."""
    return check(_without_infinite(scores, ("value",)), "SCORES")


def checked_costs(archs: Any) -> pl.DataFrame:
    """An ARCHS frame whose infinite costs are undefined."""
    return check(_without_infinite(archs, ("params", "flops")), "ARCHS")


def _without_infinite(frame: Any, columns: Sequence[str]) -> pl.DataFrame:
    table = to_polars(frame)
    floats = [c for c in columns if c in table.columns and table[c].dtype.is_float()]
    return table.with_columns(pl.when(pl.col(c).is_finite()).then(pl.col(c)).alias(c) for c in floats)


def mean_truth(truth: Any) -> pl.DataFrame:
    """Columns benchmark, dataset, split, schedule, quantity, arch, truth: a TRUTH frame without its seeds, oriented."""
    keys = (*PLACE, "split", "schedule", "quantity")
    return over_seeds(counting_rows(checked_truth(truth), keys, what="truth"), keys, "truth")


def mean_scores(scores: Any) -> pl.DataFrame:
    """Columns benchmark, dataset, method, setting, proxy, unit, step, arch, value: SCORES without their seeds."""
    keys = (*PLACE, *SERIES)
    return over_seeds(counting_rows(checked_scores(scores), keys, what="scores"), keys, "value")


def over_seeds(rows: pl.DataFrame, keys: Sequence[str], value: str) -> pl.DataFrame:
    """Exact mean of `value` for each of `keys` and architecture, sorted by them; null where no seed defines it."""
    by = [*keys, "arch"]
    rows = _sorted(rows, by)
    follows = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in by).slice(1)
    if rows.select(follows.any()).item():
        return exact_means(rows, by, value)
    # one seed each: a mean of one is that one
    return rows.select(*by, pl.col(value).cast(pl.Float64).fill_nan(None))


def _sorted(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """`rows` sorted by `by` and seed; series and architectures, few beside their pairs, are sorted once each.

    Only what differs is looked at, and the whole table is copied once, or not at all where it is sorted.
    """
    *keys, arch = by
    ranks: list[pl.Series] = []
    for part in (varying(rows, keys) if keys else [], [arch]):
        if not part:
            continue
        places = rows.select(part).unique().sort(*part).with_row_index("rank")
        ranked = rows.select(part).join(places, on=part, how="left", nulls_equal=True, maintain_order="left")
        ranks.append(ranked["rank"].alias(f"__{len(ranks)}"))
    by_number = pl.DataFrame([*ranks, rows["seed"].alias("__seed")])
    order = by_number.select(pl.arg_sort_by(by_number.columns)).to_series()
    return rows if order.is_sorted() else reordered(rows, order)


def in_order(means: pl.DataFrame, archs: Sequence[str], column: str) -> Floats:
    """`column` of one row for each architecture, in the order of `archs`; NaN where undefined."""
    known = dict(means.select("arch", column).iter_rows())
    return np.array([np.nan if known.get(arch) is None else known[arch] for arch in archs], dtype=np.float64)


def counting_rows(table: pl.DataFrame, keys: Sequence[str], *, what: str, stacklevel: int = 5) -> pl.DataFrame:
    """The rows of null seed, and all rows of the architectures (within each of `keys`) that have none.

    One `MixedSeedsWarning` if there are both kinds of architecture within one of `keys`; `what` opens it.
    """
    is_mean = table["seed"].is_null()
    if is_mean.all() or not is_mean.any():
        return table
    means = table.filter(is_mean)
    others = table.filter(~is_mean).join(means, on=[*keys, "arch"], how="anti", nulls_equal=True)
    if others.is_empty():
        return means
    if said := _mixture(means, others, keys):
        warnings.warn(f"{what}: {said}", MixedSeedsWarning, stacklevel=stacklevel)
    return pl.concat([means, others])


def _mixture(means: pl.DataFrame, others: pl.DataFrame, keys: Sequence[str]) -> str:
    """What to say of the first of `keys` that has both kinds of architecture; nothing if none has."""
    if not keys:
        return _counts(means, others)
    mixed = means.select(keys).unique().join(others.select(keys).unique(), on=list(keys), how="semi", nulls_equal=True)
    if mixed.is_empty():
        return ""
    first = mixed.sort(*keys).head(1)
    here = [part.join(first, on=list(keys), how="semi", nulls_equal=True) for part in (means, others)]
    place = "/".join(str(v) for v in first.row(0) if v not in (None, ""))
    more = f" (and {len(mixed) - 1} more such)" if len(mixed) > 1 else ""
    return f"{place}{more}: {_counts(*here)}"


def _counts(means: pl.DataFrame, others: pl.DataFrame) -> str:
    n, m = means["arch"].n_unique(), others["arch"].n_unique()
    return (
        f"{n} of {n + m} architectures have a row of null seed (a mean), which counts; of the other {m} the mean over "
        "their seeds counts. Leave out the rows of null seed if the seeds should count everywhere"
    )


def seeds_text(rows: pl.DataFrame) -> str:
    """What `truth_seeds` says of the rows that count: ``mean``, ``mean of 2 seeds``, ``seed 0`` ..."""
    rows = rows.filter(pl.col("truth").is_not_null())
    seeds = rows.filter(pl.col("seed").is_not_null())
    n_means = len(rows) - len(seeds)
    if seeds.is_empty():
        return "mean"
    if n_means:
        return f"mean ({n_means} architectures), {_of_seeds(seeds)} ({seeds['arch'].n_unique()} architectures)"
    return _of_seeds(seeds)


def _of_seeds(rows: pl.DataFrame) -> str:
    if rows["seed"].n_unique() == 1:
        return f"seed {rows['seed'][0]}"
    runs = rows.group_by("arch").len()["len"].to_list()
    fewest, most = min(runs), max(runs)
    if most == 1:
        return f"one of {rows['seed'].n_unique()} seeds"
    return f"mean of {most} seeds" if fewest == most else f"mean of {fewest} to {most} seeds"
