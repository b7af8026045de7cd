"""The bar beside ``params``: how well k trained architectures and a regressor rank the rest.

Nothing leaks. The k architectures are of k functional classes, drawn uniformly without replacement, one member of each;
the rest that is ranked holds no architecture of these classes, so no network of the training part stands in it under
another name (``leave_out="arch"`` leaves out the same k architectures only: the difference is the leak). Features are
read of all architectures, which needs no training; truth is read of the k alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError, UnknownNameError
from ..core.seeding import generator
from .alignment import direction_of
from .feature_tables import FeatureSet, Learnable, learnable, side_by_side
from .rank import Floats, spearman_rho
from .regressors import Maker, maker

LeaveOut = Literal["class", "arch"]
#: Part of the rest -> share of it that is the best by truth.
PARTS = {"all": 1.0, "top_half": 0.5, "top_tenth": 0.1}
FEWEST = 20  # architectures left to rank, so that a tenth of them is two

Chosen = NDArray[np.intp]


@dataclass(frozen=True)
class TrainingDraw:
    """The training part of one draw (`train`) and the rest, as indices."""

    number: int
    k: int
    train: Chosen
    rest: Chosen


def predictor_curve(
    truth: Any,
    features: Mapping[str, Any],
    *,
    k: Sequence[int] = (10, 20, 50, 100, 200),
    draws: int = 20,
    regressor: str | Maker = "random_forest",
    parts: Sequence[str] = ("all", "top_tenth"),
    leave_out: LeaveOut = "class",
    alone: Sequence[str] = (),
    seconds: Any = None,
    seed: int = 0,
    level: float = 0.95,
) -> pl.DataFrame:
    """How well a regressor ranks the rest after k trained architectures, over k.

    Parameters
    ----------
    truth: TRUTH of one benchmark, dataset, split and schedule.
    features: name -> a table with a row for each architecture: `graph_features`, SCORES, an ARCHS frame, any column
        ``arch`` beside numbers, or a list of these, side by side: ``{"graph": g, "proxies": s, "both": [g, s]}``.
        All sets are judged on the architectures that have a truth and a row in each. An undefined number counts as the
        mean over the training part; columns that do not vary over all architectures are left out (``n_constant``).
    k: sizes of the training part; draw i of a smaller one is within draw i of a larger one.
    regressor: a name in `nasanalysis.stats.regressors.REGRESSORS`, or a function of a seed. ``ridge`` is given the
        ranks of the features among all architectures (no truth is in them), since proxies span orders of magnitude.
    parts: of the rest: ``all``, ``top_half``, ``top_tenth`` (best by truth within the rest, ties with the last one in).
    leave_out: what of the training part the rest does not hold, see this module.
    alone: names of features whose own ranking of the same rests stands beside, oriented as proxies of that name are.
    seconds: what training each architecture takes: a table with one number beside ``arch`` (SCORES of one proxy).
    level: share of the draws between ci_low and ci_high: where one draw falls, not how well the mean is known.

    Returns one row for each set of features (then each of `alone`), part and k: benchmark, dataset, truth_split,
    truth_schedule, features, regressor (null: alone), left_out, part, statistic (spearman_rho), k, estimate (mean over
    draws), ci_low, ci_high, sd, draws, n_undefined (draws whose predictions are all tied; not in the mean), n_archs,
    n_classes, n_rest (mean), n_features, n_constant, seconds (mean sum over the training part; null where not given).

    Raises `StudyError` where k leaves fewer than 20 architectures to rank or is no less than the number of classes,
    `MissingExtraError` without scikit-learn (extra ``predict``).
    """
    table = learnable(truth, features, "predictor_curve")
    draws_table = predictor_draws(
        table, k=k, draws=draws, regressor=regressor, parts=parts, leave_out=leave_out, alone=alone, seed=seed
    )
    cost = _seconds(seconds, table)
    return _summary(draws_table.with_columns(_costs(draws_table, cost)), table, leave_out, level)


def predictor_draws(
    table: Learnable,
    *,
    k: Sequence[int],
    draws: int,
    regressor: str | Maker,
    parts: Sequence[str],
    leave_out: LeaveOut,
    alone: Sequence[str] = (),
    seed: int = 0,
) -> pl.DataFrame:
    """Every draw by itself: columns features, regressor, part, k, draw, value, n_rest, train (indices of `table`)."""
    for part in parts:
        if part not in PARTS:
            raise UnknownNameError("part of the rest", part, PARTS)
    name, make = maker(regressor, "predictor_curve")
    rankings = {one: _own_ranking(one, table) for one in alone}
    rows = []
    for draw in training_draws(table, k, draws, leave_out, seed):
        truth = table.truth[draw.rest]
        of_draw = {"k": draw.k, "draw": draw.number, "n_rest": len(draw.rest), "train": draw.train.tolist()}
        predicted = {
            s: (name, predicted_rest(make(draw.number), name, f, table.truth, draw)) for s, f in table.sets.items()
        }
        ranked = {one: (None, values[draw.rest]) for one, values in rankings.items()}
        for features, (by, scores) in [*predicted.items(), *ranked.items()]:
            for part in parts:
                value = _agreement(scores, truth, PARTS[part])
                rows.append({"features": features, "regressor": by, "part": part, "value": value, **of_draw})
    return pl.DataFrame(rows, schema_overrides={"regressor": pl.String(), "value": pl.Float64()})


def training_draws(
    table: Learnable, sizes: Sequence[int], draws: int, leave_out: LeaveOut, seed: int
) -> Iterator[TrainingDraw]:
    if draws < 1:
        raise StudyError(f"predictor_curve: expected 1 draw or more, got {draws}")
    if leave_out not in get_args(LeaveOut):
        raise StudyError(f"leave_out: expected one of {', '.join(get_args(LeaveOut))}, got {leave_out!r}")
    units = np.unique(table.classes)
    if len(units) < 3:
        raise StudyError(f"k: expected architectures of 3 functional classes or more to train some, got {len(units)}")
    if not sizes or min(sizes) < 2 or max(sizes) >= len(units):
        raise StudyError(
            f"k: expected whole numbers from 2 to {len(units) - 1}, since there are {len(units)} functional classes, "
            f"got {list(sizes)}"
        )
    for number in range(draws):
        rng = generator(seed, "predictor", number)
        order = rng.permutation(units)[: max(sizes)]
        members = np.array([rng.choice(np.flatnonzero(table.classes == unit)) for unit in order])
        for size in sizes:
            known = np.isin(table.classes, order[:size])
            if leave_out == "arch":
                known = np.isin(np.arange(len(known)), members[:size])
            rest = np.flatnonzero(~known)
            if len(rest) < FEWEST:
                raise StudyError(f"k = {size}: expected at least {FEWEST} architectures to rank, {len(rest)} are left")
            yield TrainingDraw(number, size, members[:size], rest)


def predicted_rest(model: Any, name: str, features: FeatureSet, truth: Floats, draw: TrainingDraw) -> Floats:
    """(n_rest,): what the regressor `model`, called `name`, makes of the rest after the training part of `draw`."""
    values = features.ranks() if name == "ridge" else features.values
    known = np.nan_to_num(values[draw.train], nan=0.0)
    n_known = np.maximum((~np.isnan(values[draw.train])).sum(axis=0), 1)
    filled = np.where(np.isnan(values), known.sum(axis=0) / n_known, values)
    model.fit(filled[draw.train], truth[draw.train])
    if name != "random_forest":
        return np.asarray(model.predict(filled[draw.rest]), dtype=np.float64)
    # trees answer each row by itself, so equal rows are asked once: cells of a space share their graph's features
    _, first, same = np.unique(features.distinct[draw.rest], return_index=True, return_inverse=True)
    return np.asarray(model.predict(filled[draw.rest[first]]), dtype=np.float64)[same]


def _agreement(scores: Floats, truth: Floats, share: float) -> float | None:
    """Spearman's rho in the best `share` by truth; None where it is undefined."""
    keep = np.isfinite(scores)
    least = np.sort(truth)[::-1][int(np.ceil(share * len(truth))) - 1]
    keep &= truth >= least
    value = spearman_rho(scores[keep], truth[keep]) if keep.sum() > 2 else np.nan
    return float(value) if np.isfinite(value) else None


