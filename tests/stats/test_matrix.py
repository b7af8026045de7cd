"""Proxy against proxy: against scipy, and in an order that puts like beside like."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from small_frames import ARCHS, scores_frame

from nasanalysis import stats
from nasanalysis.stats.matrix import clustered_order


def test_proxy_matrix_agrees_with_scipy_and_puts_like_beside_like() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    base, other = rng.normal(size=20), rng.normal(size=20)
    values = {
        "synflow": base,
        "nwot": other,
        "snip": base + 0.01 * rng.normal(size=20),
        "val_loss": -(other + 0.01 * rng.normal(size=20)),  # lower is better: it agrees with nwot
    }
    table = stats.square_matrix(scores_frame({p: dict(zip(ARCHS, v.tolist(), strict=True)) for p, v in values.items()}))
    order = table["proxy"].unique(maintain_order=True).to_list()
    assert abs(order.index("synflow") - order.index("snip")) == 1
    assert abs(order.index("nwot") - order.index("val_loss")) == 1
    got = {(a, b): v for a, b, v in table.select("proxy", "other", "estimate").iter_rows()}
    assert got["synflow", "nwot"] == pytest.approx(spearmanr(base, other).statistic)
    assert got["nwot", "val_loss"] > 0.95
    assert all(got[a, b] == pytest.approx(got[b, a]) for a, b in itertools.combinations(values, 2))
    assert all(got[a, a] == pytest.approx(1.0) for a in values)


def test_matrix_leaves_undefined_pairs_empty() -> None:
    values = {"synflow": {a: float(i) for i, a in enumerate(ARCHS)}, "zen": dict.fromkeys(ARCHS, 1.0)}
    table = stats.square_matrix(scores_frame(values))
    assert table.filter(pl.col("proxy") != pl.col("other"))["estimate"].to_list() == [None, None]
    assert sorted(clustered_order(np.full((4, 4), np.nan))) == [0, 1, 2, 3]
