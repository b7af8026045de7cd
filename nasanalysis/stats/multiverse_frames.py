"""What a multiverse is made of: every truth of a table, and two scores at every step and seed that both have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError, UnknownNameError
from ..proxies import direction_of
from .averages import checked_scores, checked_truth, mean_scores, mean_truth
from .rank import Floats

MEAN = "mean"


@dataclass(frozen=True)
class OneTruth:
    """A truth: `values` (n_archs,) of all architectures, NaN where undefined; `seed` is `MEAN` or a run."""

    benchmark: str
    dataset: str
    split: str
    schedule: int | None
    seed: str
    values: Floats


@dataclass(frozen=True)
class OnePair:
    """Two scores, oriented so that higher is better, as `OneTruth` has its values; `seeded`: one of them has seeds."""

    proxy: str  # the first one
    dataset: str
    step: int | None
    seed: str
    seeded: bool
    first: Floats
    second: Floats


def every_truth(truth: Any, *, each_seed: bool) -> tuple[list[str], list[OneTruth]]:
    """The architectures in order of their text, and every truth beside them."""
    table = checked_truth(truth)
    if (n := table["benchmark"].n_unique()) != 1:
        raise StudyError(f"multiverse: expected the truth of one benchmark, got {n}; filter first")
    if (n := table["quantity"].n_unique()) != 1:
        raise StudyError(f"multiverse: expected one quantity of truth, got {n}; filter first")
    archs = table["arch"].unique().sort().to_list()
    keys = ["benchmark", "dataset", "split", "schedule"]
    rows = [mean_truth(truth).with_columns(seed=pl.lit(MEAN))]
    if each_seed:
        runs = table.drop_nulls("seed").with_columns(seed=pl.col("seed").cast(pl.String))
        several = runs.filter(pl.col("seed").n_unique().over(keys) > 1)  # of one run the mean says it all
        rows.append(several)
    columns = [*keys, "seed", "arch", "truth"]
    every = pl.concat([part.select(columns) for part in rows])
    answer = [
        OneTruth(str(key[0]), str(key[1]), str(key[2]), key[3], str(key[4]), in_place(part, archs, "truth"))
        for key, part in every.group_by(*keys, "seed", maintain_order=True)
    ]
    return archs, sorted(answer, key=lambda t: (t.dataset, t.split, t.schedule or 0, t.seed != MEAN, _number(t.seed)))


def every_pair(
    scores: Any,
    names: tuple[str, str],
    archs: Sequence[str],
    directions: Mapping[str, int | str] | None,
    *,
    each_seed: bool,
) -> list[OnePair]:
    table = checked_scores(scores)
    known = table["proxy"].unique().sort().to_list()
    for name in names:
        if name not in known:
            raise UnknownNameError("proxy in these scores", name, known)
    table = table.filter(pl.col("proxy").is_in(names))
    if (n := table["benchmark"].n_unique()) != 1:
        raise StudyError(f"multiverse: expected scores of one benchmark, got {n}; filter first")
    for name, column in product(names, ("method", "setting", "unit")):
        if (several := table.filter(proxy=name)[column].unique().sort()).len() > 1:
            raise StudyError(
                f"multiverse: {name!r} stands under several {column}s ({', '.join(map(str, several))}); filter first"
            )
    parts = [mean_scores(table).with_columns(seed=pl.lit(MEAN))]
    if each_seed:
        runs = table.drop_nulls("seed").with_columns(seed=pl.col("seed").cast(pl.String))
        parts.append(runs.filter(pl.col("seed").n_unique().over("dataset", "proxy") > 1))
    columns = ["dataset", "seed", "proxy", "step", "arch", "value"]
    every = pl.concat([part.select(columns) for part in parts]).filter(pl.col("arch").is_in(archs))
    sides = [
        {
            key: direction_of(name, directions).sign * in_place(part, archs, "value")
            for key, part in every.filter(proxy=name).group_by("dataset", "seed", "step", maintain_order=True)
        }
        for name in names
    ]
    return _joined(names[0], *sides, seeded=set(table.drop_nulls("seed")["dataset"]))


def _joined(
    proxy: str, firsts: Mapping[Any, Floats], seconds: Mapping[Any, Floats], *, seeded: set[str]
) -> list[OnePair]:
    """Scores of one dataset, seed and step side by side; one without steps, or without seeds, stands at every one."""
    keys = {(d, s, t) for side in (firsts, seconds) for d, s, t in side}
    stepped = {d for d, _, step in keys if step is not None}
    pairs = []
    for dataset, seed, step in sorted(keys, key=lambda k: (k[0], k[1] != MEAN, _number(k[1]), k[2] or 0)):
        if step is None and dataset in stepped:
            continue
        one, other = (_standing(side, dataset, seed, step) for side in (firsts, seconds))
        if one is not None and other is not None:
            pairs.append(OnePair(proxy, dataset, step, seed, dataset in seeded, one, other))
    return pairs


def _standing(side: Mapping[Any, Floats], dataset: str, seed: str, step: int | None) -> Floats | None:
    has_steps = any(d == dataset and s is not None for d, _, s in side)
    has_seeds = any(d == dataset and s != MEAN for d, s, _ in side)
    return side.get((dataset, seed if has_seeds else MEAN, step if has_steps else None))


def in_place(rows: pl.DataFrame, archs: Sequence[str], column: str) -> Floats:
    values = dict(rows.select("arch", column).iter_rows())
    return np.array([np.nan if (v := values.get(arch)) is None else v for arch in archs], dtype=np.float64)


def mask_of(archs: Sequence[str], only: Iterable[str] | None) -> NDArray[np.bool_]:
    if only is None:
        return np.ones(len(archs), dtype=bool)
    wanted = {str(arch) for arch in only}
    return np.array([arch in wanted for arch in archs], dtype=bool)


def _number(seed: str) -> int:
    return int(seed) if seed.lstrip("-").isdigit() else -1
