"""Mean accuracy of the k scored best, for every k."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_frames import ARCHS, TRUTH, scores_frame

from nasanalysis import stats
from nasanalysis.stats.topk_curve import BEST, RANDOM


@given(st.permutations(list(range(20))), st.integers(1, 20))
def test_topk_lies_between_the_worst_and_the_best_k(order: list[int], k: int) -> None:
    scores = scores_frame({"synflow": {ARCHS[i]: float(order[i]) for i in range(20)}})
    table = stats.topk_by_k(TRUTH, scores, ks=(k,))
    got = dict(table.select("proxy", "topk_mean").iter_rows())
    chosen = sorted(range(20), key=lambda i: -order[i])[:k]
    assert got["synflow"] == pytest.approx(np.mean([50.0 + i for i in chosen]))
    assert got["synflow"] <= got[BEST] + 1e-9
    assert got[RANDOM] == pytest.approx(59.5)


def test_topk_is_over_architectures_that_every_proxy_scores() -> None:
    some = {arch: 1.0 + i for i, arch in enumerate(ARCHS)}
    table = stats.topk_by_k(
        TRUTH, scores_frame({"synflow": some, "nwot": {a: some[a] for a in ARCHS[:5]}}), ks=(1, 5, 6)
    )
    assert set(table["n_archs"]) == {5}
    assert set(table["k"]) == {1, 5}
    assert table.filter(pl.col("proxy") == "synflow", pl.col("k") == 1)["topk_mean"].to_list() == [54.0]
