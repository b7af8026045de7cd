"""Draws of architectures: what they hold, and an interval that counts what they share."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from small_frames import scores_frame, truth_frame

from nasanalysis.core.errors import StudyError
from nasanalysis.core.seeding import generator
from nasanalysis.stats.arch_draws import correlations_of_draws, draw_size, interval_of_draws, pool_of

ARCHS = [f"user:{i:03d}" for i in range(60)]


def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = generator(0, "draws")
    truth = {arch: float(50 + v) for arch, v in zip(ARCHS, rng.normal(size=60), strict=True)}
    scores = {p: {arch: truth[arch] + float(rng.normal()) for arch in ARCHS} for p in ("one", "two")}
    return truth_frame(truth), scores_frame(scores)


def test_every_draw_is_a_sample_of_its_own_and_all_proxies_share_it() -> None:
    truth, scores = frames()
    each = correlations_of_draws(truth, scores, draws=3, size=25, seed=1)
    assert each.select("draw", "proxy").rows() == [(d, p) for d in range(3) for p in ("one", "two")]
    assert each["n_archs"].unique().to_list() == [25]
    rng = generator(1, "draw of architectures", 2)
    chosen = [ARCHS[i] for i in rng.choice(60, 25, replace=False)]
    own = scores.filter(pl.col("proxy") == "two", pl.col("arch").is_in(chosen)).sort("arch")["value"]
    right = truth.filter(pl.col("arch").is_in(chosen)).sort("arch")["accuracy"]
    assert each.filter(draw=2, proxy="two")["estimate"].item() == pytest.approx(spearmanr(own, right)[0], rel=1e-12)
    assert correlations_of_draws(truth, scores, draws=3, size=25, seed=1).equals(each)


def test_what_lacks_a_proxy_is_not_in_the_pool() -> None:
    truth, scores = frames()
    less = scores.filter(~((pl.col("proxy") == "two") & (pl.col("arch") == ARCHS[7])))
    assert pool_of(truth, less) == [arch for arch in ARCHS if arch != ARCHS[7]]


def test_a_small_pool_is_halved_and_a_tiny_one_refused() -> None:
    assert draw_size(15_625, 200) == 200
    assert draw_size(400, 200) == 200
    assert draw_size(200, 200) == 100
    with pytest.raises(StudyError, match="at least 40 architectures to draw from, got 2"):
        draw_size(2, 200)
    with pytest.raises(StudyError, match="less than the pool"):
        interval_of_draws([0.1, 0.2], 1.0)


def test_the_interval_holds_the_value_of_the_space_as_often_as_it_says() -> None:
    """Means of halves of a pool of 40 normal numbers: what Student's interval over draws alone would miss."""
    rng = np.random.default_rng(3)
    held = {"widened": 0, "plain": 0}
    trials = 600
    for _ in range(trials):
        pool = rng.normal(size=40)
        means = [float(rng.choice(pool, 20, replace=False).mean()) for _ in range(10)]
        one = interval_of_draws(means, 0.5)
        held["widened"] += one.low <= 0 <= one.high
        half = (one.high - one.low) / 2 / np.sqrt(1 / 10 + 1) * np.sqrt(1 / 10)
        held["plain"] += one.mean - half <= 0 <= one.mean + half
    assert 0.92 <= held["widened"] / trials <= 0.98
    assert held["plain"] / trials < 0.7
