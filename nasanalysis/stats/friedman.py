"""Many data sets, several proxies: do their ranks differ at all, and by how much must they (Demsar 2006)?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import FrameError, StudyError
from ..core.frames import any_frame, to_polars
from .rank import average_ranks
from .verdicts import tiers


@any_frame
def friedman(stats: Any, *, level: float = 0.95) -> Any:
    """Mean ranks over data sets, Friedman's test that they differ, and Nemenyi's critical difference.

    stats: of `correlate`, one statistic and one row for each proxy on each (benchmark, dataset), with every proxy on
    every one of them; or any table with columns benchmark, dataset, proxy and estimate (higher is better).

    Returns columns proxy, mean_rank (1 the best), n_datasets, chi2 and p (Friedman, corrected for ties; the same in
    every row), critical_difference (two mean ranks further apart than this differ, for all pairs at once; Nemenyi, with
    the studentised range), tier; best first. Data sets are what is repeated here: two that share their architectures
    (the three of NAS-Bench-201) are not independent, and p is then too small.

    `StudyError` for fewer than 3 proxies or 2 data sets, several statistics, or a proxy that one of them lacks.
    """
    table = to_polars(stats)
    if missing := [c for c in ("benchmark", "dataset", "proxy", "estimate") if c not in table.columns]:
        raise FrameError(f"friedman: missing column(s) {', '.join(missing)}; expected the answer of correlate")
    if "statistic" in table.columns and table["statistic"].n_unique() > 1:
        raise StudyError("friedman: expected one statistic, got several; filter first")
    values, proxies = _wide(table)
    n, k = values.shape
    if k < 3 or n < 2:
        raise StudyError(f"friedman: expected at least 3 proxies and 2 data sets, got {k} and {n}; compare_proxies?")
    from scipy.stats import friedmanchisquare, studentized_range  # here, not above: importing scipy.stats takes seconds

    ranks = np.array([average_ranks(-row) for row in values]).mean(axis=0)
    varies = any(len(set(row)) > 1 for row in values)
    test = friedmanchisquare(*values.T) if varies else None
    spread = float(studentized_range.ppf(level, k, math.inf)) / math.sqrt(2)
    critical = spread * math.sqrt(k * (k + 1) / (6 * n))
    tier = tiers(-ranks, ranks[None, :] - ranks[:, None] > critical)
    rows = pl.DataFrame(
        {
            "proxy": proxies,
            "mean_rank": ranks,
            "n_datasets": [n] * k,
            "chi2": [float(test.statistic) if test else None] * k,
            "p": [float(test.pvalue) if test else None] * k,
            "critical_difference": [critical] * k,
            "tier": tier,
        },
        schema_overrides={"chi2": pl.Float64, "p": pl.Float64, "tier": pl.Int64},
    )
    return rows.sort("mean_rank", "proxy")


def _wide(table: pl.DataFrame) -> tuple[np.ndarray, list[str]]:
    """(n_datasets, n_proxies) and the proxies."""
    keys = ["benchmark", "dataset"]
    if table.select(*keys, "proxy").is_duplicated().any():
        raise StudyError("friedman: expected one row for each proxy and data set, got several; filter to one step")
    wide = table.pivot("proxy", index=keys, values="estimate").sort(keys)
    proxies = [c for c in wide.columns if c not in keys]
    values = wide.select(pl.col(proxies).cast(pl.Float64).fill_null(math.nan)).to_numpy()
    if not np.isfinite(values).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        place = "/".join(str(wide[c][row]) for c in keys)
        raise StudyError(f"friedman: {proxies[column]!r} has no value on {place}; leave it or the data set out")
    return values, proxies
