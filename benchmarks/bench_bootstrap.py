"""Intervals of rank correlations: our resamples by counts against a loop over scipy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import stats as scipy_stats
from sidebyside import Row, Skipped, side_by_side

from nasanalysis.stats import Resamples
from nasanalysis.stats.bootstrap import bootstrap_counts

RESAMPLES = 1000
PEER_RESAMPLES = 50


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    for n in (200, 1000, 15_625):
        rng = np.random.default_rng(0)
        truth = rng.normal(size=n)
        score = np.round(truth + rng.normal(size=n), 1)  # with ties, as real scores have
        counts = bootstrap_counts(n, RESAMPLES, rng)
        draws = [np.repeat(np.arange(n), row) for row in counts[:PEER_RESAMPLES]]
        for name, function in (("spearman", scipy_stats.spearmanr), ("kendall", scipy_stats.kendalltau)):
            ours = f"{name}_rho" if name == "spearman" else f"{name}_tau"

            def peer(f=function):  # type: ignore[no-untyped-def]
                return [f(score[d], truth[d])[0] for d in draws]

            def mine(method=ours):  # type: ignore[no-untyped-def]
                return getattr(Resamples(truth, counts), method)(score)

            assert np.allclose(peer(), mine()[:PEER_RESAMPLES], atol=1e-9), name
            yield side_by_side(
                f"bootstrap {name}, n = {n:,}, {RESAMPLES:,} resamples",
                peer,
                mine,
                peer_name="scipy loop",
                scale=RESAMPLES / PEER_RESAMPLES,
                note=f"scipy timed on {PEER_RESAMPLES} of the same resamples and scaled; results equal to 1e-9",
            )
