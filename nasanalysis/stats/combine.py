"""Scores made of scores: weighted sums with stated normalisation, rank aggregation, best weight by held-out search.

Every function takes raw SCORES and orients each term first (higher is better), so weights are positive where a
term should help; a combined score is higher-is-better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import SCHEMAS, any_frame, check
from ..core.seeding import generator
from .alignment import aligned_series, direction_of
from .averages import checked_scores
from .rank import Floats, average_ranks
from .registry import get_statistic
from .series import Series

Rule = Literal["raw", "z", "rank", "angle/pi", "1/sigma_1", "percent"]
Aggregation = Literal["mean", "median", "best", "worst"]


def normalise(values: ArrayLike, rule: Rule = "raw", *, sigma_1: float | None = None) -> Floats:
    """One term of a sum brought to a common scale: (n_archs,) -> (n_archs,), undefined values stay NaN.

    =============  ============================================================================================
    ``raw``        as it is
    ``z``          minus the mean, over the standard deviation (n) of the defined values
    ``rank``       average rank over the number of defined values: in (0, 1]
    ``angle/pi``   an angle in radians over pi (GeNAS's code; its Eq. 5 is silent)
    ``1/sigma_1``  a flatness over `sigma_1`, the smallest noise: beta = 1 / sigma_1 (GeNAS Eq. 5)
    ``percent``    an accuracy in percent as a fraction (GeNAS)
    =============  ============================================================================================

    ``z`` and ``rank`` depend on the architectures at hand, the others do not. Values that do not vary have no
    ``z``: `StudyError`.
    """
    x = np.asarray(values, dtype=np.float64)
    known = np.isfinite(x)
    if rule == "raw":
        return np.where(known, x, np.nan)
    if rule == "angle/pi":
        return np.where(known, x / np.pi, np.nan)
    if rule == "percent":
        return np.where(known, x / 100, np.nan)
    if rule == "1/sigma_1":
        if sigma_1 is None or not sigma_1 > 0:
            raise ValueError(f"normalise: 1/sigma_1: expected sigma_1 > 0, got {sigma_1!r}")
        return np.where(known, x / sigma_1, np.nan)
    result = np.full(len(x), np.nan)
    if rule == "rank":
        result[known] = average_ranks(x[known]) / max(1, known.sum())
        return result
    if rule == "z":
        spread = x[known].std() if known.any() else 0.0
        if not spread > 0:
            raise StudyError("normalise: z: expected values that vary, got one value; leave this term out")
        result[known] = (x[known] - x[known].mean()) / spread
        return result
    raise UnknownNameError("normalisation rule", rule, get_args(Rule))


@dataclass(frozen=True)
class Term:
    """One term of a weighted sum: ``weight * normalise(direction * value)``.

    proxy: name in the scores. direction: None takes the proxy's own. sigma_1: for the rule ``1/sigma_1``.
    """

    proxy: str
    weight: float = 1.0
    rule: Rule = "raw"
    sigma_1: float | None = None
    direction: int | None = None

    def __call__(self, values: Floats) -> Floats:
        sign = direction_of(self.proxy) if self.direction is None else self.direction
        return self.weight * normalise(sign * values, self.rule, sigma_1=self.sigma_1)


@any_frame
def combine(scores: Any, terms: Sequence[Term], name: str) -> Any:
    """Weighted sum of scores as SCORES of a proxy called `name`.

    The terms are matched by benchmark, dataset, architecture, seed, unit and step; a term that has no step (a
    cost), or no seed, joins every one. GeNAS's angle + flatness is
    ``[Term("angle", 1, "angle/pi"), Term("flatness", gamma, "1/sigma_1", sigma_1=2e-3)]``. Rules that look at the
    architectures (``z``, ``rank``) look at those of one (benchmark, dataset, seed, unit, step) that have every term.
    An architecture that lacks a term is null. `method` and `setting` are those of the first term.
    """
    if not terms:
        raise StudyError("combine: expected at least one term")
    table = checked_scores(scores)
    wide = _wide(table, [term.proxy for term in terms])
    columns = [f"term{i}" for i in range(len(terms))]
    parts = []
    for part in wide.partition_by("benchmark", "dataset", "seed", "unit", "step", maintain_order=True):
        values = part.select(columns).to_numpy()
        defined = np.isfinite(values).all(axis=1)
        total = np.full(len(values), np.nan)
        if defined.any():
            total[defined] = sum((t(values[defined, i]) for i, t in enumerate(terms)), np.zeros(int(defined.sum())))
        parts.append(part.with_columns(pl.Series("value", total), pl.lit(name).alias("proxy")))
    return check(pl.concat(parts).select(list(SCHEMAS["SCORES"].columns)), "SCORES")


@any_frame
def term_shares(scores: Any, terms: Sequence[Term]) -> Any:
    """Mean share of each term in the absolute sum, as GeNAS Tables 10 to 12 print it: columns proxy, weight, share.

    The share of a term is the mean over architectures of ``|term|``, over the sum of these means.
    """
    wide = _wide(checked_scores(scores), [term.proxy for term in terms])
    values = wide.select([f"term{i}" for i in range(len(terms))]).to_numpy()
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        raise StudyError("term_shares: expected architectures that have every term, got none")
    sizes = [float(np.abs(t(values[:, i])).mean()) for i, t in enumerate(terms)]
    total = sum(sizes)
    return pl.DataFrame(
        {
            "proxy": [t.proxy for t in terms],
            "weight": [float(t.weight) for t in terms],
            "share": [s / total if total > 0 else None for s in sizes],
        },
        schema={"proxy": pl.String(), "weight": pl.Float64(), "share": pl.Float64()},
    )


@any_frame
def aggregate_ranks(scores: Any, proxies: Sequence[str], name: str, *, how: Aggregation = "mean") -> Any:
    """Rank aggregation as SCORES: mean (Borda), median, best or worst normalised rank of the `proxies`, oriented.

    Matched as in `combine`; higher is better, within (0, 1].
    """
    if how not in get_args(Aggregation):
        raise UnknownNameError("rank aggregation", how, get_args(Aggregation))
    reducers: dict[str, Callable[..., Floats]] = {"mean": np.mean, "median": np.median, "best": np.max, "worst": np.min}
    wide = _wide(checked_scores(scores), proxies)
    columns = [f"term{i}" for i in range(len(proxies))]
    parts = []
    for part in wide.partition_by("benchmark", "dataset", "seed", "unit", "step", maintain_order=True):
        values = part.select(columns).to_numpy()
        defined = np.isfinite(values).all(axis=1)
        total = np.full(len(values), np.nan)
        if defined.any():
            ranks = [normalise(direction_of(p) * values[defined, i], "rank") for i, p in enumerate(proxies)]
            total[defined] = reducers[how](np.array(ranks), axis=0)
        parts.append(part.with_columns(pl.Series("value", total), pl.lit(name).alias("proxy")))
    return check(pl.concat(parts).select(list(SCHEMAS["SCORES"].columns)), "SCORES")


@any_frame
def held_out_weight(
    truth: Any,
    scores: Any,
    first: Term,
    second: Term,
    *,
    weights: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    statistic: str = "kendall_tau",
    n_splits: int = 10,
    share: float = 0.5,
    seed: int = 0,
) -> Any:
    """The best weight of `second` beside `first`, found on one part of the architectures, judged on the other.

    Parameters
    ----------
    truth, scores: as in `correlate`, one (benchmark, dataset) and one step for each of the two proxies.
    first, second: the terms; the weight of `second` is what is searched.
    weights: tried in order; of equals the first is taken.
    n_splits, share: random splits, and the share of the architectures that the search sees.

    Returns one row for each split: split, weight (found on the searched part), searched (the statistic there:
    too good, since it was chosen), held_out (of the same weight on the rest), first_alone and second_alone (on
    the rest), best_possible (the best weight on the rest itself), n_searched, n_held_out. What may be claimed is
    the mean of ``held_out``; ``searched - held_out`` is how much the search flatters itself.
    """
    if not 0 < share < 1 or n_splits < 1 or not weights:
        raise ValueError("held_out_weight: expected 0 < share < 1, at least one split and one weight")
    measure = get_statistic(statistic)
    if measure.covariates or not measure.higher_is_better:
        raise StudyError(f"held_out_weight: expected a statistic that is better higher, got {statistic!r}")
    series = aligned_series(truth, scores, directions={first.proxy: 1, second.proxy: 1})
    one, other = (_only(series, term.proxy) for term in (first, second))
    if one.place != other.place:
        raise StudyError(f"held_out_weight: expected one dataset, got {one.place} and {other.place}")
    used = one.used & other.used
    y, x, z = one.truth.values[used], one.values[used], other.values[used]
    n = round(share * len(y))
    if min(n, len(y) - n) < max(3, measure.smallest):
        raise StudyError(f"held_out_weight: expected at least 3 architectures on both sides, got {n} and {len(y) - n}")

    def values(weight: float, rows: Any) -> float:
        total = first(x[rows])
        if weight:
            total = total + weight * Term(second.proxy, 1.0, second.rule, second.sigma_1, second.direction)(z[rows])
        return measure(total, y[rows])

    table = []
    for split in range(n_splits):
        order = generator(seed, "stats", "held out", split).permutation(len(y))
        seen, rest = np.sort(order[:n]), np.sort(order[n:])
        searched = np.array([values(w, seen) for w in weights])
        if not np.isfinite(searched).any():
            raise StudyError("held_out_weight: the statistic is undefined on the searched part for every weight")
        best = int(np.nanargmax(searched))
        table.append(
            {
                "split": split,
                "weight": float(weights[best]),
                "searched": float(searched[best]),
                "held_out": values(weights[best], rest),
                "first_alone": measure(first(x[rest]), y[rest]),
                "second_alone": measure(Term(second.proxy, direction=second.direction)(z[rest]), y[rest]),
                "best_possible": float(np.nanmax([values(w, rest) for w in weights])),
                "n_searched": len(seen),
                "n_held_out": len(rest),
            }
        )
    return pl.DataFrame(table)


def _only(series: Sequence[Series], proxy: str) -> Series:
    mine = [one for one in series if one.key["proxy"] == proxy]
    if not mine:
        raise UnknownNameError("proxy in these scores", proxy, sorted({str(one.key["proxy"]) for one in series}))
    if len(mine) > 1:
        raise StudyError(
            f"{proxy!r} stands under several datasets, steps, methods or settings; filter the scores first"
        )
    return mine[0]


def _wide(table: pl.DataFrame, proxies: Sequence[str]) -> pl.DataFrame:
    """One row for each architecture, seed and step of any term, a column ``term0``, ``term1`` ... for each."""
    place, varying = ["benchmark", "dataset", "arch"], ["seed", "unit", "step"]
    known = table["proxy"].unique().sort().to_list()
    wide: pl.DataFrame | None = None
    for i, proxy in enumerate(proxies):
        rows = table.filter(pl.col("proxy") == proxy)
        if rows.is_empty():
            raise UnknownNameError("proxy in these scores", proxy, known)
        if rows.select(*place, *varying).is_duplicated().any():
            raise StudyError(f"combine: {proxy!r} stands under several methods or settings; filter the scores first")
        how = ["method", "setting"] if i == 0 else []
        rows = rows.select(*place, *varying, *how, pl.col("value").fill_null(float("nan")).alias(f"term{i}"))
        if wide is None:
            wide = rows
            continue
        missing = [c for c in varying if rows[c].is_null().all()]
        if set(missing) & {"unit", "step"}:
            missing = [*{*missing, "unit", "step"}]
        bare = [c for c in varying if c not in missing and wide[c].is_null().all()]
        keys = [*place, *(c for c in varying if c not in missing and c not in bare)]
        right = rows.drop(missing)
        wide = wide.drop(bare).join(right, on=keys, how="left", nulls_equal=True)
        if wide[f"term{i}"].is_null().all():
            raise StudyError(f"combine: {proxies[0]!r} and {proxy!r} share no architecture, seed and step")
    assert wide is not None
    terms = [f"term{i}" for i in range(len(proxies))]
    return wide.with_columns(pl.col(terms).fill_null(float("nan"))).sort(*place, *varying)
