"""Many proxies, many truths: the multiverse and the leaderboard against plain scipy loops.

The peer is what one writes down: resample architectures, rank both columns, correlate, for every pair and every truth.
It makes a few resamples of one truth, scaled; ours makes all of them, reads the frames and gives verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import kendalltau, spearmanr, weightedtau
from sidebyside import Row, Skipped, side_by_side

import nasanalysis as na
from nasanalysis.spaces import get_space

N, PROXIES, TRUTHS, RESAMPLES, FEW = 15_625, 13, 12, 1000, 3


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    truth, scores = _frames()
    names = scores["proxy"].unique(maintain_order=True).to_list()
    columns = {name: scores.filter(proxy=name)["value"].to_numpy() for name in names}
    targets = [part["accuracy"].to_numpy() for part in truth.partition_by("split", "schedule", maintain_order=True)]
    yield side_by_side(
        f"Multiverse: {PROXIES - 1} claims over {TRUTHS} truths, {N:,} architectures, {RESAMPLES:,} resamples",
        lambda: _loop(columns, targets[:1]),
        lambda: na.multiverse(truth, scores, names[1:], names[0], statistics=("spearman_rho",), units=("arch",)),
        peer_name="scipy, pair by pair",
        scale=TRUTHS * RESAMPLES / FEW,
        note=f"peer: {FEW} resamples of one truth, scaled",
    )
    one = truth.filter(split="test", schedule=1)
    yield side_by_side(
        f"Leaderboard: {PROXIES} proxies, {N:,} architectures, {RESAMPLES:,} resamples",
        lambda: _board(columns, targets[0]),
        lambda: na.leaderboard(one, scores, baseline=names[0], unit="arch"),
        peer_name="scipy, all pairs",
        scale=RESAMPLES / FEW,
        note=f"peer: {FEW} resamples, scaled; without ranks, tiers or verdicts",
    )
    two = scores.filter(pl.col("proxy").is_in(names[:2]))
    for chosen, what in ((RESAMPLES, f"{RESAMPLES:,} exchanges"), (None, "the law of large samples")):
        yield side_by_side(
            f"Test of two proxies, Kendall's tau, {N:,} architectures: {what}",
            lambda: _exchanges(columns, targets[0]),
            lambda n=chosen: na.compare_proxies(
                one, two, statistic="kendall_tau", n_boot=0, n_permutations=n, unit="arch"
            ),
            peer_name="scipy, exchange by exchange",
            scale=RESAMPLES / FEW,
            note=f"peer: {FEW} exchanges, scaled",
        )


def _exchanges(columns: dict[str, np.ndarray], truth: np.ndarray) -> None:
    """A few exchanges of two scores, correlated one after the other."""
    rng = np.random.default_rng(0)
    a, b = list(columns.values())[:2]
    for _ in range(FEW):
        swap = rng.integers(0, 2, size=len(truth)).astype(bool)
        kendalltau(np.where(swap, b, a), truth)
        kendalltau(np.where(swap, a, b), truth)


def _frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Numbers drawn for timing alone: ranks cost the same whatever they mean."""
    rng = np.random.default_rng(0)
    space = get_space("nb201")
    archs = [str(arch) for arch in space]  # type: ignore[attr-defined]
    ability = rng.normal(size=N)
    truths = [
        pl.DataFrame({"arch": archs, "accuracy": 50 + ability + 0.3 * rng.normal(size=N)}).with_columns(
            benchmark=pl.lit("drawn"),
            dataset=pl.lit("drawn"),
            split=pl.lit(("test", "valid")[k % 2]),
            schedule=pl.lit(1 + k // 2, pl.Int64),
            seed=pl.lit(None, pl.Int64),
            origin=pl.lit("tabular"),
        )
        for k in range(TRUTHS)
    ]
    scores = [
        pl.DataFrame({"arch": archs, "value": ability + (0.2 + 0.2 * k) * rng.normal(size=N)}).with_columns(
            benchmark=pl.lit("drawn"),
            dataset=pl.lit("drawn"),
            method=pl.lit(""),
            setting=pl.lit(""),
            proxy=pl.lit(f"drawn_{k}"),
            seed=pl.lit(None, pl.Int64),
            unit=pl.lit(None, pl.String),
            step=pl.lit(None, pl.Int64),
        )
        for k in range(PROXIES)
    ]
    return pl.concat(truths).sort("split", "schedule", "arch"), pl.concat(scores).sort("proxy", "arch")


def _loop(columns: dict[str, np.ndarray], targets: list[np.ndarray]) -> list[float]:
    rng, gaps = np.random.default_rng(1), []
    base, *rest = columns.values()
    for y in targets:
        for _ in range(FEW):
            drawn = rng.integers(0, N, N)
            for score in rest:
                gaps.append(spearmanr(score[drawn], y[drawn]).statistic - spearmanr(base[drawn], y[drawn]).statistic)
    return gaps


def _board(columns: dict[str, np.ndarray], y: np.ndarray) -> list[float]:
    rng, values = np.random.default_rng(1), []
    for _ in range(FEW):
        drawn = rng.integers(0, N, N)
        top = np.argsort(-y[drawn])[: N // 10]
        for score in columns.values():
            x, t = score[drawn], y[drawn]
            values += [spearmanr(x, t).statistic, weightedtau(x, t).statistic, kendalltau(x[top], t[top]).statistic]
    return values
