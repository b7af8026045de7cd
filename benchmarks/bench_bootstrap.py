"""Intervals of rank correlations: our resamples by counts against a loop over scipy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as scipy_stats
from sidebyside import Row, Skipped, side_by_side

from nasanalysis.stats import Resamples
from nasanalysis.stats.bootstrap import bootstrap_counts

RESAMPLES = 1000
PEER_RESAMPLES = 50


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    for n in (200, 1000, 15_625):
        yield _row("spearman", scipy_stats.spearmanr, Resamples.spearman_rho, n)
        yield _row("kendall", scipy_stats.kendalltau, Resamples.kendall_tau, n)


def _row(name: str, scipy_statistic: Callable[..., Any], method: Callable[..., Any], n: int) -> Row:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=n)
    score = np.round(truth + rng.normal(size=n), 1)  # with ties, as real scores have
    counts = bootstrap_counts(n, RESAMPLES, rng)
    draws = [np.repeat(np.arange(n), row) for row in counts[:PEER_RESAMPLES]]

    def peer() -> list[float]:
        return [scipy_statistic(score[d], truth[d])[0] for d in draws]

    def ours() -> Any:
        return method(Resamples(truth, counts), score)

    assert np.allclose(peer(), ours()[:PEER_RESAMPLES], atol=1e-9), name
    return side_by_side(
        f"bootstrap {name}, n = {n:,}, {RESAMPLES:,} resamples",
        peer,
        ours,
        peer_name="scipy loop",
        scale=RESAMPLES / PEER_RESAMPLES,
        note=f"scipy timed on {PEER_RESAMPLES} of the same resamples and scaled; results equal to 1e-9",
    )