def _own_ranking(name: str, table: Learnable) -> Floats:
    for features in table.sets.values():
        if name in features.names:
            return direction_of(name) * features.values[:, features.names.index(name)]
    raise UnknownNameError("feature to rank alone", name, {n for f in table.sets.values() for n in f.names})


def _seconds(seconds: Any, table: Learnable) -> Floats | None:
    if seconds is None:
        return None
    frame = side_by_side(seconds, "seconds")
    if len(frame.columns) != 2:
        raise StudyError(f"seconds: expected one number beside 'arch', got {frame.columns[1:]}")
    given = dict(frame.iter_rows())
    if missing := [arch for arch in table.archs if given.get(arch) is None]:
        raise StudyError(f"seconds: expected a number for every architecture, got none for {missing[0]!r}")
    return np.array([given[arch] for arch in table.archs])


def _costs(draws: pl.DataFrame, seconds: Floats | None) -> pl.Series:
    sums = [None if seconds is None else float(seconds[train].sum()) for train in draws["train"].to_list()]
    return pl.Series("seconds", sums, dtype=pl.Float64)


def _summary(draws: pl.DataFrame, table: Learnable, leave_out: LeaveOut, level: float) -> pl.DataFrame:
    tail = (1 - level) / 2
    value = pl.col("value")
    rows = draws.group_by("features", "regressor", "part", "k", maintain_order=True).agg(
        value.mean().alias("estimate"),
        value.quantile(tail, "linear").alias("ci_low"),
        value.quantile(1 - tail, "linear").alias("ci_high"),
        value.std().alias("sd"),
        pl.len().cast(pl.Int64).alias("draws"),
        value.null_count().cast(pl.Int64).alias("n_undefined"),
        pl.col("n_rest", "seconds").mean(),
    )
    of_set = {name: (len(f.names), len(f.constant)) for name, f in table.sets.items()}
    counts = [of_set.get(name, (1, 0)) for name in rows["features"]]
    places = {name: pl.lit(value) for name, value in table.place.items()}
    return rows.select(
        *(value.alias(name) for name, value in places.items()),
        "features",
        "regressor",
        pl.lit(leave_out).alias("left_out"),
        "part",
        pl.lit("spearman_rho").alias("statistic"),
        *("k", "estimate", "ci_low", "ci_high", "sd", "draws", "n_undefined"),
        pl.lit(len(table.archs), pl.Int64).alias("n_archs"),
        pl.lit(table.n_classes, pl.Int64).alias("n_classes"),
        "n_rest",
        pl.Series("n_features", [n for n, _ in counts], pl.Int64),
        pl.Series("n_constant", [n for _, n in counts], pl.Int64),
        "seconds",
    ).sort("features", "part", "k", maintain_order=True)
