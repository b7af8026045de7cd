"""Intervals of rank correlations: our resamples by counts against a loop over scipy.

Ours draws its resamples too; the compiled kernels (extra ``fast``) are compiled before the clock starts, as they
are kept on disk. scipy is timed on some of the same resamples and scaled; the results are equal to 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import stats as scipy_stats
from sidebyside import Row, Skipped, side_by_side

from nasanalysis.stats import Resamples, correlate, fast
from nasanalysis.stats.bootstrap import bootstrap_counts

PROXIES, EPOCHS = 12, 200
STATISTICS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "kendall": (scipy_stats.kendalltau, Resamples.kendall_tau),
    "spearman": (scipy_stats.spearmanr, Resamples.spearman_rho),
}


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    for name in STATISTICS:
        Resamples([1.0, 2.0], [[1, 1]], compiled=fast.is_available() or None).kendall_tau([1.0, 2.0])
        yield _row(name, 15_625, scores=PROXIES, peer_resamples=10)
        for n in (200, 1000, 5000, 15_625):  # growth with n
            yield _row(name, n)
        for resamples in (100, 10_000):  # growth with resamples; 1,000 is above
            yield _row(name, 1000, resamples=resamples)
    yield _study()


def _row(name: str, n: int, *, scores: int = 1, resamples: int = 1000, peer_resamples: int = 50) -> Row:
    theirs, ours_one = STATISTICS[name]
    rng = np.random.default_rng(0)
    truth = rng.normal(size=n)
    table = [np.round(truth + rng.normal(size=n), 1) for _ in range(scores)]  # with ties, as real scores have
    counts = bootstrap_counts(n, peer_resamples, np.random.default_rng(1))
    draws = [np.repeat(np.arange(n), row) for row in counts]

    def peer() -> list[list[float]]:
        return [[theirs(score[d], truth[d])[0] for d in draws] for score in table]

    def ours() -> list[Any]:
        drawn = Resamples(truth, bootstrap_counts(n, resamples, np.random.default_rng(1)))
        return [ours_one(drawn, score) for score in table]

    assert np.allclose(peer(), np.array(ours())[:, :peer_resamples], atol=1e-9), name
    many = f", {scores} proxies" if scores > 1 else ""
    return side_by_side(
        f"bootstrap {name}, n = {n:,}{many}, {resamples:,} resamples",
        peer,
        ours,
        peer_name="scipy loop",
        scale=resamples / peer_resamples,
        note=f"{_how()}; scipy timed on {peer_resamples} of the same resamples and scaled; results equal to 1e-9",
    )


def _study() -> Row:
    """A whole table: every epoch of 12 proxies on 200 architectures, tau and rho with intervals, both cores."""
    n, resamples, few_series, few = 200, 1000, 6, 50
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(10, 95, n)
    archs = [f"nb201:a{i:03d}" for i in range(n)]
    series = PROXIES * EPOCHS
    values = accuracy + 20 * rng.normal(size=(series, n))
    truth = pl.DataFrame({"arch": archs, "accuracy": accuracy}).with_columns(
        benchmark=pl.lit("b"), dataset=pl.lit("d"), split=pl.lit("test"), schedule=200, seed=0, origin=pl.lit("trained")
    )
    scores = pl.DataFrame(
        {
            "arch": archs * series,
            "proxy": np.repeat([f"p{i:02d}" for i in range(PROXIES)], EPOCHS * n),
            "step": np.tile(np.repeat(np.arange(1, EPOCHS + 1), n), PROXIES),
            "value": values.ravel(),
        }
    ).with_columns(
        benchmark=pl.lit("b"), dataset=pl.lit("d"), method=pl.lit("m"), setting=pl.lit(""), unit=pl.lit("epoch"), seed=0
    )
    counts = bootstrap_counts(n, few, rng)
    draws = [np.repeat(np.arange(n), row) for row in counts]

    def peer() -> None:
        for score in values[:few_series]:
            for d in draws:
                scipy_stats.kendalltau(score[d], accuracy[d])
                scipy_stats.spearmanr(score[d], accuracy[d])

    def ours() -> pl.DataFrame:
        return correlate(truth, scores, statistics=("kendall_tau", "spearman_rho"), n_boot=resamples, workers=2)

    assert len(ours()) == 2 * series  # starts the workers too, which stay
    return side_by_side(
        f"study: {PROXIES} proxies x {EPOCHS} epochs x {resamples:,} resamples, tau and rho, n = {n}",
        peer,
        ours,
        peer_name="scipy loop, one core",
        scale=series / few_series * resamples / few,
        rounds=2,
        note=f"{_how()}, two processes, from frames to table; scipy timed on {few_series} series and {few} resamples",
    )


def _how() -> str:
    return "compiled kernels" if fast.is_available() else "plain numpy"
