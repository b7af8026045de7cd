"""Which scores of a table are not told apart from the best one: what bold and dagger stand on.

By `nasanalysis.stats.verdicts`, on intervals of paired differences with the best, as every other comparison here.
Whether an estimate lies within the interval of the best says something else: two scores of one sample move together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import polars as pl

from ..core.frames import any_frame
from .alignment import aligned_seeds, aligned_series
from .paired import Difference, paired_difference
from .registry import Statistic, get_statistic
from .resampling import Drawn, Resampling
from .seeds import paired_seeds
from .series import Series
from .verdicts import verdict

Standing = Literal["best", "tied", "behind"]
KEYS = ("benchmark", "dataset", "method", "setting", "proxy", "unit", "step")


@any_frame
def beside_best(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    statistics: Sequence[str] = ("spearman_rho",),
    *,
    directions: Mapping[str, int | str] | None = None,
    resampling: Resampling | None = None,
) -> pl.DataFrame:
    """How each score stands beside the best of its data set, for each statistic.

    Parameters
    ----------
    truth, scores, directions: as in `correlate`; every series of scores (proxy, step, method, setting) stands alone.
    statistics: names. Of those that are no correlation (``topk_mean`` and other extremes, partial correlations) no
        paired interval is valid, so nothing is tied there.
    resampling: of the intervals.

    Returns columns `KEYS`, statistic, estimate, standing: ``best`` (the highest estimate, or equal to it), ``tied``
    (its paired difference with the best is not told apart from 0), ``behind``, or null where nothing may be said.
    """
    drawn = Drawn(resampling or Resampling())
    rows: list[dict[str, Any]] = []
    for series in _places(aligned_series(truth, scores, directions=directions)).values():
        for measure in map(get_statistic, statistics):
            rows += _rows(series, measure, drawn)
    return _frame(rows)


@any_frame
def seeds_beside_best(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    statistics: Sequence[str] = ("spearman_rho",),
    *,
    directions: Mapping[str, int | str] | None = None,
    resampling: Resampling | None = None,
) -> pl.DataFrame:
    """The same for scores with seeds: estimates are means over seeds, differences are paired by seed as well.

    Columns as in `beside_best`. Scores of one arm (method and setting) and other seeds than the best have no paired
    difference: their standing is null. resampling: its unit is as in `correlate_seeds`.
    """
    chosen = resampling or Resampling()
    rows: list[dict[str, Any]] = []
    groups: dict[tuple[Any, ...], list[list[Series]]] = {}
    for members in aligned_seeds(truth, scores, directions=directions):
        groups.setdefault((members[0].place, members[0].key["method"], members[0].key["setting"]), []).append(members)
    for readings in groups.values():
        for measure in map(get_statistic, statistics):
            rows += _seed_rows(readings, measure, chosen)
    return _frame(rows)


def _places(series: Sequence[Series]) -> dict[tuple[str, str], list[Series]]:
    places: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        places.setdefault(one.place, []).append(one)
    return places


def _rows(series: Sequence[Series], measure: Statistic, drawn: Drawn) -> list[dict[str, Any]]:
    covariates = measure.covariates
    estimates = [_estimate(one, measure) if not covariates else float("nan") for one in series]
    best = _best(estimates)
    rows = []
    for one, estimate in zip(series, estimates, strict=True):
        standing: Standing | None = None
        if best is not None and np.isfinite(estimate):
            standing = _standing(one, series[best], estimate == estimates[best], measure, drawn)
        rows.append(_row(one, measure, estimate, standing))
    return rows


def _estimate(one: Series, measure: Statistic) -> float:
    few = int(one.used.sum()) < measure.smallest
    return float("nan") if few else measure(one.used_score, one.used_truth)


def _standing(one: Series, best: Series, equal: bool, measure: Statistic, drawn: Drawn) -> Standing | None:
    if equal:
        return "best"
    if measure.interval != "bootstrap" or not drawn.resampling.n:
        return None
    gap: Difference = paired_difference(measure, best, one, drawn, what="beside the best")
    return "behind" if gap.verdict() in ("ahead", "behind") else "tied"


def _seed_rows(readings: Sequence[list[Series]], measure: Statistic, resampling: Resampling) -> list[dict[str, Any]]:
    used = [np.logical_and.reduce([one.used for one in members]) for members in readings]
    tables = [np.array([one.values[mask] for one in members]) for members, mask in zip(readings, used, strict=True)]
    truths = [members[0].truth.values[mask] for members, mask in zip(readings, used, strict=True)]
    means = [float(np.mean([measure(row, y) for row in t])) for t, y in zip(tables, truths, strict=True)]
    best = _best(means)
    rows = []
    for members, mean in zip(readings, means, strict=True):
        standing: Standing | None = None
        if best is not None and np.isfinite(mean):
            standing = "best" if mean == means[best] else _of_seeds(readings[best], members, measure, resampling)
        rows.append(_row(members[0], measure, mean, standing))
    return rows


def _of_seeds(
    best: Sequence[Series], members: Sequence[Series], measure: Statistic, resampling: Resampling
) -> Standing | None:
    same = [one.seed for one in best] == [one.seed for one in members]
    if measure.interval != "bootstrap" or measure.covariates or not resampling.n or not same:
        return None
    gap, interval = paired_seeds(measure, best, members, resampling)
    said = verdict(gap, interval.low if interval else None, interval.high if interval else None)
    return "behind" if said in ("ahead", "behind") else "tied"


def _best(estimates: Sequence[float]) -> int | None:
    ranked = [k for k, value in enumerate(estimates) if np.isfinite(value)]
    return max(ranked, key=lambda k: estimates[k]) if len(ranked) > 1 else None


def _row(one: Series, measure: Statistic, estimate: float, standing: Standing | None) -> dict[str, Any]:
    place = {"benchmark": one.place[0], "dataset": one.place[1]}
    answer = {"statistic": measure.name, "estimate": estimate if np.isfinite(estimate) else None, "standing": standing}
    return {**place, **{name: one.key.get(name) for name in KEYS[2:]}, **answer}


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    schema = {**dict.fromkeys(KEYS, pl.String()), "statistic": pl.String(), "estimate": pl.Float64()}
    return pl.DataFrame(list(rows), schema={**schema, "step": pl.Int64(), "standing": pl.String()})
