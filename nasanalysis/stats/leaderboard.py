"""All proxies of one truth on one table: how well each ranks, which places are certain, what it costs, what it adds.

Every number of a row is on the architectures that all entries score, from one set of resamples, so rows compare.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..proxies import canonical, needs_of
from .alignment import aligned_series
from .averages import MixedSeedsWarning
from .correlate import correlate
from .emphasis import KEYS
from .paired import correlation_to_compare, paired_difference
from .rank_sets import rank_rows
from .resampling import Drawn, Resampling, Unit, asked
from .rows import defined, ends
from .series import Series
from .verdicts import check_margin

#: Of the best architectures, where searches live.
TOP = ("weighted_tau", "kendall_tau@top10%", "precision@10", "regret@10")
TOP_RESAMPLES = 200  # of each of them: most have no faster way than draw by draw
FEW_ENOUGH = 2_000  # architectures: beyond, a resample of weighted_tau takes so long that it has no interval
_ENTRY = ["method", "setting", "proxy", "unit", "step"]


@any_frame
def leaderboard(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    baseline: str = "params",
    statistic: str = "spearman_rho",
    top: Sequence[str] = TOP,
    costs: pl.DataFrame | None = None,
    directions: Mapping[str, int | str] | None = None,
    margin: float | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> pl.DataFrame:
    """A row for each entry (a proxy at a step, of a method and setting), best first.

    Parameters
    ----------
    truth: TRUTH of one benchmark, dataset, split and schedule. scores: SCORES of every entry, `baseline` among them.
    baseline: the bar, one entry; null differences where `scores` has none of that name.
    statistic: a correlation: what the table is sorted by.
    top: further statistics, each with the interval that is valid for it (random halves for extremes, which belong to
        samples half the size), of at most `TOP_RESAMPLES` resamples; ``weighted_tau`` has none beyond `FEW_ENOUGH`
        architectures.
    costs: columns proxy, step, cost: seconds (or epochs) to score one architecture; an entry that it lacks has none.
    directions, n_boot, seed, level, unit, resampling, margin: as in `compare_proxies`.

    Returns columns `KEYS`, statistic, estimate, ci_low, ci_high, rank, rank_low, rank_high, tier (of `rank_sets`, all
    at once), minus_baseline, minus_low, minus_high, verdict (against the baseline), needs (what the proxy reads),
    resampled, n_archs, for each of `top` its estimate and, with ``_low`` and ``_high``, its interval, and cost.

    `StudyError` for fewer than two entries, several truths, or a baseline that stands there several times.
    """
    check_margin(margin)
    measure = correlation_to_compare(statistic, "leaderboard")
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    series = aligned_series(truth, scores, directions=directions)
    if len({one.place for one in series}) != 1:
        raise StudyError("leaderboard: expected scores and truth of one data set; filter first")
    common = np.logical_and.reduce([one.used for one in series])
    bar = _bar(series, canonical(baseline))
    only = [arch for arch, used in zip(series[0].truth.archs, common, strict=True) if used]
    known = _known(truth, scores, (statistic, *top), only, directions, drawn.resampling)
    rows = []
    for one, place in rank_rows(measure, series, drawn):
        entry = tuple(one.key[name] for name in _ENTRY)
        row = {"benchmark": one.place[0], "dataset": one.place[1], **dict(zip(_ENTRY, entry, strict=True)), **place}
        row |= {name: known[(statistic, *entry)][name] for name in ("ci_low", "ci_high")}
        if bar is not None and one is not bar:
            gap = paired_difference(measure, one, bar, drawn, what="leaderboard")
            low, high = (ends(gap.interval)[name] for name in ("ci_low", "ci_high"))
            row |= {"minus_baseline": defined(gap.value), "minus_low": low, "minus_high": high}
            row["verdict"] = gap.verdict(margin)
        row["needs"] = needs_of(str(one.key["proxy"]))
        for name in top:
            of = known[(name, *entry)]
            row |= {name: of["estimate"], f"{name}_low": of["ci_low"], f"{name}_high": of["ci_high"]}
        rows.append(row)
    return _with_costs(_frame(rows, top), costs)


def _known(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    statistics: Sequence[str],
    archs: Sequence[str],
    directions: Mapping[str, int | str] | None,
    resampling: Resampling,
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """(statistic, entry) -> row of STATS on `archs`; the first statistic with all resamples, the others with fewer."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for place, name in enumerate(dict.fromkeys(statistics)):
        slow = name == "weighted_tau" and len(archs) > FEW_ENOUGH
        n = resampling.n if not place else 0 if slow else min(resampling.n, TOP_RESAMPLES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedSeedsWarning)  # said by the alignment of the caller
            stats = correlate(
                truth,
                scores,
                statistics=(name,),
                sample=archs,
                directions=directions,
                resampling=replace(resampling, n=n),
            )
        rows |= {(row["statistic"], *(row[column] for column in _ENTRY)): row for row in stats.to_dicts()}
    return rows


def _bar(series: Sequence[Series], baseline: str) -> Series | None:
    bars = [one for one in series if one.key["proxy"] == baseline]
    if len(bars) > 1:
        raise StudyError(f"leaderboard: expected {baseline!r} once, got it {len(bars)} times; filter first")
    return bars[0] if bars else None


def _with_costs(table: pl.DataFrame, costs: pl.DataFrame | None) -> pl.DataFrame:
    if costs is None:
        return table.with_columns(cost=pl.lit(None, pl.Float64))
    spent = costs.select("proxy", pl.col("step").cast(pl.Int64), pl.col("cost").cast(pl.Float64))
    if spent.select("proxy", "step").is_duplicated().any():
        raise StudyError("leaderboard: costs: expected one cost for each proxy and step")
    return table.join(spent, on=["proxy", "step"], how="left", nulls_equal=True, maintain_order="left")


def _frame(rows: Sequence[Mapping[str, Any]], top: Sequence[str]) -> pl.DataFrame:
    real, whole, text = pl.Float64(), pl.Int64(), pl.String()
    schema: dict[str, Any] = {**dict.fromkeys(KEYS, text), "step": whole, "statistic": text}
    schema |= dict.fromkeys(("estimate", "ci_low", "ci_high"), real)
    schema |= dict.fromkeys(("rank", "rank_low", "rank_high", "tier"), whole)
    schema |= dict.fromkeys(("minus_baseline", "minus_low", "minus_high"), real)
    schema |= {"verdict": text, "needs": text, "resampled": text, "n_archs": whole}
    schema |= {f"{name}{end}": real for name in top for end in ("", "_low", "_high")}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
