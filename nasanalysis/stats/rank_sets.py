"""Which places in the ranking of proxies are certain: confidence sets of ranks and tiers, all at once.

One set of resamples gives the difference of every pair of proxies; the intervals of all pairs hold together
(`nasanalysis.stats.simultaneous`), so whatever is read off them does too (Mogstad, Romano, Shaikh and Wilhelm 2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from .alignment import aligned_series
from .paired import correlation_to_compare
from .rank import Floats
from .registry import Statistic
from .resampling import Drawn, Resampling, Unit, asked
from .rows import defined
from .series import FEWEST, Series
from .simultaneous import simultaneous_band
from .verdicts import tiers
from .versus import series_by_proxy

SETS = "simultaneous paired bootstrap (max-t) over architectures"


@any_frame
def rank_sets(
    truth: Any,
    scores: Any,
    *,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """The rank that each proxy may have among all, with one confidence for the whole table, and tiers of ties.

    Parameters
    ----------
    truth, scores, directions, n_boot, seed, level, unit, resampling: as in `correlate`; one step, method and setting
        for each proxy (filter first). Only architectures that every proxy scores count.
    statistic: a correlation without covariates.

    Returns columns benchmark, dataset, proxy, statistic, estimate, rank (of the estimate, 1 the best; equal ones share
    the lowest), rank_low, rank_high (the set of ranks: 1 + how many are certainly better, to the number of proxies less
    how many are certainly worse), tier (see `nasanalysis.stats.tiers`), resampled, interval, n_archs; best first. With
    the chance `level` all sets hold their proxy's true rank at once. A proxy whose statistic is undefined is null and
    counts for nobody; without resamples (or with one class only) every rank is possible.
    """
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    measure = correlation_to_compare(statistic, "rank_sets")
    rows: list[dict[str, Any]] = []
    for series in series_by_proxy(aligned_series(truth, scores, directions=directions), "rank_sets").values():
        for one, row in rank_rows(measure, list(series.values()), drawn):
            place = {"benchmark": one.place[0], "dataset": one.place[1], "proxy": one.key["proxy"]}
            rows.append({**place, **row})
    whole, text = pl.Int64(), pl.String()
    schema = {
        **dict.fromkeys(["benchmark", "dataset", "proxy", "statistic"], text),
        "estimate": pl.Float64(),
        **dict.fromkeys(["rank", "rank_low", "rank_high", "tier"], whole),
        **dict.fromkeys(["resampled", "interval"], text),
        "n_archs": whole,
    }
    return pl.DataFrame(rows, schema=schema)


def rank_rows(measure: Statistic, series: Sequence[Series], drawn: Drawn) -> list[tuple[Series, dict[str, Any]]]:
    """Each series with its columns from ``statistic`` on, best first: on the architectures that all of them score."""
    used = np.logical_and.reduce([one.used for one in series])
    y = series[0].truth.values[used]
    if len(series) < 2 or len(y) < FEWEST:
        raise StudyError(
            f"rank_sets: {'/'.join(series[0].place)}: expected at least 2 proxies and {FEWEST} architectures that all "
            f"of them score, got {len(series)} and {len(y)}"
        )
    table = np.array([one.values[used] for one in series])
    estimates = np.array([measure(row, y) for row in table])
    units = series[0].units(drawn.resampling, used)
    is_drawn = bool(drawn.resampling.n) and units.can_be_drawn
    clear = np.zeros((len(series), len(series)), dtype=bool)
    if is_drawn:
        resamples = drawn.of(y, units=units)
        clear = _clear(estimates, np.array([measure.on_resamples(resamples, row) for row in table]), drawn)
    shared = {"resampled": units.name if is_drawn else None, "interval": units.says(SETS) if is_drawn else None}
    placed = _placed(estimates, clear)
    order = sorted(range(len(series)), key=lambda i: (placed[i]["rank"] or len(series) + 1, i))
    return [
        (
            series[i],
            {"statistic": measure.name, "estimate": defined(estimates[i]), **placed[i], **shared, "n_archs": len(y)},
        )
        for i in order
    ]


def _clear(estimates: Floats, resampled: Floats, drawn: Drawn) -> NDArray[np.bool_]:
    """(k, k): whether row is better than column for certain; resampled: (k, n_resamples)."""
    pairs = list(combinations(range(len(estimates)), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    gaps = resampled[first] - resampled[second]
    band = simultaneous_band(estimates[first] - estimates[second], gaps, level=drawn.resampling.level)
    clear = np.zeros((len(estimates), len(estimates)), dtype=bool)
    clear[first, second] = band.low > 0  # False where undefined
    clear[second, first] = band.high < 0
    return clear


def _placed(estimates: Floats, clear: NDArray[np.bool_]) -> list[dict[str, int | None]]:
    """Columns rank, rank_low, rank_high, tier of each."""
    ranked = np.flatnonzero(np.isfinite(estimates))
    values, among = estimates[ranked], clear[np.ix_(ranked, ranked)]
    tier = tiers(values, among)
    rows: list[dict[str, int | None]] = [dict.fromkeys(["rank", "rank_low", "rank_high", "tier"]) for _ in estimates]
    for at, i in enumerate(ranked):
        rows[i] = {
            "rank": 1 + int((values > values[at]).sum()),
            "rank_low": 1 + int(among[:, at].sum()),
            "rank_high": len(ranked) - int(among[at].sum()),
            "tier": tier[at],
        }
    return rows
